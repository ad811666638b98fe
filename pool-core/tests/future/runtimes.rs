//! Tokio runtimes that come and go, and what a connection has to do with the one it was opened in.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use everpool_core::{CheckoutError, ConnectFailure, Fault, Options, Tokio, blocking, future::Pool};
use tokio::runtime::{Builder, Runtime};

use crate::{
    bench::{PATIENCE, SHORT, options, pool_of},
    driver::{Driver, Gate, Step, hooked, soil},
};

pub(crate) fn current_thread() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
}

pub(crate) fn many_threads() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).build().expect("a runtime")
}

pub(crate) fn pool(size: u32) -> Pool<Driver> {
    pool_with(size, |_| {})
}

fn pool_with(size: u32, change: impl FnOnce(&mut Options)) -> Pool<Driver> {
    let pool = Pool::new(Driver::default(), options(size, change));
    pool.expect("the options are valid").with_timeout(PATIENCE)
}

/// Lets a runtime run until it is so.
#[track_caller]
pub(crate) fn until(runtime: &Runtime, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never comes");
        runtime.block_on(tokio::task::yield_now());
    }
}

async fn everything_can_be_lent(pool: &Pool<Driver>, size: usize) {
    let mut leases = Vec::new();
    for _ in 0..size {
        leases.push(pool.checkout().await.expect("there is a connection"));
    }
    assert!(leases.iter().all(|lease| !lease.is_amid));
    assert_eq!(pool.status().checked_out, size);
}

#[test]
fn a_connection_is_stale_once_its_runtime_is_over() {
    let pool = pool(2);
    for number in 1..4 {
        let runtime = current_thread();
        let began = Instant::now();
        let lease = runtime.block_on(pool.checkout());
        assert_eq!(lease.expect("there is a connection").number, number);
        assert!(began.elapsed() < PATIENCE, "it does not wait for the dead");
        drop(runtime);
        assert_eq!(pool.status().idle, 0);
        assert_eq!(pool.connector().script.open(), 0);
    }
}

#[test]
fn a_runtime_that_is_over_spares_the_connections_of_others() {
    let (pool, lasting) = (pool(2), current_thread());
    let kept = lasting.block_on(pool.checkout()).expect("a connection");
    let other = current_thread();
    let lost = other.block_on(pool.checkout()).expect("a connection");
    assert_eq!((kept.number, lost.number), (1, 2));
    drop((kept, lost));
    drop(other);
    assert_eq!(pool.status().idle, 1);
    let kept = lasting.block_on(pool.checkout()).expect("a connection");
    assert_eq!(kept.number, 1);
}

#[test]
fn law_5_work_under_way_in_a_runtime_that_ends_loses_no_slot() {
    let steps = [
        Step::Connect,
        Step::FirstConnectHook,
        Step::ConnectHook,
        Step::Ping,
        Step::CheckoutHook,
        Step::ResetHook,
        Step::Reset,
        Step::Finalizer,
        Step::Close,
    ];
    for step in steps {
        for is_begun in [true, false] {
            let pool = pool_with(2, |options| options.pre_ping = true);
            hooked(&pool);
            let runtime = current_thread();
            leave_under_way(&runtime, &pool, step, is_begun);
            drop(runtime);
            let runtime = current_thread();
            pool.connector().script.forget();
            runtime.block_on(everything_can_be_lent(&pool, 2));
            drop(runtime);
            assert_eq!(pool.connector().script.open(), 0, "{step:?} {is_begun}");
        }
    }
}

fn leave_under_way(runtime: &Runtime, pool: &Pool<Driver>, step: Step, is_begun: bool) {
    let script = &pool.connector().script;
    let connects = [Step::Connect, Step::FirstConnectHook, Step::ConnectHook];
    if !connects.contains(&step) {
        let mut first = runtime.block_on(pool.checkout()).expect("a connection");
        if matches!(step, Step::Ping | Step::CheckoutHook) {
            drop(first);
            until(runtime, || pool.status().idle == 1);
            let never = script.will_wait(step);
            return wait_in_vain(runtime, pool, is_begun.then_some(&never));
        }
        let never = script.will_wait(step);
        match step {
            Step::Close => first.invalidate(Fault::Connection),
            _ => {
                soil(&mut first);
                drop(first);
            }
        }
        return wait_in_vain(runtime, pool, is_begun.then_some(&never));
    }
    let never = script.will_wait(step);
    wait_in_vain(runtime, pool, is_begun.then_some(&never));
}

/// Asks for a connection until the step has begun, and leaves.
fn wait_in_vain(runtime: &Runtime, pool: &Pool<Driver>, never: Option<&Gate>) {
    let mut checkout = pin!(pool.checkout());
    let mut answer = None;
    let mut look = || {
        runtime.block_on(poll_fn(|context| {
            // What hangs on its way back costs another caller nothing.
            if answer.is_none()
                && let Poll::Ready(ready) = checkout.as_mut().poll(context)
            {
                answer = Some(ready);
            }
            Poll::Ready(())
        }));
        never.is_none_or(Gate::has_begun)
    };
    if !look() {
        until(runtime, look);
    }
}

#[test]
fn a_caller_waits_on_when_the_runtime_that_connects_for_it_ends() {
    let pool = pool(1);
    let never = pool.connector().script.will_wait(Step::Connect);
    let first = current_thread();
    wait_in_vain(&first, &pool, Some(&never));
    let second = current_thread();
    let inner = pool.clone();
    let waiting = second.spawn(async move { inner.checkout().await.map(|lease| lease.number) });
    until(&second, || pool.status().waiting == 1);
    drop(first);
    let answer = second.block_on(waiting).expect("no panic");
    assert_eq!(answer.expect("its own runtime is there"), 1);
}

