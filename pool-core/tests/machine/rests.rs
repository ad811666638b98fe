//! Connections at rest: closed when they rest too long, opened ahead, kept alive.

use crate::words::*;

const REST: Duration = Duration::from_secs(60);

fn resting(change: impl FnOnce(&mut Options)) -> Pool {
    pool_of(|options| {
        options.max_idle_time = Some(REST);
        change(options);
    })
}

#[test]
fn a_connection_that_rests_too_long_is_closed_at_the_asked_tick() {
    let mut pool = resting(|_| {});
    let entry = opened(&mut pool, 1, Time::START);
    tick(&mut pool, at(30_000));
    nothing_to_do(&mut pool);
    given_back(&mut pool, entry, at(40_000));
    let asked = tick_asked(&mut pool).expect("it is not to rest for ever");
    assert!(asked <= at(100_000), "{asked:?}");
    tick(&mut pool, asked);
    assert_eq!(closed_for(&mut pool, asked), (1, Cause::Idle));
    assert_eq!(pool.status().idle, 0);
}

#[test]
fn a_connection_is_not_closed_before_it_rested_for_long_enough() {
    let mut pool = resting(|_| {});
    at_rest(&mut pool, [1, 2], Time::START);
    let used = lent(&mut pool, at(30_000));
    given_back(&mut pool, used, at(30_000));
    nothing_to_do(&mut pool);
    tick(&mut pool, at(59_999));
    assert_eq!(pool.status().idle, 2);
    assert_eq!(
        tick_asked(&mut pool),
        Some(at(60_000)),
        "the alarm was not used up"
    );
    tick(&mut pool, at(60_000));
    assert_eq!(closed_for(&mut pool, at(60_000)), (2, Cause::Idle));
    tick(&mut pool, at(65_000));
    assert_eq!(tick_asked(&mut pool), Some(at(90_000)));
    tick(&mut pool, at(90_000));
    assert_eq!(closed_for(&mut pool, at(90_000)), (1, Cause::Idle));
}

