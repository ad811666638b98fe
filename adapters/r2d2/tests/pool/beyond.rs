//! What r2d2 does not have.

use std::sync::atomic::Ordering;

use everpool_r2d2::{Builder, Fault, Pool, PooledConnection};

use crate::scripted::{Manager, until};

const SIZE: u32 = 3;

fn full(manager: &Manager, builder: Builder<Manager>) -> Pool<Manager> {
    builder.max_size(SIZE).build(manager.clone()).unwrap()
}

fn dropped(manager: &Manager) -> Vec<u32> {
    let is_dropped = |number: &u32| manager.0.diary.count(&format!("drop {number}")) == 1;
    (1..=SIZE).filter(is_dropped).collect()
}

#[test]
fn one_connection_said_to_be_lost_is_not_lent_again() {
    let manager = Manager::default();
    let pool = full(&manager, Pool::builder());
    let mut connection = pool.get().unwrap();
    let number = connection.number;
    PooledConnection::invalidate(&mut connection, Fault::Statement);
    drop(connection);
    assert_eq!(dropped(&manager), [0; 0], "that was the statement's fault");
    let mut connection = pool.get().unwrap();
    assert_eq!(connection.number, number);
    PooledConnection::invalidate(&mut connection, Fault::Connection);
    drop(connection);
    assert_eq!(dropped(&manager), [number]);
}

#[test]
fn with_a_server_lost_all_of_its_connections_are_replaced() {
    let manager = Manager::default();
    let pool = full(&manager, Pool::builder());
    let mut connection = pool.get().unwrap();
    let other = pool.get().unwrap();
    PooledConnection::invalidate(&mut connection, Fault::Server);
    until("what is idle is closed at once", || {
        dropped(&manager).len() == 1
    });
    drop((connection, other));
    until("what was out is closed when it comes back", || {
        dropped(&manager).len() == 3
    });
    assert!(pool.get().unwrap().number > SIZE);
}

#[test]
fn a_failed_test_can_say_that_the_server_is_lost() {
    for (fault, is_tested) in [(Fault::Connection, 3), (Fault::Server, 1)] {
        let manager = Manager::default();
        let pool = full(&manager, Pool::builder().fault_of(move |_, _| fault));
        manager.0.is_invalid.store(true, Ordering::SeqCst);
        manager.0.is_down.store(true, Ordering::SeqCst);
        let refused = pool.get_timeout(std::time::Duration::from_millis(100));
        assert!(refused.is_err());
        until("all are closed", || {
            dropped(&manager).len() == SIZE as usize
        });
        let tests = (1..=SIZE).map(|number| manager.0.diary.count(&format!("valid? {number}")));
        assert_eq!(tests.sum::<usize>(), is_tested, "{fault:?}");
    }
}

#[test]
fn the_pool_beneath_can_be_told_what_r2d2_s_cannot() {
    let manager = Manager::default();
    let pool = full(&manager, Pool::builder());
    pool.everpool().recreate();
    until("all are replaced", || {
        dropped(&manager).len() == SIZE as usize
    });
    let connection = pool.get().unwrap();
    let holder = pool.everpool().holders().remove(0);
    assert_eq!(holder.place.file(), file!(), "whoever has it");
    drop(connection);
}
