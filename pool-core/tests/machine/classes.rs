//! Pool classes other than the queue.

use crate::words::*;

fn null(max_total: Option<u32>) -> Pool {
    pool_of(|options| {
        (options.class, options.max_total) = (PoolClass::NullPool, max_total);
    })
}

#[test]
fn a_null_pool_opens_for_each_checkout_and_closes_on_return() {
    let mut pool = null(None);
    for number in 1..4 {
        let entry = opened(&mut pool, number, Time::START);
        given_back(&mut pool, entry, Time::START);
        assert_eq!(closed_for(&mut pool, Time::START), (number, Cause::Surplus));
        nothing_to_do(&mut pool);
    }
}

#[test]
fn a_null_pool_undoes_what_is_open_before_it_closes() {
    let mut pool = null(None);
    let entry = opened(&mut pool, 1, Time::START);
    let entry = to_reset(&mut pool, entry, Time::START);
    nothing_to_do(&mut pool);
    pool.was_reset(entry, Time::START);
    assert_eq!(closed_for(&mut pool, Time::START), (1, Cause::Surplus));
}

#[test]
fn a_null_pool_passes_nothing_on_and_opens_for_who_waits() {
    let mut pool = null(Some(1));
    let entry = opened(&mut pool, 1, Time::START);
    let next = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    given_back(&mut pool, entry, Time::START);
    assert!(answer(&mut pool, &next).is_none());
    assert_eq!(closed(&mut pool, Time::START), 1);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, Time::START);
    assert_eq!(handed(&mut pool, &next).connection, 2);
}

#[test]
fn what_a_null_pool_opened_for_one_who_left_serves_the_next() {
    let mut pool = null(Some(1));
    let gone = queued(&mut pool, Time::START);
    let next = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    pool.withdraw(&gone, Time::START);
    let unused = handed(&mut pool, &next);
    assert_eq!(unused.connection, 1, "nobody has used it");
}

#[test]
fn a_null_pool_has_no_limit_unless_told() {
    let mut pool = null(None);
    let all: Vec<_> = (0..100)
        .map(|number| opened(&mut pool, number, Time::START))
        .collect();
    assert_eq!(pool.status().checked_out, all.len());
    assert_eq!((pool.status().size, pool.status().overflow), (0, 0));
    let line = "NullPool  Connections in pool: 0 Current Checked out connections: 100";
    assert_eq!(pool.status().to_string(), line);

    let mut pool = null(Some(2));
    let _two = [1, 2].map(|number| opened(&mut pool, number, Time::START));
    let _third = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);
}

#[test]
fn one_connection_is_for_all_in_a_static_pool_and_others_wait_in_line() {
    let mut pool = pool_of(|options| options.class = PoolClass::StaticPool);
    let entry = opened(&mut pool, 1, Time::START);
    let next = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    given_back(&mut pool, entry, Time::START);
    let entry = handed(&mut pool, &next);
    assert_eq!(entry.connection, 1);
    given_back(&mut pool, entry, Time::START);
    assert_eq!((pool.status().size, pool.status().idle), (1, 1));
}

fn asserting() -> Pool {
    pool_of(|options| options.class = PoolClass::AssertionPool)
}

/// It is the pool of one thread, which would wait for itself.
#[test]
fn a_second_checkout_in_a_singleton_thread_pool_is_refused_too() {
    let mut pool = pool_of(|options| options.class = PoolClass::SingletonThreadPool);
    let entry = opened(&mut pool, 1, Time::START);
    assert!(matches!(
        refused(&mut pool, Time::START),
        Refusal::InUse(Some(_))
    ));
    given_back(&mut pool, entry, Time::START);
    assert_eq!(lent(&mut pool, Time::START).connection, 1);
}

#[test]
fn a_second_checkout_in_an_assertion_pool_is_told_the_place_of_the_first() {
    let mut pool = asserting();
    let first = Borrower {
        owner: 3,
        ..Borrower::here()
    };
    let Checkout::Queued(ticket) = pool.checkout(first, &Time::START) else {
        panic!("nothing is open yet");
    };
    assert_eq!(
        refused(&mut pool, Time::START),
        Refusal::InUse(None),
        "being opened"
    );
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    let entry = handed(&mut pool, &ticket);
    match refused(&mut pool, Time::START) {
        Refusal::InUse(Some(holder)) => assert_eq!(holder, first),
        other => panic!("expected the holder, not {other:?}"),
    }
    given_back(&mut pool, entry, Time::START);
    assert_eq!(lent(&mut pool, Time::START).connection, 1);
    nothing_to_do(&mut pool);
}

#[test]
fn while_its_connection_is_reset_an_assertion_pool_makes_the_next_wait() {
    let mut pool = asserting();
    let entry = opened(&mut pool, 1, Time::START);
    let entry = to_reset(&mut pool, entry, Time::START);
    let next = queued(&mut pool, Time::START);
    pool.was_reset(entry, Time::START);
    assert_eq!(handed(&mut pool, &next).connection, 1);
}
