//! When the last handle and the last lease are gone, so is everything else.

use std::sync::Arc;

use everpool_core::future::Pool;

use crate::{
    bench::{options, pool_of},
    driver::{Driver, Step, hooked, soil},
    runtimes::{current_thread, many_threads, until},
};

#[test]
fn when_the_last_handle_is_gone_all_is_closed_and_freed() {
    let (pool, bench) = pool_of::<true>(2, Driver::default(), |_| {});
    hooked(&pool);
    let script = Arc::clone(&pool.connector().script);
    let mut lease = bench.lease(&pool);
    drop(bench.lease(&pool));
    drop(pool);
    bench.run();
    assert_eq!(script.open(), 2, "a lease keeps its pool");
    soil(&mut lease);
    drop(lease);
    bench.run();
    assert_eq!((script.open(), script.count(Step::Close)), (0, 2));
    assert_eq!(bench.len(), 0, "no work is left");
    assert_eq!(Arc::strong_count(&script), 1, "nor the driver");
}

#[test]
fn when_the_last_handle_is_gone_nothing_is_left_in_tokio() {
    for runtime in [current_thread(), many_threads()] {
        let pool = Pool::new(Driver::default(), options(2, |_| {})).expect("valid options");
        hooked(&pool);
        let script = Arc::clone(&pool.connector().script);
        let mut lease = runtime.block_on(pool.checkout()).expect("a connection");
        soil(&mut lease);
        drop((lease, pool));
        let tasks = runtime.metrics();
        until(&runtime, || tasks.num_alive_tasks() == 0);
        until(&runtime, || Arc::strong_count(&script) == 1);
        assert_eq!((script.open(), script.count(Step::Close)), (0, 1));
    }
}

#[test]
fn a_runtime_that_ends_first_keeps_nothing_of_the_pool() {
    let pool = Pool::new(Driver::default(), options(2, |_| {})).expect("valid options");
    let script = Arc::clone(&pool.connector().script);
    let runtime = current_thread();
    let lease = runtime.block_on(pool.checkout()).expect("a connection");
    drop((lease, runtime));
    assert_eq!(script.open(), 0);
    drop(pool);
    assert_eq!(Arc::strong_count(&script), 1);
}

#[test]
fn a_caller_that_waits_keeps_nothing_when_it_leaves() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let script = Arc::clone(&pool.connector().script);
    let gate = script.will_wait(Step::Connect);
    let mut caller = bench.call(pool.checkout());
    assert!(caller.ask().is_none());
    bench.run();
    drop(caller);
    drop(pool);
    gate.open();
    bench.run();
    assert_eq!(script.open(), 0, "what was opened for nobody is closed");
    assert_eq!(Arc::strong_count(&script), 1);
}
