//! Work that takes too long: given up, and closed if it ends after all.

use crate::words::*;

const SECOND: Duration = Duration::from_secs(1);

/// Connects may take 4 seconds, pings 1, resets 2, closes 3.
fn impatient(change: impl FnOnce(&mut Options)) -> Pool {
    pool_of(|options| {
        options.connect_timeout = 4 * SECOND;
        options.ping_timeout = SECOND;
        options.reset_timeout = 2 * SECOND;
        options.close_timeout = 3 * SECOND;
        change(options);
    })
}

/// The earliest tick that was asked for.
fn first_tick(pool: &mut Pool) -> Option<Time> {
    std::iter::from_fn(|| tick_asked(pool)).min()
}

#[test]
fn a_connect_that_hangs_is_a_failure_and_its_place_is_free_for_another() {
    let mut pool = impatient(|options| options.capacity = bounded(1, 0));
    let caller = queued(&mut pool, at(1_000));
    let (hung, _) = to_connect(&mut pool);
    assert_eq!(first_tick(&mut pool), Some(at(5_000)));
    tick(&mut pool, at(4_999));
    nothing_to_do(&mut pool);
    pool.tick(at(5_000), |patience| {
        assert_eq!(patience, 4 * SECOND);
        "hung"
    });
    assert_eq!(pool.last_connect_error(), Some(&("hung", at(5_000))));
    assert_eq!(pool.phase(), Phase::Outage);
    assert_eq!((pool.status().connecting, pool.status().abandoned), (1, 1));
    assert_eq!(pool.snapshot(at(5_000)).connect_errors, 1);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(hung, 1, at(6_000));
    assert_eq!(closed_for(&mut pool, at(6_000)), (1, Cause::Late));
    assert!(answer(&mut pool, &caller).is_none());
    assert_eq!(
        pool.phase(),
        Phase::Connect,
        "though late, the server accepts"
    );
    pool.connected(permit, 2, at(6_000));
    assert_eq!(handed(&mut pool, &caller).connection, 2);
    assert_eq!(pool.status().abandoned, 0);
}

#[test]
fn a_connect_that_was_given_up_and_fails_is_no_second_failure() {
    let mut pool = impatient(|_| {});
    let caller = queued(&mut pool, Time::START);
    let (hung, _) = to_connect(&mut pool);
    tick(&mut pool, at(4_000));
    let (permit, _) = to_connect(&mut pool);
    pool.connect_failed(hung, "password", ConnectFault::Permanent, at(5_000));
    assert!(answer(&mut pool, &caller).is_none());
    assert_eq!(pool.snapshot(at(5_000)).connect_errors, 1);
    assert_eq!(pool.status().abandoned, 0);
    pool.connected(permit, 1, at(5_000));
    assert_eq!(handed(&mut pool, &caller).connection, 1);
}

#[test]
fn in_an_outage_a_probe_that_hangs_does_not_hold_recovery() {
    let mut pool = impatient(|_| {});
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    let (_hung, begins) = to_connect(&mut pool);
    tick(&mut pool, begins + 4 * SECOND);
    let (permit, again) = to_connect(&mut pool);
    assert!(again > begins + 4 * SECOND && again <= begins + 5 * SECOND);
    pool.connected(permit, 1, again);
    assert_eq!(handed(&mut pool, &caller).connection, 1);
}

#[test]
fn a_probe_that_hangs_beyond_the_grace_is_told() {
    let mut pool = impatient(|options| options.outage_grace = 2 * SECOND);
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    let (_hung, begins) = to_connect(&mut pool);
    let over = begins + 4 * SECOND;
    tick(&mut pool, over);
    let why = Refusal::Outage("no answer in time", over);
    assert_eq!(told(&mut pool, &caller), why);
}