#[test]
fn a_caller_in_a_new_runtime_is_not_told_that_there_is_none() {
    let pool = pool(1);
    let never = pool.connector().script.will_wait(Step::Connect);
    let first = current_thread();
    wait_in_vain(&first, &pool, Some(&never));
    // The connect that ends with its runtime is a failed one: the next is a moment later, and it is
    // the clock that begins it.
    drop(first);
    let answer = current_thread().block_on(async {
        let lease = pool.checkout().await?;
        Ok::<_, CheckoutError<_>>(lease.number)
    });
    assert_eq!(answer.expect("a connection can be opened here"), 1);
}

#[test]
fn what_ends_while_its_runtime_does_is_not_lent() {
    for step in [Step::Connect, Step::Ping, Step::Reset] {
        let (pool, bench) = pool_of::<false>(1, Driver::default(), |options| {
            options.pre_ping = step == Step::Ping;
        });
        let script = &pool.connector().script;
        if step != Step::Connect {
            let mut lease = bench.lease(&pool);
            if step == Step::Reset {
                soil(&mut lease);
            }
        }
        let gate = script.will_wait(step);
        let mut caller = bench.call(pool.checkout());
        assert!(caller.ask().is_none());
        bench.until(|| gate.has_begun());
        // A runtime of many threads drops some tasks while others still run.
        bench.drop_oldest();
        gate.open();
        let lease = bench.finish(caller).expect("another can be opened");
        assert_eq!(script.count(Step::Connect), 2, "{step:?}");
        drop(lease);
        bench.run();
        assert_eq!(script.open(), 1, "{step:?}");
    }
}

#[test]
fn without_a_runtime_a_checkout_says_so() {
    let pool = pool(1);
    let mut checkout = pin!(pool.checkout());
    let mut context = Context::from_waker(Waker::noop());
    let answer = loop {
        if let Poll::Ready(answer) = checkout.as_mut().poll(&mut context) {
            break answer;
        }
        thread::yield_now();
    };
    match answer {
        Err(CheckoutError::Connect(why)) => {
            assert!(matches!(*why, ConnectFailure::NoRuntime), "{why}");
        }
        other => panic!("expected that there is no runtime, not {other:?}"),
    }
    current_thread().block_on(everything_can_be_lent(&pool, 1));
}

#[test]
fn one_runtime_serves_callers_that_are_in_none() {
    let runtime = many_threads();
    let tokio = Tokio::new(runtime.handle().clone());
    let pool = blocking::Pool::in_runtime(Driver::default(), options(1, |_| {}), tokio);
    let pool = pool.expect("the options are valid").with_timeout(PATIENCE);
    let mut lease = pool.checkout().expect("a connection");
    soil(&mut lease);
    drop(lease);
    assert_eq!(pool.status().idle, 1, "the thread has waited for the reset");
    assert_eq!(pool.checkout().expect("a connection").number, 1);
}

#[test]
fn min_idle_is_met_in_the_runtime_that_makes_the_pool() {
    let runtime = current_thread();
    let pool = runtime.block_on(async { pool_with(2, |options| options.min_idle = 2) });
    until(&runtime, || pool.status().idle == 2);
}

#[test]
fn one_pool_serves_threads_and_tasks_at_once() {
    let (pool, runtime) = (pool(2), many_threads());
    let served = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (pool, served) = (pool.clone(), Arc::clone(&served));
            runtime.spawn(async move {
                for _ in 0..100 {
                    let lease = pool.checkout().await.expect("a connection");
                    tokio::task::yield_now().await;
                    drop(lease);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let _in_runtime = runtime.enter();
                let pool = pool.for_threads();
                for _ in 0..100 {
                    drop(pool.checkout().expect("a connection"));
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    for task in tasks {
        runtime.block_on(task).expect("no task panics");
    }
    assert_eq!(served.load(Ordering::Relaxed), 12 * 100);
    assert!(pool.connector().script.open() <= 2);
    let same = pool
        .for_threads()
        .for_tasks()
        .expect("a QueuePool has both");
    runtime.block_on(everything_can_be_lent(&same, 2));
}

#[test]
fn a_task_whose_checkouts_never_wait_lets_others_run() {
    const ENOUGH: usize = 10_000;
    let (pool, runtime) = (pool(1), current_thread());
    let has_run = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&has_run);
    let rounds = runtime.block_on(async {
        drop(pool.checkout().await.expect("a connection"));
        tokio::spawn(async move { other.store(true, Ordering::Relaxed) });
        for round in 0..ENOUGH {
            if has_run.load(Ordering::Relaxed) {
                return round;
            }
            drop(pool.checkout().await.expect("it is idle"));
        }
        ENOUGH
    });
    assert!(rounds < ENOUGH, "it ran only when there was nothing else");
}

#[test]
fn a_deadline_holds_in_a_runtime_that_stands_still() {
    let (pool, runtime) = (pool(1), current_thread());
    let _held = runtime.block_on(pool.checkout()).expect("a connection");
    let mut checkout = pin!(pool.checkout_timeout(SHORT));
    let began = Instant::now();
    // Polled by nobody but this, and woken by the pool's clock.
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    while checkout.as_mut().poll(&mut context).is_pending() {
        assert!(began.elapsed() < PATIENCE, "it was not woken");
        thread::park_timeout(PATIENCE);
    }
    assert!(began.elapsed() >= SHORT);
    assert!(began.elapsed() < PATIENCE + Duration::from_secs(1));
}
