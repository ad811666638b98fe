//! What tasks do that a thread does in `stock.rs` beside, and what keeps its place for ever.

use std::time::Duration;

use everpool_core::{CheckoutError, HookError, future::Pool};

use crate::{
    bench::{PATIENCE, options},
    driver::Driver,
    runtimes::{current_thread, pool},
};

#[test]
fn tasks_wait_for_what_a_pool_is_to_keep() {
    current_thread().block_on(async {
        let kept = options(3, |options| options.min_idle = 3);
        let pool = Pool::new(Driver::default(), kept).expect("valid options");
        assert!(pool.wait_for_min_idle(PATIENCE).await);
        assert_eq!(pool.status().idle, 3);
    });
}

#[test]
fn a_task_takes_a_connection_that_is_due_for_a_ping_unless_a_hook_is_to_be_asked() {
    current_thread().block_on(async {
        let pinged = options(1, |options| options.pre_ping = true);
        let pool = Pool::new(Driver::default(), pinged).expect("valid options");
        drop(pool.checkout().await.expect("there is a connection"));
        assert!(pool.try_checkout().is_none());
        drop(pool.try_checkout_untested().expect("one is idle"));
        pool.events().checkout(|_, _| Ok::<_, HookError>(()));
        assert!(pool.try_checkout_untested().is_none());
    });
}

#[test]
fn a_leaked_connection_keeps_its_place() {
    let runtime = current_thread();
    let pool = pool(1);
    runtime.block_on(async {
        let leaked = pool.checkout().await.expect("there is a connection").leak();
        assert_eq!((leaked.number, pool.status().checked_out), (1, 1));
        let waited = pool.checkout_timeout(Duration::from_millis(50)).await;
        assert!(matches!(waited, Err(CheckoutError::TimedOut(_))));
        let closed = pool.close(Duration::from_millis(50)).await;
        assert!(!closed.is_drained());
    });
}

#[test]
fn a_pool_for_tasks_is_closed_before_its_close_is_awaited() {
    let runtime = current_thread();
    let pool = pool(1);
    runtime.block_on(async {
        let closing = pool.close(PATIENCE);
        let refused = pool.checkout().await;
        assert!(matches!(refused, Err(CheckoutError::Closed)));
        assert!(closing.await.is_drained());
    });
}
