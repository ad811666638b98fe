//! The pool's numbers.

use crate::words::*;

#[test]
fn the_status_line_is_sqlalchemys() {
    let mut pool = pool_of(|_| {});
    let line = "Pool size: 2  Connections in pool: 0 Current Overflow: -2 Current Checked out connections: 0";
    assert_eq!(pool.status().to_string(), line);
    let _out = opened(&mut pool, 1, Time::START);
    let line = "Pool size: 2  Connections in pool: 0 Current Overflow: -1 Current Checked out connections: 1";
    assert_eq!(pool.status().to_string(), line);
    let unlimited = pool_of(|options| options.capacity = Capacity::Unlimited);
    assert_eq!(
        (unlimited.status().size, unlimited.status().overflow),
        (0, 0)
    );
}

/// What SQLAlchemy's `test_queuepool_close` looks at.
fn counters(pool: &Pool) -> (usize, usize, i64, usize) {
    let status = pool.status();
    (
        status.size,
        status.idle,
        status.overflow,
        status.checked_out,
    )
}

#[test]
fn the_counters_are_those_of_sqlalchemy() {
    let mut pool = pool_of(|options| options.capacity = Capacity::Growing { size: 3 });
    let now = Time::START;
    let mut out = Vec::new();
    for (number, overflow) in (1..=6).zip(-2..=3) {
        out.push(opened(&mut pool, number, now));
        assert_eq!(counters(&pool), (3, 0, overflow, number as usize));
    }
    for entry in out.drain(..3) {
        given_back(&mut pool, entry, now);
    }
    assert_eq!(counters(&pool), (3, 3, 3, 3));
    for entry in out.drain(..) {
        given_back(&mut pool, entry, now);
        closed(&mut pool, now);
    }
    assert_eq!(counters(&pool), (3, 3, 0, 0));
    let first = lent(&mut pool, now);
    let second = lent(&mut pool, now);
    given_back(&mut pool, first, now);
    assert_eq!(counters(&pool), (3, 2, 0, 1));
    given_back(&mut pool, second, now);
}

#[test]
fn a_snapshot_counts_what_happened() {
    let mut pool = pool_of(|options| {
        (options.capacity, options.measure_use) = (bounded(1, 1), true);
    });
    assert_eq!(pool.snapshot(Time::START).oldest_wait, None);
    let entry = opened(&mut pool, 1, Time::START);
    let other = opened(&mut pool, 2, Time::START);
    let first = queued(&mut pool, at(1_000));
    let second = queued(&mut pool, at(2_000));
    assert_eq!(pool.snapshot(at(2_500)).oldest_wait, Some(millis(1_500)));
    pool.timed_out(&first, at(3_000));
    assert_eq!(pool.snapshot(at(3_000)).oldest_wait, Some(millis(1_000)));
    given_back(&mut pool, entry, at(4_000));
    let entry = handed(&mut pool, &second);
    pool.invalidated(entry, Fault::Connection, at(5_000));
    assert_eq!(closed(&mut pool, at(5_000)), 1);
    given_back(&mut pool, other, at(6_000));
    let again = lent(&mut pool, at(6_000));
    given_back(&mut pool, again, at(6_003));
    let snapshot = pool.snapshot(at(7_000));
    assert_eq!(
        (snapshot.checkouts, snapshot.timeouts, snapshot.opened),
        (4, 1, 2)
    );
    assert_eq!((snapshot.connect_errors, snapshot.oldest_wait), (0, None));
    assert_eq!(
        (
            snapshot.closed(Cause::Invalidated),
            snapshot.closed_in_all()
        ),
        (1, 1)
    );
    assert_eq!(
        (snapshot.waits.count(), snapshot.waits.sum()),
        (3, millis(2_000))
    );
    assert_eq!(
        (snapshot.uses.count(), snapshot.uses.sum()),
        (3, millis(10_003))
    );
    assert_eq!(snapshot.status, pool.status());
}

#[test]
fn uses_are_measured_only_if_asked_for() {
    let mut pool = pool_of(|options| options.leak_after = Some(GRACE));
    let entry = opened(&mut pool, 1, Time::START);
    let entry = to_reset(&mut pool, entry, at(1_000));
    pool.was_reset(entry, at(1_000));
    assert_eq!(pool.snapshot(at(1_000)).uses.count(), 0);
}

#[test]
fn every_close_is_counted_under_its_cause() {
    let mut pool = pool_of(|options| {
        (options.capacity, options.recycle) = (bounded(1, 1), Some(GRACE));
        options.recycle_jitter = 0;
    });
    let now = Time::START;
    let [surplus, old] = [1, 2].map(|number| opened(&mut pool, number, now));
    given_back(&mut pool, old, now);
    given_back(&mut pool, surplus, now);
    assert_eq!(closed_for(&mut pool, now), (1, Cause::Surplus));
    let gone = queued(&mut pool, at(5_001));
    assert_eq!(closed_for(&mut pool, at(5_001)), (2, Cause::Recycled));
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 3, at(5_001));
    let entry = handed(&mut pool, &gone);
    let entry = to_reset(&mut pool, entry, at(5_001));
    pool.invalidated(entry, Fault::Connection, at(5_001));
    assert_eq!(closed_for(&mut pool, at(5_001)), (3, Cause::ResetFailed));
    let snapshot = pool.snapshot(at(6_000));
    for cause in Cause::ALL {
        let happened = [Cause::Surplus, Cause::Recycled, Cause::ResetFailed].contains(&cause);
        assert_eq!(snapshot.closed(cause), u64::from(happened), "{cause:?}");
    }
    assert_eq!(snapshot.closed_in_all(), 3);
}

#[test]
fn a_connect_error_is_counted_and_kept_until_one_succeeds() {
    let mut pool = pool_of(|_| {});
    let _caller = queued(&mut pool, at(1));
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, at(2));
    assert_eq!(pool.last_connect_error(), Some(&("refused", at(2))));
    let (permit, _) = to_connect(&mut pool);
    pool.connect_failed(permit, "password", ConnectFault::Permanent, at(20));
    assert_eq!(pool.last_connect_error(), Some(&("password", at(20))));
    assert_eq!(pool.snapshot(at(20)).connect_errors, 2);
}
