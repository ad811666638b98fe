//! Connections that are replaced where they rest (`renew_at_rest`).

use crate::words::*;

const AGE: Duration = Duration::from_secs(60);
const REST: Duration = Duration::from_secs(10);

/// Two are to be at rest, no connection older than a minute.
fn renewing(change: impl FnOnce(&mut Options)) -> Pool {
    pool_of(|options| {
        options.min_idle = 2;
        options.renew_at_rest = true;
        options.recycle_jitter = 0;
        change(options);
    })
}

/// Does what is to be done until `end`: when each connection was closed, and why.
fn closings(pool: &mut Pool, end: Time) -> Vec<(Time, u32, Cause)> {
    let mut closings = Vec::new();
    let mut connections = 0;
    live_until(pool, end, |pool, action, now| match action {
        Action::Connect { permit, .. } => {
            connections += 1;
            pool.connected(permit, connections, now);
        }
        Action::Close(closing, connection) => {
            closings.push((now, connection, closing.cause()));
            pool.closed(closing, now);
        }
        other => panic!("expected connects and closes, not {other:?}"),
    });
    closings
}

#[test]
fn what_rested_for_long_is_replaced_though_so_many_are_to_rest() {
    let mut pool = renewing(|options| options.max_idle_time = Some(REST));
    let closed = closings(&mut pool, at(25_000));
    let idle = |millis, connection| (at(millis), connection, Cause::Idle);
    let rounds = [(10_000, 1), (10_000, 2), (20_000, 3), (20_000, 4)];
    assert_eq!(closed, rounds.map(|(time, which)| idle(time, which)));
    assert_eq!(pool.status().idle, 2);
}

#[test]
fn what_grew_old_is_replaced_where_it_rests() {
    let mut pool = renewing(|options| options.recycle = Some(AGE));
    let closed = closings(&mut pool, at(70_000));
    let old = |connection| (at(60_000), connection, Cause::Recycled);
    assert_eq!(closed, [1, 2].map(old));
    assert_eq!(pool.status().idle, 2);
}

#[test]
fn without_renewal_what_grew_old_rests_until_it_would_be_lent() {
    let mut pool = renewing(|options| {
        options.recycle = Some(AGE);
        options.renew_at_rest = false;
    });
    assert_eq!(closings(&mut pool, at(70_000)), []);
}

#[test]
fn without_min_idle_what_grew_old_is_closed_and_none_is_opened_for_it() {
    let mut pool = renewing(|options| {
        options.min_idle = 0;
        options.recycle = Some(AGE);
    });
    at_rest(&mut pool, [1], Time::START);
    tick(&mut pool, at(60_000));
    assert_eq!(closed_for(&mut pool, at(60_000)), (1, Cause::Recycled));
    nothing_to_do(&mut pool);
}

/// Whatever comes between, there is a tick at the end of each connection's time.
#[test]
fn one_that_is_out_meanwhile_is_closed_in_time_if_it_is_back() {
    let mut pool = renewing(|options| {
        (options.min_idle, options.recycle) = (0, Some(AGE));
        options.max_idle_time = Some(AGE * 10);
    });
    let entry = opened(&mut pool, 1, Time::START);
    tick(&mut pool, at(30_000));
    let mut asked = Vec::new();
    while let Some(time) = tick_asked(&mut pool) {
        asked.push(time);
    }
    assert!(asked.contains(&at(60_000)), "{asked:?}");
    given_back(&mut pool, entry, at(59_000));
    tick(&mut pool, at(59_999));
    assert_eq!(pool.status().idle, 1);
    tick(&mut pool, at(60_000));
    assert_eq!(closed_for(&mut pool, at(60_000)), (1, Cause::Recycled));
}

/// Nobody told the pool of the time while it was out.
#[test]
fn what_was_in_use_for_long_has_not_rested_meanwhile() {
    let mut pool = renewing(|options| {
        (options.min_idle, options.max_idle_time) = (0, Some(REST));
    });
    let entry = opened(&mut pool, 1, Time::START);
    given_back(&mut pool, entry, at(30_000));
    tick(&mut pool, at(39_999));
    nothing_to_do(&mut pool);
    tick(&mut pool, at(40_000));
    assert_eq!(closed_for(&mut pool, at(40_000)), (1, Cause::Idle));
}

#[test]
fn a_tick_is_asked_for_when_a_new_connection_will_be_too_old() {
    let mut pool = renewing(|options| (options.min_idle, options.recycle) = (0, Some(REST)));
    let ticket = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    while tick_asked(&mut pool).is_some() {}
    pool.connected(permit, 1, Time::START);
    let _out = handed(&mut pool, &ticket);
    assert_eq!(tick_asked(&mut pool), Some(at(10_000)));
}
