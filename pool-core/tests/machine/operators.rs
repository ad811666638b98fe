//! What an operator asks of a pool: another size, a pause, an end.

use crate::words::*;

#[test]
fn a_larger_size_serves_who_waits() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let _out = opened(&mut pool, 1, Time::START);
    let callers = [0, 0, 0].map(|_| queued(&mut pool, Time::START));
    nothing_to_do(&mut pool);
    pool.resize(bounded(2, 1), Time::START)
        .expect("a good size");
    for (caller, number) in callers.iter().zip([2, 3]) {
        let (permit, _) = to_connect(&mut pool);
        pool.connected(permit, number, Time::START);
        assert_eq!(handed(&mut pool, caller).connection, number);
    }
    nothing_to_do(&mut pool);
    assert_eq!(pool.options().capacity, bounded(2, 1));
    assert_eq!(pool.status().size, 2);
}

/// deadpool's and mobc's defect: connections in use come back and stay.
#[test]
fn a_smaller_size_closes_what_rests_now_and_what_is_lent_when_it_comes_back() {
    let mut pool = pool_of(|options| options.capacity = bounded(4, 0));
    let [one, two, three, four] = [1, 2, 3, 4].map(|at| opened(&mut pool, at, Time::START));
    given_back(&mut pool, one, Time::START);
    pool.resize(bounded(2, 0), Time::START)
        .expect("a good size");
    assert_eq!(closed_for(&mut pool, Time::START), (1, Cause::Surplus));
    let caller = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    given_back(&mut pool, two, Time::START);
    assert_eq!(closed_for(&mut pool, Time::START), (2, Cause::Surplus));
    assert!(answer(&mut pool, &caller).is_none(), "two are still out");
    given_back(&mut pool, three, Time::START);
    let three = handed(&mut pool, &caller);
    given_back(&mut pool, three, Time::START);
    given_back(&mut pool, four, Time::START);
    nothing_to_do(&mut pool);
    assert_eq!(pool.status().idle, 2);
}

#[test]
fn a_smaller_size_keeps_less_at_rest_though_as_many_may_be_open() {
    let mut pool = pool_of(|options| options.capacity = bounded(3, 0));
    at_rest(&mut pool, [1, 2, 3], Time::START);
    pool.resize(bounded(1, 2), Time::START)
        .expect("a good size");
    assert_eq!(closed(&mut pool, Time::START), 1);
    assert_eq!(closed(&mut pool, Time::START), 2);
    assert_eq!(lent(&mut pool, Time::START).connection, 3);
}

#[test]
fn a_connection_opened_for_a_larger_size_is_surplus() {
    let mut pool = pool_of(|options| options.capacity = bounded(2, 0));
    let _out = opened(&mut pool, 1, Time::START);
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.resize(bounded(1, 0), Time::START)
        .expect("a good size");
    pool.connected(permit, 2, Time::START);
    assert_eq!(closed_for(&mut pool, Time::START), (2, Cause::Surplus));
    assert!(answer(&mut pool, &caller).is_none());
    nothing_to_do(&mut pool);
}

#[test]
fn a_size_that_no_pool_can_have_changes_nothing() {
    let mut pool = pool_of(|options| options.min_idle = 2);
    for size in [bounded(0, 0), bounded(1, 5)] {
        let error = pool
            .resize(size, Time::START)
            .expect_err("out of its range");
        assert!(["pool_size", "pool_min_idle"].contains(&error.option()));
    }
    assert_eq!(pool.options().capacity, bounded(2, 1));
    assert_eq!(pool.status().size, 2);
}

#[test]
fn a_plain_return_after_a_resize_looks_at_the_new_size() {
    let mut pool = pool_of(|_| {});
    let [one, two] = [1, 2].map(|at| opened(&mut pool, at, Time::START));
    pool.resize(bounded(1, 0), Time::START)
        .expect("a good size");
    given_back(&mut pool, one, Time::START);
    assert_eq!(closed(&mut pool, Time::START), 1);
    pool.resize(bounded(2, 0), Time::START)
        .expect("a good size");
    let other = opened(&mut pool, 3, Time::START);
    given_back(&mut pool, two, Time::START);
    given_back(&mut pool, other, Time::START);
    nothing_to_do(&mut pool);
    assert_eq!(pool.status().idle, 2);
}

#[test]
fn a_suspended_pool_makes_all_wait_until_it_is_resumed() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1], Time::START);
    let out = lent(&mut pool, Time::START);
    pool.suspend();
    let first = queued(&mut pool, Time::START);
    let second = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    assert_eq!(pool.phase(), Phase::Suspended);
    assert!(pool.try_checkout(Borrower::here(), Time::START).is_none());
    given_back(&mut pool, out, Time::START);
    assert_eq!(pool.status().idle, 1);
    nothing_to_do(&mut pool);
    pool.resume(Time::START);
    assert_eq!(handed(&mut pool, &first).connection, 1);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, Time::START);
    assert_eq!(handed(&mut pool, &second).connection, 2);
    assert_eq!(pool.phase(), Phase::Queue);
}

