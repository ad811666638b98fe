//! `first_connect` runs once, and every other connection's hooks wait for it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use everpool_core::{Capacity, ConnectFailure};

use crate::diary::{Pool, Refused, lease, listen, pool, pool_with, refused, settled};

fn of_three() -> Pool {
    pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 3,
            overflow: 0,
        };
    })
}

/// A hook of `first_connect` that waits for the test.
fn slow_first_connect(pool: &Pool) -> (Receiver<()>, Sender<()>) {
    let (says_begun, begun) = channel();
    let (release, released) = channel::<()>();
    let released = Mutex::new(released);
    pool.events().first_connect(move |_, _| {
        says_begun.send(())?;
        released.lock().expect("nobody panics").recv()?;
        Ok(())
    });
    (begun, release)
}

#[test]
fn no_connect_hook_runs_before_first_connect_has_succeeded() {
    let pool = of_three();
    let diary = pool.connector().diary.clone();
    let (begun, release) = slow_first_connect(&pool);
    listen(&pool.events(), &diary);
    thread::scope(|scope| {
        let borrowers: Vec<_> = (0..3).map(|_| scope.spawn(|| lease(&pool))).collect();
        begun.recv().expect("somebody is the first");
        for number in 1..=3 {
            diary.wait_for(&format!("driver: connect {number}"));
        }
        assert_eq!(
            pool.status().connecting,
            3,
            "all are open and wait for the first"
        );
        assert_eq!(diary.events(), [""; 0]);
        release.send(()).expect("the hook waits");
        let leases: Vec<_> = borrowers
            .into_iter()
            .map(|borrower| borrower.join().expect("it gets its connection"))
            .collect();
        drop(leases);
    });
    let mut events = diary.events();
    let first = events.remove(0);
    assert!(first.starts_with("first_connect "), "{first}");
    let connects = events
        .iter()
        .filter(|event| event.starts_with("connect "))
        .count();
    assert_eq!(connects, 3);
    assert!(
        !events
            .iter()
            .any(|event| event.starts_with("first_connect ")),
        "{events:?}"
    );
}

#[test]
fn first_connect_is_called_once_though_the_pool_is_recreated() {
    let pool = pool();
    let diary = pool.connector().diary.clone();
    listen(&pool.events(), &diary);
    pool.recreate();
    drop(lease(&pool));
    pool.recreate();
    drop(lease(&pool));
    let mut events = diary.events();
    events.retain(|event| event.contains("connect"));
    assert_eq!(events, ["first_connect 1", "connect 1", "connect 2"]);
}

#[test]
fn a_first_connect_that_fails_is_told_and_tried_again() {
    let pool = pool();
    let diary = pool.connector().diary.clone();
    let fails = AtomicBool::new(true);
    pool.events().first_connect(move |_, _| {
        if fails.swap(false, Ordering::Relaxed) {
            Err("not yet")?;
        }
        Ok(())
    });
    listen(&pool.events(), &diary);
    match refused(&pool) {
        Refused::Connect(failure) => {
            assert!(matches!(*failure, ConnectFailure::Hook(_)), "{failure}");
        }
        other => panic!("expected the hook's refusal, not {other:?}"),
    }
    settled(&pool);
    assert_eq!(
        diary.all(),
        ["driver: connect 1", "driver: close 1"],
        "no connect hook was called"
    );
    assert_eq!(lease(&pool).number, 2);
    assert_eq!(diary.events()[..2], ["first_connect 2", "connect 2"]);
}

#[test]
fn a_first_connect_that_panics_lets_the_next_be_the_first() {
    let pool = of_three();
    let diary = pool.connector().diary.clone();
    let (begun, release) = slow_first_connect(&pool);
    let panics = AtomicBool::new(true);
    pool.events().first_connect(move |_, _| {
        assert!(
            !panics.swap(false, Ordering::Relaxed),
            "the first hook panics"
        );
        Ok(())
    });
    listen(&pool.events(), &diary);
    thread::scope(|scope| {
        let borrowers: Vec<_> = (0..2).map(|_| scope.spawn(|| pool.checkout())).collect();
        begun.recv().expect("somebody is the first");
        diary.wait_for("driver: connect 2");
        release.send(()).expect("the hook waits");
        begun.recv().expect("then it is the other's turn");
        release.send(()).expect("the hook waits");
        let outcomes = borrowers
            .into_iter()
            .map(|borrower| borrower.join().expect("no panic"));
        let (lent, refused): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
        assert_eq!((lent.len(), refused.len()), (1, 1), "{refused:?}");
    });
    let firsts = diary
        .events()
        .iter()
        .filter(|event| event.starts_with("first_connect "))
        .count();
    assert_eq!(firsts, 1);
}

#[test]
fn a_first_connect_registered_later_hears_of_the_next_connection() {
    let pool = pool();
    drop(lease(&pool));
    let diary = pool.connector().diary.clone();
    listen(&pool.events(), &diary);
    diary.all();
    drop(lease(&pool));
    pool.recreate();
    drop(lease(&pool));
    let mut events = diary.events();
    events.retain(|event| event.contains("connect"));
    assert_eq!(events, ["first_connect 2", "connect 2"]);
}