#[test]
fn a_ping_that_hangs_condemns_its_generation() {
    let mut pool = impatient(|options| options.pre_ping = true);
    at_rest(&mut pool, [1, 2], Time::START);
    let caller = queued(&mut pool, at(10_000));
    let hung = to_ping(&mut pool);
    let old = hung.generation();
    tick(&mut pool, at(10_999));
    nothing_to_do(&mut pool);
    tick(&mut pool, at(11_000));
    assert!(pool.generation() > old);
    assert_eq!(closed_for(&mut pool, at(11_000)), (2, Cause::Superseded));
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 3, at(11_000));
    assert_eq!(handed(&mut pool, &caller).connection, 3);

    let new = pool.generation();
    pool.ping_failed(hung, "reset", Fault::Server, at(12_000));
    assert_eq!(closed_for(&mut pool, at(12_000)), (1, Cause::Late));
    assert_eq!(pool.generation(), new, "it was condemned before");
    assert_eq!(pool.status().abandoned, 0);
}

#[test]
fn a_ping_that_was_given_up_and_is_answered_brings_nothing_back() {
    let mut pool = impatient(|options| options.pre_ping = true);
    at_rest(&mut pool, [1], Time::START);
    let caller = queued(&mut pool, Time::START);
    let hung = to_ping(&mut pool);
    tick(&mut pool, at(1_000));
    let (permit, _) = to_connect(&mut pool);
    pool.pinged(hung, at(1_001));
    assert_eq!(closed_for(&mut pool, at(1_001)), (1, Cause::Late));
    assert!(answer(&mut pool, &caller).is_none());
    pool.connected(permit, 2, at(1_001));
    assert_eq!(handed(&mut pool, &caller).connection, 2);
}

#[test]
fn two_pings_that_hang_condemn_their_generation_once() {
    let mut pool = impatient(|options| options.pre_ping = true);
    at_rest(&mut pool, [1, 2], Time::START);
    let _callers = [0, 0].map(|_| queued(&mut pool, Time::START));
    let _hung = [to_ping(&mut pool), to_ping(&mut pool)];
    let old = pool.generation();
    tick(&mut pool, at(1_000));
    let new = pool.generation();
    assert!(new > old);
    tick(&mut pool, at(2_000));
    assert_eq!(pool.generation(), new);
}

#[test]
fn a_reset_that_hangs_loses_its_connection_only() {
    let mut pool = impatient(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    let hung = to_reset(&mut pool, entry, at(1_000));
    let caller = queued(&mut pool, at(1_000));
    let generation = pool.generation();
    tick(&mut pool, at(2_999));
    nothing_to_do(&mut pool);
    tick(&mut pool, at(3_000));
    assert_eq!(pool.generation(), generation);
    assert_eq!(pool.status().abandoned, 1);
    let (permit, _) = to_connect(&mut pool);
    pool.was_reset(hung, at(3_500));
    assert_eq!(closed_for(&mut pool, at(3_500)), (1, Cause::Late));
    pool.connected(permit, 2, at(3_500));
    assert_eq!(handed(&mut pool, &caller).connection, 2);
}

#[test]
fn a_reset_that_was_given_up_and_fails_is_late_whatever_the_fault() {
    let mut pool = impatient(|_| {});
    let entry = opened(&mut pool, 1, Time::START);
    let hung = to_reset(&mut pool, entry, Time::START);
    tick(&mut pool, at(2_000));
    let generation = pool.generation();
    pool.invalidated(hung, Fault::Server, at(3_000));
    assert_eq!(closed_for(&mut pool, at(3_000)), (1, Cause::Late));
    assert_eq!(pool.generation(), generation);
}

#[test]
fn a_close_that_hangs_leaves_its_place_to_the_next() {
    let mut pool = impatient(|options| options.capacity = bounded(2, 0));
    let entries = [1, 2].map(|number| opened(&mut pool, number, Time::START));
    let [one, _two] = entries;
    pool.invalidated(one, Fault::Connection, at(1_000));
    let Some(Action::Close(hung, 1)) = next_work(&mut pool) else {
        panic!("it is lost");
    };
    let caller = queued(&mut pool, at(1_000));
    tick(&mut pool, at(3_999));
    nothing_to_do(&mut pool);
    tick(&mut pool, at(4_000));
    let (permit, _) = to_connect(&mut pool);
    assert_eq!((pool.status().closing, pool.status().abandoned), (0, 1));
    pool.closed(hung, at(9_000));
    assert_eq!(pool.status().abandoned, 0);
    pool.connected(permit, 3, at(9_000));
    assert_eq!(handed(&mut pool, &caller).connection, 3);
    let _no_place = queued(&mut pool, at(9_000));
    nothing_to_do(&mut pool);
}

/// A driver that hangs for ever would take all threads otherwise.
#[test]
fn what_hangs_is_bounded() {
    let mut pool = impatient(|options| options.capacity = bounded(3, 0));
    let mut hung = Vec::new();
    for second in 0..100 {
        let now = at(second * 1_000);
        while let Some(action) = next_work(&mut pool) {
            match action {
                Action::Connect { permit, .. } => hung.push(permit),
                Action::Wake(_) => {}
                other => panic!("expected a connect, not {other:?}"),
            }
        }
        tick(&mut pool, now);
        let _suffers = pool.checkout(Borrower::here(), &now);
    }
    // More than a few, so that a small pool recovers from a few; but not without end.
    assert!((10..13).contains(&hung.len()), "{} hang", hung.len());
    assert_eq!(pool.phase(), Phase::Hanging);
    assert!(matches!(
        refused(&mut pool, at(100_000)),
        Refusal::Outage(..)
    ));
    let late = hung.remove(0);
    pool.connect_failed(late, "refused", ConnectFault::Transient, at(100_000));
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, at(100_000));
    assert_eq!(lent(&mut pool, at(100_000)).connection, 1);
}