#[test]
fn what_is_opened_while_suspended_rests_until_the_pool_is_resumed() {
    let mut pool = pool_of(|options| options.pre_ping = true);
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.suspend();
    pool.connected(permit, 1, Time::START);
    nothing_to_do(&mut pool);
    assert!(answer(&mut pool, &caller).is_none());
    pool.resume(Time::START);
    let pinged = to_ping(&mut pool);
    pool.pinged(pinged, Time::START);
    let entry = handed(&mut pool, &caller);

    let caller = queued(&mut pool, Time::START);
    let _permit = to_connect(&mut pool);
    pool.suspend();
    given_back(&mut pool, entry, Time::START);
    nothing_to_do(&mut pool);
    assert!(answer(&mut pool, &caller).is_none());
}

#[test]
fn nothing_is_opened_ahead_while_suspended() {
    let mut pool = pool_of(|options| options.min_idle = 1);
    pool.suspend();
    tick(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    pool.resume(Time::START);
    let _ahead = to_connect(&mut pool);
}

fn woken(pool: &mut Pool) -> Waker {
    match next_work(pool) {
        Some(Action::Wake(waker)) => waker,
        other => panic!("expected a waker, not {other:?}"),
    }
}

#[test]
fn a_pool_that_is_shut_down_tells_who_waits_and_closes_what_rests_and_what_comes_back() {
    let mut pool = pool_of(|options| options.capacity = bounded(2, 0));
    let [one, two] = [1, 2].map(|at| opened(&mut pool, at, Time::START));
    given_back(&mut pool, one, Time::START);
    pool.suspend();
    let caller = queued(&mut pool, Time::START);
    let bell = bell();
    assert!(pool.collect(&caller, &mut Some(bell.clone())).is_none());
    pool.shut_down(Time::START);
    assert!(woken(&mut pool).will_wake(&bell));
    assert_eq!(told(&mut pool, &caller), Refusal::Closed);
    assert_eq!(closed_for(&mut pool, Time::START), (1, Cause::Closed));
    assert_eq!(refused(&mut pool, Time::START), Refusal::Closed);
    assert!(pool.try_checkout(Borrower::here(), Time::START).is_none());
    assert!(
        pool.given_back(two, Residue::Open, &Time::START).is_none(),
        "no reset"
    );
    assert_eq!(closed_for(&mut pool, Time::START), (2, Cause::Closed));
    pool.resume(Time::START);
    nothing_to_do(&mut pool);
}

#[test]
fn who_waits_for_the_end_is_woken_when_the_last_connection_is_closed() {
    let mut pool = pool_of(|_| {});
    let entry = opened(&mut pool, 1, Time::START);
    let [early, late] = [bell(), bell()];
    assert!(!pool.is_drained(&mut Some(early.clone())));
    pool.shut_down(Time::START);
    let mut kept = Some(late.clone());
    assert!(!pool.is_drained(&mut kept));
    assert!(kept.is_none(), "it is kept by the pool");
    given_back(&mut pool, entry, Time::START);
    let Some(Action::Close(closing, _)) = next_work(&mut pool) else {
        panic!("it is closed");
    };
    nothing_to_do(&mut pool);
    pool.closed(closing, Time::START);
    assert!(woken(&mut pool).will_wake(&early));
    assert!(woken(&mut pool).will_wake(&late));
    nothing_to_do(&mut pool);
    let mut kept = Some(early);
    assert!(pool.is_drained(&mut kept));
    assert!(kept.is_some(), "nobody needs it");
}

#[test]
fn an_empty_pool_that_is_shut_down_is_drained_at_once() {
    let mut pool = pool_of(|_| {});
    let bell = bell();
    assert!(!pool.is_drained(&mut Some(bell.clone())));
    pool.shut_down(Time::START);
    assert!(woken(&mut pool).will_wake(&bell));
    assert!(pool.is_drained(&mut None));
}

#[test]
fn a_close_that_hangs_does_not_hold_the_end() {
    let mut pool = pool_of(|options| options.close_timeout = GRACE);
    at_rest(&mut pool, [1], Time::START);
    pool.shut_down(Time::START);
    let bell = bell();
    assert!(!pool.is_drained(&mut Some(bell.clone())));
    let Some(Action::Close(_hung, 1)) = next_work(&mut pool) else {
        panic!("it is closed");
    };
    tick(&mut pool, at(5_000));
    assert!(woken(&mut pool).will_wake(&bell));
}

/// Whoever polls again leaves its waker once.
#[test]
fn who_asks_for_the_end_often_is_woken_once() {
    let mut pool = pool_of(|_| {});
    let bell = bell();
    for _ in 0..10 {
        assert!(!pool.is_drained(&mut Some(bell.clone())));
    }
    pool.shut_down(Time::START);
    assert!(woken(&mut pool).will_wake(&bell));
    nothing_to_do(&mut pool);
}

#[test]
fn what_is_detached_leaves_its_place_at_once() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    let caller = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    assert_eq!(pool.detached(entry, Time::START), 1);
    assert_eq!((pool.status().checked_out, pool.holders().count()), (0, 0));
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, Time::START);
    assert_eq!(handed(&mut pool, &caller).connection, 2);
    assert_eq!(
        pool.snapshot(Time::START).closed_in_all(),
        0,
        "it is the user's to close"
    );
}

