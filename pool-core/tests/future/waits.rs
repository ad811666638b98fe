//! Callers, their order and their deadlines.

use everpool_core::{Capacity, CheckoutError, ConnectFailure, Phase};

use crate::{
    bench::{Caller, SHORT, pool_of},
    driver::{Act, Driver, Step, hooked},
};

#[test]
fn law_4_tasks_are_served_in_the_order_in_which_they_came() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let mut lease = bench.lease(&pool);
    let mut callers: Vec<_> = (0..3).map(|_| bench.call(pool.checkout())).collect();
    for caller in &mut callers {
        assert!(caller.ask().is_none());
    }
    assert_eq!(pool.status().waiting, 3);
    for _ in 0..3 {
        drop(lease);
        let later = callers.iter_mut().skip(1);
        assert_eq!(later.filter_map(Caller::ask).count(), 0);
        lease = bench.finish(callers.remove(0)).expect("it is its turn");
    }
}

#[test]
fn law_4_a_task_that_does_not_wait_overtakes_nobody() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let lease = bench.lease(&pool);
    let mut first = bench.call(pool.checkout());
    assert!(first.ask().is_none());
    drop(lease);
    let mut second = bench.call(pool.checkout());
    assert!(second.ask().is_none());
    assert!(pool.try_checkout().is_none());
    assert!(bench.finish(first).is_ok());
}

#[test]
fn law_10_the_deadline_covers_the_queue() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let _held = bench.lease(&pool);
    let (phase, waited) = bench.timeout(bench.call(pool.checkout_timeout(SHORT)));
    assert_eq!(phase, Phase::Queue);
    assert!(waited >= SHORT);
}

#[test]
fn law_10_the_deadline_covers_a_connect_that_never_ends() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let gate = pool.connector().script.will_wait(Step::Connect);
    let (phase, waited) = bench.timeout(bench.call(pool.checkout_timeout(SHORT)));
    assert_eq!(phase, Phase::Connect);
    assert!(waited >= SHORT);
    gate.open();
    assert_eq!(
        bench.lease(&pool).number,
        1,
        "what was begun serves the next"
    );
}

#[test]
fn law_10_the_deadline_covers_a_hook_of_connect_that_never_ends() {
    for step in [Step::FirstConnectHook, Step::ConnectHook] {
        let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
        hooked(&pool);
        let gate = pool.connector().script.will_wait(step);
        let (phase, _) = bench.timeout(bench.call(pool.checkout_timeout(SHORT)));
        assert_eq!(phase, Phase::Connect);
        gate.open();
        assert_eq!(bench.lease(&pool).number, 1);
    }
}

#[test]
fn law_10_the_deadline_covers_a_ping_that_never_ends() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |options| options.pre_ping = true);
    drop(bench.lease(&pool));
    let gate = pool.connector().script.will_wait(Step::Ping);
    let (phase, waited) = bench.timeout(bench.call(pool.checkout_timeout(SHORT)));
    assert_eq!(phase, Phase::Ping);
    assert!(waited >= SHORT);
    gate.open();
    assert_eq!(bench.lease(&pool).number, 1);
}

#[test]
fn law_10_the_deadline_covers_a_hook_of_checkout_that_never_ends() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    hooked(&pool);
    let _never = pool.connector().script.will_wait(Step::CheckoutHook);
    let (phase, waited) = bench.timeout(bench.call(pool.checkout_timeout(SHORT)));
    assert_eq!(phase, Phase::Hook);
    assert!(waited >= SHORT);
    bench.everything_can_be_lent(&pool, 1);
    assert_eq!(
        bench.lease(&pool).number,
        2,
        "the first was left half prepared"
    );
}

#[test]
fn a_deadline_that_is_over_asks_all_the_same_and_waits_for_nothing() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    drop(bench.lease(&pool));
    let lease = bench.finish(bench.call(pool.checkout_timeout(std::time::Duration::ZERO)));
    let lease = lease.expect("it is idle");
    let (phase, _) = bench.timeout(bench.call(pool.checkout_timeout(std::time::Duration::ZERO)));
    assert_eq!(phase, Phase::Queue);
    drop(lease);
}

#[test]
fn a_deadline_beyond_the_clock_is_none() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let lease = bench.lease(&pool);
    let mut caller = bench.call(pool.checkout_timeout(std::time::Duration::MAX));
    assert!(caller.ask().is_none());
    drop(lease);
    assert!(bench.finish(caller).is_ok());
}

#[test]
fn a_connect_that_fails_is_told_to_one_and_the_others_get_theirs() {
    let (pool, bench) = pool_of::<true>(2, Driver::default(), |_| {});
    pool.connector().script.will(Step::Connect, Act::Fail);
    let mut callers: Vec<_> = (0..3).map(|_| bench.call(pool.checkout())).collect();
    for caller in &mut callers {
        assert!(caller.ask().is_none());
    }
    let mut answers = callers.into_iter().map(|caller| bench.finish(caller));
    match answers.next() {
        Some(Err(CheckoutError::Connect(why))) => {
            assert!(matches!(*why, ConnectFailure::Driver(_)), "{why}");
        }
        other => panic!("expected the error, not {other:?}"),
    }
    assert!(answers.all(|answer| answer.is_ok()));
}

#[test]
fn law_3_a_place_that_comes_free_wakes_who_waits() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let lease = bench.lease(&pool);
    let mut caller = bench.call(pool.checkout());
    assert!(caller.ask().is_none());
    let detached = lease.detach();
    let lease = bench.finish(caller).expect("its place is free");
    drop(detached);

    let mut caller = bench.call(pool.checkout());
    assert!(caller.ask().is_none());
    let larger = Capacity::Bounded {
        size: 2,
        overflow: 0,
    };
    pool.resize(larger).expect("a size that a pool can have");
    assert!(bench.finish(caller).is_ok());
    drop(lease);
}

#[test]
fn a_task_that_waits_for_itself_is_told_where_it_took_its_connection() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let mut caller = bench.call(pool.checkout());
    assert!(caller.ask().is_none());
    bench.run();
    let lease = caller.ask().expect("it is there").expect("it was opened");
    let again = bench.call(pool.checkout_timeout(SHORT));
    let again = again.woken_as(&caller);
    match bench.finish(again) {
        Err(CheckoutError::TimedOut(why)) => {
            let own = why.own.expect("it is the same task").place;
            assert_eq!(own.file(), file!());
        }
        other => panic!("expected a timeout, not {other:?}"),
    }
    drop(lease);
}
