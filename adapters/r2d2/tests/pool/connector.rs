//! Managers in pools of everpool's own.

use std::{
    sync::atomic::Ordering,
    task::{Context, Waker},
};

use everpool_core::{Options, blocking};
use everpool_r2d2::Connector;

use crate::scripted::Manager;

#[test]
fn a_manager_serves_threads_and_tasks_from_one_pool_with_any_options() {
    let manager = Manager::default();
    let mut options = Options::default();
    options.reset_always = true;
    let pool = blocking::Pool::new(Connector::new(manager.clone()), options).unwrap();
    let lease = pool.checkout().unwrap();
    let id = lease.id();
    drop(lease);

    let tasks = pool.for_tasks().unwrap();
    let mut checkout = std::pin::pin!(tasks.checkout());
    let mut context = Context::from_waker(Waker::noop());
    let lease = loop {
        if let std::task::Poll::Ready(lease) = checkout.as_mut().poll(&mut context) {
            break lease.unwrap();
        }
        std::thread::yield_now();
    };
    assert_eq!((lease.number, lease.id()), (1, id));
    manager.0.is_broken.store(true, Ordering::SeqCst);
    drop(lease);
    assert_eq!(manager.0.diary.count("drop 1"), 1);
}
