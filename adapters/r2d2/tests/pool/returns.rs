//! What becomes of connections that come back, and of callers that come early.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    thread,
    time::Duration,
};

use everpool_r2d2::{Pool, PooledConnection};

use crate::scripted::{Failed, Manager, listened_to, until};

#[test]
fn the_connection_that_came_back_last_is_lent_first() {
    let pool = Pool::builder()
        .max_size(3)
        .build(Manager::default())
        .unwrap();
    let [one, two, three] = [(); 3].map(|()| pool.get().unwrap());
    let last = two.number;
    drop((one, three));
    drop(two);
    assert_eq!(pool.get().unwrap().number, last);
}

#[test]
fn what_is_kept_beside_a_connection_goes_with_it() {
    let manager = Manager::default();
    let pool = Pool::builder().max_size(1).build(manager.clone()).unwrap();
    let mut connection = pool.get().unwrap();
    assert_eq!(
        PooledConnection::extensions_mut(&mut connection).insert(7_u8),
        None
    );
    drop(connection);
    let connection = pool.get().unwrap();
    assert_eq!(
        PooledConnection::extensions(&connection).get::<u8>(),
        Some(&7)
    );
    manager.0.is_broken.store(true, Ordering::SeqCst);
    drop(connection);
    let connection = pool.get().unwrap();
    assert_eq!(PooledConnection::extensions(&connection).get::<u8>(), None);
}

#[test]
fn who_does_not_wait_gets_what_is_idle_and_passes_its_test() {
    let manager = Manager::default();
    let pool = listened_to(&manager).build(manager.clone()).unwrap();
    manager.0.diary.take();
    let connection = pool.try_get().unwrap();
    assert!(pool.try_get().is_none());
    assert!(pool.get_timeout(Duration::ZERO).is_err());
    drop(connection);
    let told = manager.0.diary.take();
    assert_eq!(
        told,
        ["valid? 1", "timeout 0ns", "checkin", "broken? 1"],
        "and no checkout"
    );
    assert!(pool.get_timeout(Duration::ZERO).is_ok(), "one is idle");
}

#[test]
fn who_does_not_wait_gets_nothing_that_fails_its_test() {
    let manager = Manager::default();
    let builder = listened_to(&manager).max_size(2).min_idle(Some(2));
    let pool = builder.build(manager.clone()).unwrap();
    manager.0.is_down.store(true, Ordering::SeqCst);
    manager.0.is_invalid.store(true, Ordering::SeqCst);
    assert!(pool.try_get().is_none());
    for number in [1, 2] {
        let released = format!("on_release {number}");
        assert_eq!(manager.0.diary.count(&released), 1, "by the caller");
    }
    until("nothing is open", || pool.state().connections == 0);
}

#[test]
fn without_the_test_nothing_is_asked_of_a_connection() {
    let manager = Manager::default();
    let builder = listened_to(&manager).test_on_check_out(false);
    let pool = builder.build(manager.clone()).unwrap();
    manager.0.is_invalid.store(true, Ordering::SeqCst);
    drop(pool.try_get().unwrap());
    assert_eq!(pool.get().unwrap().number, 1);
}

/// Panics over a connection that is not 0.
struct Panics;

impl everpool_r2d2::ManageConnection for Panics {
    type Connection = u32;
    type Error = Failed;

    fn connect(&self) -> Result<u32, Failed> {
        Ok(0)
    }
    fn is_valid(&self, conn: &mut u32) -> Result<(), Failed> {
        assert_ne!(*conn, 2, "as the test says");
        Ok(())
    }
    fn has_broken(&self, conn: &mut u32) -> bool {
        assert_ne!(*conn, 1, "as the test says");
        false
    }
}

#[test]
fn a_manager_that_panics_on_return_costs_its_connection_only() {
    let pool = Pool::builder().max_size(1).build(Panics).unwrap();
    *pool.get().unwrap() = 1;
    assert_eq!(*pool.get().unwrap(), 0);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut connection = pool.get().unwrap();
        *connection = 1;
        panic!("as the test says");
    }));
    assert!(unwound.is_err());
    assert_eq!(*pool.get().unwrap(), 0);
}

#[test]
fn a_manager_that_panics_in_a_test_costs_its_connection_only() {
    let pool = Pool::builder().max_size(1).build(Panics).unwrap();
    *pool.get().unwrap() = 2;
    assert_eq!(*pool.get().unwrap(), 0, "another one is opened");
    *pool.get().unwrap() = 2;
    let unwound = catch_unwind(AssertUnwindSafe(|| pool.try_get().is_some()));
    assert!(unwound.is_err(), "the caller makes the test");
    assert_eq!(*pool.get().unwrap(), 0);
}

#[test]
fn a_pool_and_its_connections_may_go_from_thread_to_thread() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<Pool<Manager>>();
    is_sync::<Pool<Manager>>();
    is_send::<PooledConnection<Manager>>();
    is_sync::<PooledConnection<Manager>>();
    let pool = Pool::builder()
        .max_size(1)
        .build(Manager::default())
        .unwrap();
    let connection = pool.get().unwrap();
    thread::spawn(move || drop(connection)).join().unwrap();
    assert_eq!(pool.state().idle_connections, 1);
}