/// While a connection is out it may come back, and who waits for it is not refused.
#[test]
fn what_is_detached_is_no_hope_in_an_outage() {
    let mut pool = pool_of(|_| {});
    let entry = opened(&mut pool, 1, Time::START);
    let caller = queued(&mut pool, Time::START);
    let (permit, now) = outage_until(&mut pool, at(5_500));
    assert!(answer(&mut pool, &caller).is_none());
    let _the_users = pool.detached(entry, now);
    transient(&mut pool, permit, now);
    assert!(matches!(told(&mut pool, &caller), Refusal::Outage(..)));
}

#[test]
fn a_pool_that_forgets_hands_over_what_rests_and_closes_what_comes_back() {
    let mut pool = pool_of(|_| {});
    let [one, two, three] = [1, 2, 3].map(|at| opened(&mut pool, at, Time::START));
    given_back(&mut pool, one, Time::START);
    given_back(&mut pool, two, Time::START);
    let generation = pool.generation();
    assert_eq!(pool.forget(Time::START), [1, 2]);
    nothing_to_do(&mut pool);
    assert!(pool.generation() > generation);
    given_back(&mut pool, three, Time::START);
    assert_eq!(closed_for(&mut pool, Time::START), (3, Cause::Superseded));
    assert_eq!((pool.status().idle, pool.status().checked_out), (0, 0));
}

#[test]
fn a_pool_that_forgets_opens_nothing_in_vain() {
    let mut pool = pool_of(|options| options.min_idle = 1);
    tick(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    assert_eq!(pool.forget(Time::START), [1]);
    let (permit, _) = to_connect(&mut pool);
    nothing_to_do(&mut pool);
    pool.connected(permit, 2, Time::START);
    assert_eq!(pool.status().idle, 1, "it is of the new generation");
}

#[test]
fn what_rests_and_is_dead_is_condemned() {
    let mut pool = pool_of(|options| options.capacity = bounded(3, 0));
    at_rest(&mut pool, [1, 2, 3], Time::START);
    pool.condemn(|connection| *connection == 2, Time::START);
    assert_eq!(closed_for(&mut pool, Time::START), (2, Cause::Superseded));
    nothing_to_do(&mut pool);
    assert_eq!(lent(&mut pool, Time::START).connection, 1);
    assert_eq!(lent(&mut pool, Time::START).connection, 3);
}

#[test]
fn what_was_condemned_is_replaced_when_so_many_are_to_be_at_rest() {
    let mut pool = pool_of(|options| options.min_idle = 1);
    tick(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    pool.condemn(|_| true, Time::START);
    assert!(matches!(next_work(&mut pool), Some(Action::Close(_, 1))));
    let _ahead = to_connect(&mut pool);
}

#[test]
fn what_is_spent_is_used_on_and_closed_when_it_comes_back() {
    let mut pool = pool_of(|_| {});
    let entry = opened(&mut pool, 1, Time::START);
    pool.spent(&entry);
    nothing_to_do(&mut pool);
    given_back(&mut pool, entry, Time::START);
    assert_eq!(closed_for(&mut pool, Time::START), (1, Cause::Invalidated));
    let entry = opened(&mut pool, 2, Time::START);
    given_back(&mut pool, entry, Time::START);
    nothing_to_do(&mut pool);
}

#[test]
fn with_reset_always_what_is_proved_clean_is_reset_too() {
    let mut pool = pool_of(|options| options.reset_always = true);
    let entry = opened(&mut pool, 1, Time::START);
    let entry = pool.given_back(entry, Residue::Clean, &Time::START);
    pool.was_reset(entry.expect("it is reset always"), Time::START);
    assert_eq!(pool.status().idle, 1);
}

#[test]
fn only_a_queue_pool_has_another_size() {
    for class in [
        PoolClass::NullPool,
        PoolClass::StaticPool,
        PoolClass::AssertionPool,
    ] {
        let mut pool = pool_of(|options| options.class = class);
        let refused = pool
            .resize(bounded(7, 0), Time::START)
            .expect_err("it has one size");
        assert_eq!(
            refused.to_string(),
            format!(
                "pool_size = another one, of a {class}: only a QueuePool has a size that can change"
            )
        );
    }
}
