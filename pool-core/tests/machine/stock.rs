//! Waiting for what `min_idle` opens ahead, and taking what is there untested.

use crate::words::*;

fn stocking() -> Pool {
    let mut pool = pool_of(|options| options.min_idle = 2);
    tick(&mut pool, Time::START);
    pool
}

fn woken(pool: &mut Pool) -> Waker {
    match next_work(pool) {
        Some(Action::Wake(waker)) => waker,
        other => panic!("expected somebody to be woken, not {other:?}"),
    }
}

#[test]
fn who_waits_for_min_idle_is_woken_at_each_connect_and_hears_when_all_are_there() {
    let mut pool = stocking();
    let permits = [(); 2].map(|()| to_connect(&mut pool).0);
    let bell = bell();
    for (connection, permit) in (1..).zip(permits) {
        assert!(!pool.is_stocked(&mut Some(bell.clone()), Time::START));
        pool.connected(permit, connection, Time::START);
        assert!(woken(&mut pool).will_wake(&bell));
    }
    let mut kept = Some(bell);
    assert!(pool.is_stocked(&mut kept, Time::START));
    assert!(kept.is_some(), "nobody needs it");
    nothing_to_do(&mut pool);
}

#[test]
fn connections_that_others_have_count_as_there() {
    let mut pool = stocking();
    for connection in [1, 2] {
        let (permit, _) = to_connect(&mut pool);
        pool.connected(permit, connection, Time::START);
    }
    let _out = lent(&mut pool, Time::START);
    assert!(pool.is_stocked(&mut None, Time::START));
}

#[test]
fn who_asks_often_is_woken_once() {
    let mut pool = stocking();
    let _permits = [(); 2].map(|()| to_connect(&mut pool));
    let bell = bell();
    for _ in 0..10 {
        assert!(!pool.is_stocked(&mut Some(bell.clone()), Time::START));
    }
    pool.shut_down(Time::START);
    assert!(woken(&mut pool).will_wake(&bell));
    nothing_to_do(&mut pool);
}

#[test]
fn a_closed_pool_keeps_nobody_waiting_for_min_idle() {
    let mut pool = stocking();
    let bell = bell();
    assert!(!pool.is_stocked(&mut Some(bell.clone()), Time::START));
    pool.shut_down(Time::START);
    while !matches!(next_work(&mut pool), Some(Action::Wake(_))) {}
    assert!(pool.is_stocked(&mut None, Time::START));
}

/// Two minutes, in which nobody but that one asks.
#[test]
fn the_attempts_of_an_outage_go_on_for_who_waits_for_min_idle() {
    let mut pool = pool_of(|options| {
        (options.min_idle, options.outage_grace) = (2, Duration::MAX);
    });
    tick(&mut pool, Time::START);
    let (first, _) = to_connect(&mut pool);
    let (mut permit, mut now) = to_connect(&mut pool);
    transient(&mut pool, first, Time::START);
    while now < at(120_000) {
        let bell = bell();
        assert!(!pool.is_stocked(&mut Some(bell.clone()), now));
        transient(&mut pool, permit, now);
        assert!(woken(&mut pool).will_wake(&bell));
        (permit, now) = to_connect(&mut pool);
    }
    pool.connected(permit, 1, now);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, now);
    assert!(pool.is_stocked(&mut None, now));
}

/// However long callers would wait.
#[test]
fn the_attempts_of_an_outage_end_when_nobody_asks_for_a_minute() {
    let mut pool = pool_of(|options| options.outage_grace = Duration::MAX);
    let caller = queued(&mut pool, Time::START);
    let (mut permit, mut now) = to_connect(&mut pool);
    transient(&mut pool, permit, now);
    pool.withdraw(&caller, now);
    (permit, now) = to_connect(&mut pool);
    let last = loop {
        transient(&mut pool, permit, now);
        match next_work(&mut pool) {
            Some(Action::Connect {
                permit: next,
                not_before,
            }) => (permit, now) = (next, not_before),
            None => break now,
            other => panic!("expected a connect, not {other:?}"),
        }
    };
    assert!(last >= at(60_000) && last <= at(61_000), "{last:?}");
    let _caller = queued(&mut pool, at(90_000));
    let _again = to_connect(&mut pool);
}

#[test]
fn what_is_due_for_a_ping_can_be_had_untested() {
    let mut pool = pinging();
    at_rest(&mut pool, [1], Time::START);
    assert!(pool.try_checkout(Borrower::here(), at(1)).is_none());
    let taken = pool.try_checkout_untested(Borrower::here(), at(1));
    assert_eq!(taken.expect("it is at rest").connection, 1);
    assert!(
        pool.try_checkout_untested(Borrower::here(), at(1))
            .is_none()
    );
    nothing_to_do(&mut pool);
}

#[test]
fn what_is_too_old_is_not_had_untested() {
    let mut pool = pool_of(|options| options.recycle = Some(millis(10)));
    at_rest(&mut pool, [1], Time::START);
    assert!(
        pool.try_checkout_untested(Borrower::here(), at(11))
            .is_none()
    );
    assert_eq!(closed_for(&mut pool, at(11)), (1, Cause::Recycled));
}

#[test]
fn what_is_taken_untested_is_replaced_when_so_many_are_to_rest() {
    let mut pool = stocking();
    for connection in [1, 2] {
        let (permit, _) = to_connect(&mut pool);
        pool.connected(permit, connection, Time::START);
    }
    pool.resize(bounded(3, 0), Time::START)
        .expect("a good size");
    let _out = pool.try_checkout_untested(Borrower::here(), Time::START);
    let _replacement = to_connect(&mut pool);
}

#[test]
fn nothing_is_had_untested_past_who_waits_for_it() {
    let mut pool = pinging();
    at_rest(&mut pool, [1, 2], Time::START);
    let _caller = queued(&mut pool, at(1));
    let _pinged = to_ping(&mut pool);
    let other = pool.try_checkout_untested(Borrower::here(), at(1));
    assert_eq!(other.expect("nobody waits for it").connection, 2);
    assert!(
        pool.try_checkout_untested(Borrower::here(), at(1))
            .is_none()
    );
}

#[test]
fn nothing_is_had_untested_of_a_pool_that_is_suspended_or_closed() {
    let mut pool = pinging();
    at_rest(&mut pool, [1], Time::START);
    pool.suspend();
    assert!(
        pool.try_checkout_untested(Borrower::here(), at(1))
            .is_none()
    );
    let _unattended = queued(&mut pool, at(1));
    pool.resume(at(1));
    let _pinged = to_ping(&mut pool);
    pool.shut_down(at(1));
    assert!(
        pool.try_checkout_untested(Borrower::here(), at(1))
            .is_none()
    );
}
