//! Sizes, times and what they may be.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use everpool_r2d2::{Builder, Pool};

use crate::scripted::{Manager, until};

fn panics(build: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(build)).unwrap_err();
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    message.or_else(|| panic.downcast_ref().cloned()).unwrap()
}

#[test]
fn what_no_pool_can_be_is_refused_as_by_r2d2() {
    type Change = fn(Builder<Manager>) -> Builder<Manager>;
    let refusals: [(Change, &str); 5] = [
        (|of| of.max_size(0), "max_size must be positive"),
        (
            |of| of.max_lifetime(Some(Duration::ZERO)),
            "max_lifetime must be positive",
        ),
        (
            |of| of.idle_timeout(Some(Duration::ZERO)),
            "idle_timeout must be positive",
        ),
        (
            |of| of.connection_timeout(Duration::ZERO),
            "connection_timeout must be positive",
        ),
        (
            |of| of.max_size(1).min_idle(Some(2)),
            "min_idle must be no larger than max_size",
        ),
    ];
    for (change, expected) in refusals {
        let build = || drop(change(Pool::builder()).build_unchecked(Manager::default()));
        assert_eq!(panics(build), expected);
    }
}

#[test]
fn a_pool_says_what_it_was_told_to_be() {
    let second = Duration::from_secs(1);
    let pool = Pool::builder()
        .max_size(3)
        .min_idle(Some(2))
        .test_on_check_out(false)
        .max_lifetime(None)
        .idle_timeout(Some(second * 2))
        .connection_timeout(second * 3)
        .build(Manager::default())
        .unwrap();
    assert_eq!((pool.max_size(), pool.min_idle()), (3, Some(2)));
    assert!(!pool.test_on_check_out());
    assert_eq!(
        (pool.max_lifetime(), pool.idle_timeout()),
        (None, Some(second * 2))
    );
    assert_eq!(pool.connection_timeout(), second * 3);
    assert_eq!(
        (pool.state().connections, pool.state().idle_connections),
        (2, 2)
    );
    assert_eq!(
        format!("{:?}", pool.state()),
        "State { connections: 2, idle_connections: 2 }"
    );
}

#[test]
fn so_many_are_kept_idle_beside_those_in_use() {
    let pool = Pool::builder()
        .max_size(5)
        .min_idle(Some(2))
        .build(Manager::default())
        .unwrap();
    let used: Vec<_> = (0..3).map(|_| pool.get().unwrap()).collect();
    until("two more", || pool.state().idle_connections == 2);
    assert_eq!(pool.state().connections, 5);
    drop(used);
    assert_eq!(pool.state().idle_connections, 5);
}

#[test]
fn what_rested_for_long_or_grew_old_is_replaced() {
    let manager = Manager::default();
    let limits: [fn(Builder<Manager>) -> Builder<Manager>; 2] = [
        |builder| builder.idle_timeout(Some(Duration::from_millis(50))),
        |builder| builder.max_lifetime(Some(Duration::from_millis(50))),
    ];
    for limit in limits {
        let builder = limit(Pool::builder().max_size(2));
        let pool = builder.build(manager.clone()).unwrap();
        let is_dropped = |line: &String| line.starts_with("drop");
        until("one is closed", || {
            manager.0.diary.take().iter().any(is_dropped)
        });
        until("as many are open", || pool.state().idle_connections == 2);
    }
}

#[test]
fn build_waits_for_all_and_tells_why_it_waited_in_vain() {
    let manager = Manager::default();
    manager.0.is_down.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let timeout = Duration::from_millis(100);
    let built = Pool::builder()
        .connection_timeout(timeout)
        .build(manager.clone());
    assert!(began.elapsed() >= timeout);
    let told = built.err().unwrap().to_string();
    assert_eq!(told, "timed out waiting for connection: the server is down");
    let builder = Pool::builder()
        .min_idle(Some(0))
        .connection_timeout(timeout);
    assert!(builder.build(manager).is_ok(), "nothing is to be open");
}

#[test]
fn build_waits_while_the_server_is_still_starting() {
    let manager = Manager::default();
    manager.0.is_down.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let built = scope.spawn(|| Pool::builder().max_size(4).build(manager.clone()));
        std::thread::sleep(Duration::from_millis(50));
        manager.0.is_down.store(false, Ordering::SeqCst);
        let pool = built.join().unwrap().unwrap();
        assert_eq!(pool.state().idle_connections, 4);
    });
}
