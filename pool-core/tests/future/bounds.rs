//! A driver that never answers costs its own time limit, and no place in the pool.

use std::time::Duration;

use everpool_core::{Fault, Options};

use crate::{
    bench::{Bench, PATIENCE, SHORT, pool_of},
    driver::{Act, Driver, Step, hooked, soil},
};

fn short(options: &mut Options) {
    options.connect_timeout = SHORT;
    options.ping_timeout = SHORT;
    options.reset_timeout = SHORT;
    options.close_timeout = SHORT;
}

#[test]
fn a_connect_that_never_ends_is_given_up_and_its_caller_gets_another() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), short);
    let gate = pool.connector().script.will_wait(Step::Connect);
    assert_eq!(bench.lease(&pool).number, 1);
    assert!(gate.has_begun());
    bench.everything_can_be_lent(&pool, 1);
    assert_eq!(bench.len(), 0, "the driver's future was dropped");
}

#[test]
fn a_ping_that_never_ends_is_given_up_and_its_caller_gets_another() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |options| {
        short(options);
        options.pre_ping = true;
    });
    drop(bench.lease(&pool));
    let gate = pool.connector().script.will_wait(Step::Ping);
    assert_eq!(bench.lease(&pool).number, 2);
    assert!(gate.has_begun());
    bench.everything_can_be_lent(&pool, 1);
    assert_eq!(bench.len(), 0);
}

#[test]
fn what_never_ends_on_a_return_is_given_up_and_the_place_is_free() {
    for step in [Step::ResetHook, Step::Reset, Step::Finalizer, Step::Close] {
        let (pool, bench) = pool_of::<true>(1, Driver::default(), short);
        hooked(&pool);
        let mut lease = bench.lease(&pool);
        let gate = pool.connector().script.will_wait(step);
        soil(&mut lease);
        match step {
            Step::Close => lease.invalidate(Fault::Connection),
            _ => drop(lease),
        }
        assert_eq!(bench.lease(&pool).number, 2, "{step:?}");
        assert!(gate.has_begun(), "{step:?}");
        bench.everything_can_be_lent(&pool, 1);
        assert_eq!(bench.len(), 0, "{step:?}");
        assert_eq!(pool.connector().script.open(), 1, "{step:?}");
    }
}

#[test]
fn a_thread_that_returns_a_connection_waits_for_the_reset_no_longer_than_it_may_take() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), short);
    drop(bench.lease(&pool));
    let mut lease = pool.for_threads().checkout().expect("it is idle");
    let _never = pool.connector().script.will_wait(Step::Reset);
    soil(&mut lease);
    drop(lease);
    bench.everything_can_be_lent(&pool, 1);
}

#[test]
fn closing_the_pool_waits_for_a_driver_that_never_answers_no_longer_than_it_may_take() {
    let (pool, bench) = pool_of::<true>(2, Driver::default(), short);
    drop((bench.lease(&pool), bench.lease(&pool)));
    let _never = pool.connector().script.will_wait(Step::Close);
    let closed = closed(&pool, &bench, PATIENCE);
    assert!(closed.is_drained(), "{closed}");
}

#[test]
fn closing_the_pool_tells_who_is_still_out_when_the_grace_is_over() {
    let (pool, bench) = pool_of::<true>(2, Driver::default(), |_| {});
    let lease = bench.lease(&pool);
    let closed = closed(&pool, &bench, SHORT);
    assert_eq!(closed.still_out.len(), 1, "{closed}");
    drop(lease);
    bench.run();
    assert_eq!(pool.connector().script.open(), 0);
    assert_eq!(pool.connector().script.count(Step::Close), 1);
}

fn closed(
    pool: &everpool_core::future::Pool<Driver, Bench>,
    bench: &Bench,
    grace: Duration,
) -> everpool_core::Closed {
    let mut closing = Box::pin(pool.close(grace));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut closed = None;
    bench.until(|| {
        use std::future::Future;
        if let std::task::Poll::Ready(what) = closing.as_mut().poll(&mut context) {
            closed = Some(what);
        }
        closed.is_some()
    });
    closed.expect("it was waited for")
}

#[test]
fn an_error_at_close_is_nobodys() {
    for act in [Act::Fail, Act::Panic] {
        let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
        drop(bench.lease(&pool));
        pool.connector().script.will(Step::Close, act);
        pool.recreate();
        assert_eq!(bench.lease(&pool).number, 2);
        bench.everything_can_be_lent(&pool, 1);
    }
}
