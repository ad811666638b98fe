//! Leases that end where nobody expects them to.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use everpool_core::{
    Fault, Residue, Runtime, Tokio, Work,
    future::{Lease, Pool},
};
use tokio::runtime::Runtime as TokioRuntime;

use crate::{
    bench::{PATIENCE, options},
    driver::{Act, Driver, Step, soil},
    runtimes::{current_thread, many_threads, pool, until},
};

fn lease(runtime: &TokioRuntime, pool: &Pool<Driver>) -> Lease<Driver, Tokio> {
    runtime
        .block_on(pool.checkout())
        .expect("there is a connection")
}

#[test]
fn law_11_a_lease_is_returned_outside_of_any_runtime() {
    let (pool, runtime) = (pool(1), current_thread());
    for residue in [Residue::Clean, Residue::Open] {
        let mut first = lease(&runtime, &pool);
        first.residue = residue;
        drop(first);
        assert_eq!(lease(&runtime, &pool).number, 1, "{residue:?}");
    }
    assert_eq!(pool.connector().script.count(Step::Reset), 1);
}

#[test]
fn law_11_a_lease_is_invalidated_and_detached_outside_of_any_runtime() {
    let (pool, runtime) = (pool(1), current_thread());
    lease(&runtime, &pool).invalidate(Fault::Connection);
    assert_eq!(lease(&runtime, &pool).number, 2);
    let detached = lease(&runtime, &pool).detach();
    drop(detached);
    assert_eq!(lease(&runtime, &pool).number, 3);
    until(&runtime, || pool.connector().script.open() == 1);
}

#[test]
fn law_11_a_lease_is_returned_by_a_thread_that_ends() {
    thread_local! {
        static KEPT: RefCell<Vec<Lease<Driver, Tokio>>> = const { RefCell::new(Vec::new()) };
    }
    let (pool, runtime) = (pool(2), many_threads());
    let mut task = lease(&runtime, &pool);
    soil(&mut task);
    let mut thread = runtime.block_on(async { pool.for_threads().checkout_timeout(PATIENCE) });
    soil(thread.as_mut().expect("there is a connection"));
    let leases = [Ok(task), thread];
    thread::spawn(|| KEPT.with(|kept| kept.borrow_mut().extend(leases.into_iter().flatten())))
        .join()
        .expect("destructors never panic");
    let again = (lease(&runtime, &pool), lease(&runtime, &pool));
    assert_eq!(again.0.number + again.1.number, 3);
    assert_eq!(pool.connector().script.count(Step::Reset), 2);
}

#[test]
fn law_11_a_lease_is_returned_while_a_task_unwinds() {
    let (pool, runtime) = (pool(1), current_thread());
    let inner = pool.clone();
    let task = runtime.spawn(async move {
        let mut held = inner.checkout().await.expect("there is a connection");
        soil(&mut held);
        panic!("the user's own");
    });
    assert!(runtime.block_on(task).is_err());
    assert_eq!(lease(&runtime, &pool).number, 1);
    assert_eq!(pool.connector().script.count(Step::Reset), 1);
}

#[test]
fn law_11_a_lease_is_returned_while_unwinding_outside_of_any_runtime() {
    let (pool, runtime) = (pool(1), current_thread());
    for act in [Act::Ok, Act::Fail, Act::Panic] {
        pool.connector().script.will(Step::Reset, act);
        let mut held = lease(&runtime, &pool);
        soil(&mut held);
        // A second panic while unwinding would abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = held;
            panic!("the user's own");
        }));
        assert!(unwound.is_err());
    }
    assert!(lease(&runtime, &pool).number > 1);
}

#[test]
fn law_11_a_lease_is_returned_after_its_runtime_was_shut_down() {
    for residue in [Residue::Clean, Residue::Open, Residue::Broken] {
        let (pool, runtime) = (pool(1), current_thread());
        let mut held = lease(&runtime, &pool);
        held.residue = residue;
        drop(runtime);
        drop(held);
        assert_eq!(pool.connector().script.open(), 0, "{residue:?}");
        let runtime = current_thread();
        assert_eq!(lease(&runtime, &pool).number, 2, "{residue:?}");
    }
}

#[test]
fn law_11_a_lease_that_a_task_has_is_returned_when_its_runtime_is_shut_down() {
    let pool = pool(1);
    for number in 1..3 {
        let runtime = current_thread();
        let inner = pool.clone();
        let (holds, held) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let mut held = inner.checkout().await.expect("there is a connection");
            soil(&mut held);
            let _gone = holds.send(held.number);
            std::future::pending::<()>().await;
        });
        assert_eq!(runtime.block_on(held), Ok(number));
        drop(runtime);
    }
    assert_eq!(pool.status().checked_out, 0);
}

#[test]
fn law_11_a_runtime_that_panics_costs_the_connection_only() {
    /// It takes what it is given and panics, if it was told to.
    #[derive(Clone, Debug, Default)]
    struct Panics(Arc<std::sync::atomic::AtomicBool>, crate::bench::Bench);

    impl Panics {
        fn panics(&self) {
            assert!(
                !self.0.load(std::sync::atomic::Ordering::Relaxed),
                "as told"
            );
        }
    }

    impl Runtime for Panics {
        const IS_LASTING: bool = true;

        fn current(&self) -> Option<Self> {
            self.panics();
            Some(self.clone())
        }

        fn is_same(&self, _: &Self) -> bool {
            true
        }

        fn spawn(&self, work: Work) {
            self.panics();
            self.1.spawn(work);
        }
    }

    let runtime = Panics::default();
    let pool = Pool::in_runtime(Driver::default(), options(1, |_| {}), runtime.clone());
    let pool = pool.expect("the options are valid");
    let checkout = || {
        let mut checkout = Box::pin(pool.checkout_timeout(PATIENCE));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut answer = None;
        runtime.1.until(|| {
            if answer.is_none()
                && let std::task::Poll::Ready(ready) = checkout.as_mut().poll(&mut context)
            {
                answer = Some(ready);
            }
            answer.is_some()
        });
        answer.expect("it was waited for")
    };
    let tell = |panics| {
        runtime
            .0
            .store(panics, std::sync::atomic::Ordering::Relaxed);
    };

    let mut held = checkout().expect("there is a connection");
    soil(&mut held);
    tell(true);
    drop(held);
    assert_eq!(pool.status().checked_out, 0);
    assert_eq!(pool.connector().script.open(), 0);
    assert!(checkout().is_err());
    tell(false);
    assert_eq!(checkout().expect("nothing panics any more").number, 2);
}