#[test]
fn as_many_as_are_to_be_at_rest_are_opened_ahead_and_after_each_lend() {
    let mut pool = pool_of(|options| options.min_idle = 1);
    nothing_to_do(&mut pool);
    tick(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    nothing_to_do(&mut pool);
    pool.connected(permit, 1, Time::START);
    let out = lent(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    nothing_to_do(&mut pool);
    pool.connected(permit, 2, Time::START);
    assert_eq!(pool.status().idle, 1);
    given_back(&mut pool, out, Time::START);
    nothing_to_do(&mut pool);
}

#[test]
fn nothing_is_opened_ahead_beyond_what_the_pool_keeps() {
    let mut pool = pool_of(|options| options.min_idle = 2);
    at_rest(&mut pool, [], Time::START);
    tick(&mut pool, Time::START);
    for number in [1, 2] {
        let (permit, _) = to_connect(&mut pool);
        pool.connected(permit, number, Time::START);
    }
    // A third would be closed as soon as this one came back.
    let out = lent(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    given_back(&mut pool, out, Time::START);
    nothing_to_do(&mut pool);
    assert_eq!(pool.status().idle, 2);
}

#[test]
fn what_is_kept_at_rest_may_rest_longer() {
    let mut pool = resting(|options| options.min_idle = 1);
    at_rest(&mut pool, [], Time::START);
    tick(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    let out = lent(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, Time::START);
    given_back(&mut pool, out, Time::START);
    tick(&mut pool, at(60_000));
    assert_eq!(
        closed_for(&mut pool, at(60_000)),
        (2, Cause::Idle),
        "one too many"
    );
    tick(&mut pool, at(65_000));
    let again = tick_asked(&mut pool).expect("the other may become one too many");
    assert_eq!(again, at(125_000));
    tick(&mut pool, again);
    nothing_to_do(&mut pool);
    assert_eq!(lent(&mut pool, again).connection, 1);
}

#[test]
fn what_others_use_does_not_count_as_at_rest() {
    let mut pool = resting(|options| options.min_idle = 1);
    tick(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    let _out = lent(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, Time::START);
    tick(&mut pool, at(60_000));
    nothing_to_do(&mut pool);
    assert_eq!(
        pool.status().idle,
        1,
        "or another would be opened in its place at once"
    );
}

#[test]
fn nothing_is_opened_ahead_while_connects_fail() {
    for fault in [ConnectFault::Permanent, ConnectFault::Transient] {
        let mut pool = pool_of(|options| options.min_idle = 1);
        tick(&mut pool, Time::START);
        let (permit, _) = to_connect(&mut pool);
        pool.connect_failed(permit, "password", fault, Time::START);
        if let Some(Action::Connect { permit, not_before }) = next_work(&mut pool) {
            assert!(not_before > Time::START, "no haste");
            pool.connect_failed(permit, "password", fault, at(60_000));
        }
        nothing_to_do(&mut pool);
        // Somebody wants one, and it can be opened: then there is one more again.
        let caller = queued(&mut pool, at(60_000));
        let (permit, _) = to_connect(&mut pool);
        nothing_to_do(&mut pool);
        pool.connected(permit, 1, at(60_000));
        let _one = handed(&mut pool, &caller);
        let (permit, _) = to_connect(&mut pool);
        pool.connected(permit, 2, at(60_000));
        assert_eq!(pool.status().idle, 1);
    }
}

fn kept_alive(change: impl FnOnce(&mut Options)) -> Pool {
    pool_of(|options| {
        options.keepalive = Some(millis(10_000));
        change(options);
    })
}

#[test]
fn a_connection_at_rest_is_pinged_as_often_as_told() {
    let mut pool = kept_alive(|_| {});
    at_rest(&mut pool, [1], Time::START);
    let mut pings = Vec::new();
    live_until(&mut pool, at(35_000), |pool, action, now| {
        let Action::Ping(entry) = action else {
            panic!("expected a ping, not {action:?}");
        };
        assert_eq!(
            (pool.status().idle, pool.status().checking),
            (0, 1),
            "reserved"
        );
        pool.pinged(entry, now + millis(3));
        assert_eq!(pool.status().idle, 1);
        pings.push(now);
    });
    assert_eq!(pings, [at(10_000), at(20_003), at(30_006)]);
}

#[test]
fn the_ticks_that_are_asked_for_end_a_rest_in_time_though_it_is_kept_alive() {
    let mut pool = resting(|options| options.keepalive = Some(millis(40_000)));
    at_rest(&mut pool, [1], Time::START);
    let mut done = Vec::new();
    live_until(&mut pool, at(100_000), |pool, action, now| match action {
        Action::Ping(entry) => {
            done.push(("pinged", now));
            pool.pinged(entry, now);
        }
        Action::Close(closing, _) => {
            done.push(("closed", now));
            pool.closed(closing, now);
        }
        other => panic!("expected a ping or a close, not {other:?}"),
    });
    assert_eq!(done, [("pinged", at(40_000)), ("closed", at(60_000))]);
}

#[test]
fn while_one_is_kept_alive_another_serves_and_what_comes_back_serves_who_waits() {
    let mut pool = kept_alive(|options| options.capacity = bounded(1, 1));
    let entries = [1, 2].map(|number| opened(&mut pool, number, Time::START));
    let [one, two] = entries;
    given_back(&mut pool, one, Time::START);
    tick(&mut pool, at(10_000));
    let pinged = to_ping(&mut pool);
    let caller = queued(&mut pool, at(10_000));
    given_back(&mut pool, two, at(10_000));
    assert_eq!(handed(&mut pool, &caller).connection, 2);
    let caller = queued(&mut pool, at(10_000));
    pool.pinged(pinged, at(10_001));
    assert_eq!(handed(&mut pool, &caller).connection, 1);
}

#[test]
fn a_connection_that_gives_no_sign_of_life_at_rest_is_closed() {
    let mut pool = kept_alive(|_| {});
    at_rest(&mut pool, [1, 2], Time::START);
    tick(&mut pool, at(10_000));
    let pinged = to_ping(&mut pool);
    let _other = to_ping(&mut pool);
    let generation = pool.generation();
    pool.ping_failed(pinged, "gone", Fault::Connection, at(10_000));
    assert_eq!(closed_for(&mut pool, at(10_000)), (1, Cause::PingFailed));
    assert_eq!(pool.generation(), generation);
}

#[test]
fn a_sign_of_life_is_no_use() {
    let mut pool = resting(|options| options.keepalive = Some(millis(40_000)));
    at_rest(&mut pool, [1], Time::START);
    tick(&mut pool, at(40_000));
    let pinged = to_ping(&mut pool);
    pool.pinged(pinged, at(40_000));
    tick(&mut pool, at(59_999));
    nothing_to_do(&mut pool);
    let idle = pool.clone();
    tick(&mut pool, at(60_000));
    assert_eq!(closed_for(&mut pool, at(60_000)), (1, Cause::Idle));

    let mut pool = idle;
    let used = lent(&mut pool, at(59_999));
    given_back(&mut pool, used, at(59_999));
    tick(&mut pool, at(60_000));
    nothing_to_do(&mut pool);
}

/// Which of three is lent first when the one that rests for the longest was kept alive meanwhile.
fn lent_after_keepalive(use_lifo: bool) -> u32 {
    let mut pool = kept_alive(|options| {
        (options.use_lifo, options.capacity) = (use_lifo, bounded(3, 0));
    });
    let entries = [1, 2, 3].map(|number| opened(&mut pool, number, Time::START));
    for (entry, rest) in entries.into_iter().zip([0, 5_000, 6_000]) {
        let entry = to_reset(&mut pool, entry, at(rest));
        pool.was_reset(entry, at(rest));
    }
    tick(&mut pool, at(10_000));
    let pinged = to_ping(&mut pool);
    assert_eq!(pinged.connection, 1);
    pool.pinged(pinged, at(10_000));
    lent(&mut pool, at(10_000)).connection
}

#[test]
fn a_sign_of_life_does_not_change_whose_turn_it_is() {
    assert_eq!(lent_after_keepalive(false), 1, "it rests for the longest");
    assert_eq!(lent_after_keepalive(true), 3, "it was used last");
}

#[test]
fn a_suspended_pool_keeps_nothing_alive_but_closes_what_rests_too_long() {
    let mut pool = kept_alive(|options| options.max_idle_time = Some(REST));
    at_rest(&mut pool, [1], Time::START);
    pool.suspend();
    tick(&mut pool, at(10_000));
    let asked = std::iter::from_fn(|| tick_asked(&mut pool)).min();
    assert_eq!(asked, Some(at(10_000)), "the first was for the rest");
    tick(&mut pool, at(60_000));
    assert_eq!(closed_for(&mut pool, at(60_000)), (1, Cause::Idle));
}

fn pinging_after(limit: Duration) -> Pool {
    pool_of(|options| (options.pre_ping, options.ping_after_idle) = (true, Some(limit)))
}

#[test]
fn only_what_rested_for_longer_is_pinged_before_it_is_lent() {
    let mut pool = pinging_after(millis(500));
    at_rest(&mut pool, [1], at(1_000));
    let entry = lent(&mut pool, at(1_500));
    given_back(&mut pool, entry, at(1_500));
    let caller = queued(&mut pool, at(2_001));
    let pinged = to_ping(&mut pool);
    pool.pinged(pinged, at(2_010));
    let entry = handed(&mut pool, &caller);
    given_back(&mut pool, entry, at(2_010));
    assert_eq!(
        lent(&mut pool, at(2_500)).connection,
        1,
        "the ping was a sign of life"
    );
}

#[test]
fn a_sign_of_life_at_rest_saves_the_ping_before_the_lend() {
    let mut pool = pool_of(|options| {
        options.keepalive = Some(millis(10_000));
        (options.pre_ping, options.ping_after_idle) = (true, Some(millis(500)));
    });
    at_rest(&mut pool, [1], Time::START);
    tick(&mut pool, at(10_000));
    let pinged = to_ping(&mut pool);
    pool.pinged(pinged, at(10_000));
    assert_eq!(lent(&mut pool, at(10_500)).connection, 1);
}

#[test]
fn law_4_a_fresh_connection_is_not_lent_past_one_who_waits_for_a_ping() {
    let mut pool = pinging_after(millis(500));
    let [old, fresh] = [1, 2].map(|number| opened(&mut pool, number, Time::START));
    given_back(&mut pool, old, Time::START);
    let fresh = to_reset(&mut pool, fresh, at(900));
    pool.was_reset(fresh, at(900));
    let first = queued(&mut pool, at(1_000));
    let pinged = to_ping(&mut pool);
    let second = queued(&mut pool, at(1_000));
    assert_eq!(handed(&mut pool, &first).connection, 2, "it needs no ping");
    pool.pinged(pinged, at(1_000));
    assert_eq!(handed(&mut pool, &second).connection, 1);
}