#[test]
fn what_ends_in_time_is_not_given_up() {
    let mut pool = impatient(|options| options.pre_ping = true);
    let entry = opened(&mut pool, 1, Time::START);
    let entry = to_reset(&mut pool, entry, Time::START);
    pool.was_reset(entry, at(500));
    let caller = queued(&mut pool, at(500));
    let entry = to_ping(&mut pool);
    pool.pinged(entry, at(1_000));
    let generation = pool.generation();
    tick(&mut pool, at(100_000));
    assert_eq!(
        (pool.generation(), pool.status().abandoned),
        (generation, 0)
    );
    assert_eq!(handed(&mut pool, &caller).connection, 1);
}

#[test]
fn the_tick_for_what_hangs_is_asked_for_again_until_all_is_given_up() {
    let mut pool = impatient(|options| options.capacity = bounded(3, 0));
    let one = opened(&mut pool, 1, Time::START);
    let two = opened(&mut pool, 2, Time::START);
    let _connect = queued(&mut pool, Time::START);
    let _hung = to_reset(&mut pool, one, Time::START);
    pool.invalidated(two, Fault::Connection, Time::START);
    assert!(next_work(&mut pool).is_some());
    while pool.next_action().is_some() {}
    let mut ticks = Vec::new();
    let mut next = Some(at(2_000));
    while let Some(now) = next.filter(|now| *now < at(4_500)) {
        tick(&mut pool, now);
        ticks.push((now, pool.status().abandoned));
        next = std::iter::from_fn(|| pool.next_action())
            .filter_map(|action| match action {
                Action::TickAt(at) => Some(at),
                _ => None,
            })
            .min();
    }
    assert_eq!(ticks, [(at(2_000), 1), (at(3_000), 2), (at(4_000), 3)]);
}

#[test]
fn patience_without_end_asks_for_no_tick() {
    let mut pool = pool_of(|options| options.connect_timeout = Duration::MAX);
    let _caller = queued(&mut pool, at(1));
    let Some(Action::Connect { .. }) = pool.next_action() else {
        panic!("somebody waits");
    };
    assert_eq!(tick_asked(&mut pool), None);
}

#[test]
fn a_connection_lost_in_a_reset_that_hangs_is_no_hope_in_an_outage() {
    let mut pool = impatient(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    let _hung = to_reset(&mut pool, entry, Time::START);
    let caller = queued(&mut pool, at(1_000));
    tick(&mut pool, at(2_000));
    let (mut permit, mut now) = to_connect(&mut pool);
    while answer(&mut pool, &caller).is_none() {
        assert!(now < at(20_000), "nobody is told");
        now = now.max(at(2_000));
        transient(&mut pool, permit, now);
        (permit, now) = to_connect(&mut pool);
    }
    assert!(now >= at(7_000), "not before the grace is over");
}
