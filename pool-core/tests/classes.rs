//! SQLAlchemy's pool classes, as threads and tasks see them.

use std::{
    collections::HashSet,
    pin::pin,
    sync::mpsc::channel,
    task::{Context, Waker},
    thread,
    time::Duration,
};

use everpool_core::{
    Capacity, CheckoutError, Fault, Options, Phase, PoolClass, Residue, Threads, future,
};

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/diary.rs"]
mod diary;
#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use diary::{
    Lease, PATIENCE, Pool, Refused, Told, block_on, heard, lease, left, pool_with, refused, settled,
};
use support::{Method, block};

const SHORT: Duration = Duration::from_millis(20);

const CLASSES: [PoolClass; 5] = [
    PoolClass::QueuePool,
    PoolClass::NullPool,
    PoolClass::StaticPool,
    PoolClass::SingletonThreadPool,
    PoolClass::AssertionPool,
];

fn pool_of(class: PoolClass) -> Pool {
    pool_with(|options| options.class = class)
}

fn of_threads(size: u32) -> Pool {
    pool_with(|options| {
        options.class = PoolClass::SingletonThreadPool;
        options.capacity = Capacity::Bounded { size, overflow: 0 };
    })
}

fn for_tasks(pool: &Pool) -> future::Pool<Told, Threads> {
    pool.for_tasks().expect("this class is for tasks too")
}

/// In a thread of its own, which has ended then.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().expect("it does not panic"))
}

/// Takes a connection again and again, until so many are closed: whoever has just returned one may
/// still be on its way out of the pool, and is not evicted then.
fn until_closed(pool: &Pool, closed: usize) {
    while pool.connector().scripted.calls(Method::Close) < closed {
        drop(lease(pool));
        thread::yield_now();
    }
}

/// The line of the first checkout, if that is why this was refused.
fn in_use_at(refused: &Refused) -> u32 {
    match refused {
        CheckoutError::InUse { by: Some(by) } => {
            assert_eq!(by.place.file(), file!());
            by.place.line()
        }
        other => panic!("expected that it is in use, not {other:?}"),
    }
}

#[test]
fn each_class_resets_and_closes_as_sqlalchemys_does() {
    for class in CLASSES {
        let pool = pool_of(class);
        left(&pool, Residue::Open);
        pool.recreate();
        settled(&pool);
        left(&pool, Residue::Open);
        settled(&pool);
        let mut calls = pool.connector().diary.all();
        calls.retain(|call| !call.contains("connect"));
        let mut expected = vec![
            "driver: Rollback 1",
            "driver: close 1",
            "driver: Rollback 2",
        ];
        if class == PoolClass::NullPool {
            expected.push("driver: close 2");
        }
        assert_eq!(calls, expected, "{class}");
    }
}

#[test]
fn no_class_connects_before_its_first_checkout_or_when_it_is_recreated() {
    for class in CLASSES {
        let pool = pool_of(class);
        pool.recreate();
        pool.recreate();
        settled(&pool);
        assert_eq!(pool.connector().diary.all(), [""; 0], "{class}");
    }
}

#[test]
fn each_class_but_that_of_threads_is_for_tasks_too() {
    for class in CLASSES {
        let mut options = Options::default();
        options.class = class;
        let made = future::Pool::in_runtime(Told::default(), options, Threads::default());
        let handed = pool_of(class).for_tasks();
        if class == PoolClass::SingletonThreadPool {
            for error in [made.map(drop), handed.map(drop)] {
                let error = error.expect_err("tasks move between threads");
                assert_eq!(error.option(), "poolclass");
                assert!(
                    error
                        .to_string()
                        .starts_with("poolclass = SingletonThreadPool: ")
                );
            }
        } else {
            assert!(made.is_ok() && handed.is_ok(), "{class}");
        }
    }
}

#[test]
fn each_class_has_its_status_line() {
    for class in CLASSES {
        let pool = pool_of(class);
        let _out = lease(&pool);
        let expected = match class {
            PoolClass::QueuePool => {
                "Pool size: 1  Connections in pool: 0 Current Overflow: 0 Current Checked out connections: 1".into()
            }
            class => format!("{class}  Connections in pool: 0 Current Checked out connections: 1"),
        };
        assert_eq!(pool.status().to_string(), expected);
    }
}

#[test]
fn a_null_pool_opens_each_time_and_keeps_nothing() {
    let pool = pool_of(PoolClass::NullPool);
    let both = (lease(&pool), lease(&pool));
    assert_eq!(both.0.number + both.1.number, 3, "nobody waits");
    drop(both);
    settled(&pool);
    assert_eq!(pool.connector().scripted.calls(Method::Close), 2);
    assert_eq!(pool.status().idle, 0);
    assert_eq!(lease(&pool).number, 3);
    lease(&pool).invalidate(Fault::Connection);
    assert_eq!(lease(&pool).number, 5);
}

#[test]
fn a_null_pool_with_a_limit_makes_callers_wait() {
    let pool = pool_with(|options| {
        options.class = PoolClass::NullPool;
        options.max_total = Some(1);
    });
    let out = lease(&pool);
    match pool.checkout_timeout(SHORT) {
        Err(CheckoutError::TimedOut(timed_out)) => assert_eq!(timed_out.phase, Phase::Queue),
        other => panic!("expected a timeout, not {other:?}"),
    }
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lease(&pool).number);
        while pool.status().waiting == 0 {
            thread::yield_now();
        }
        drop(out);
        assert_eq!(
            waiter.join().expect("it is served"),
            2,
            "by a connection of its own"
        );
    });
}

#[test]
fn a_null_pool_serves_tasks() {
    let pool = pool_of(PoolClass::NullPool);
    let tasks = for_tasks(&pool);
    for number in 1..=2 {
        let out = block_on(tasks.checkout()).expect("one is opened");
        assert_eq!(out.number, number);
        drop(out);
        settled(&pool);
    }
    assert_eq!(pool.connector().scripted.calls(Method::Close), 2);
}

#[test]
fn a_static_pool_has_one_connection_for_all_who_use_it_in_turn() {
    let pool = pool_of(PoolClass::StaticPool);
    let out = lease(&pool);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lease(&pool).number);
        while pool.status().waiting == 0 {
            thread::yield_now();
        }
        drop(out);
        assert_eq!(waiter.join().expect("it is served"), 1);
    });
    assert_eq!(lease(&pool).number, 1);
    assert_eq!(pool.connector().scripted.calls(Method::Connect), 1);
    lease(&pool).invalidate(Fault::Connection);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn each_user_of_a_static_pool_is_reset_and_checked_in() {
    let (pool, diary) = heard(|options| options.class = PoolClass::StaticPool);
    drop(lease(&pool));
    diary.all();
    left(&pool, Residue::Open);
    let expected = ["checkout 1", "reset 1", "driver: Rollback 1", "checkin 1"];
    assert_eq!(diary.all(), expected);
}

#[test]
fn a_static_pool_serves_tasks_in_turn() {
    let pool = pool_of(PoolClass::StaticPool);
    let tasks = for_tasks(&pool);
    let out = block_on(tasks.checkout()).expect("one is opened");
    let mut next = pin!(tasks.checkout());
    let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    drop(out);
    assert_eq!(block_on(next).expect("it is handed on").number, 1);
}

#[test]
fn an_assertion_pool_names_the_place_of_the_first_checkout() {
    let pool = pool_of(PoolClass::AssertionPool);
    for _ in 0..2 {
        let (line, out) = (line!(), pool.checkout().expect("nobody has it"));
        let error = refused(&pool);
        assert_eq!(in_use_at(&error), line);
        let expected = format!(
            "connection is already checked out: checked out at {}:{line}:",
            file!()
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(
            in_use_at(&elsewhere(|| refused(&pool))),
            line,
            "whoever asks"
        );
        assert!(pool.try_checkout().is_none());
        drop(out);
    }
    assert_eq!(pool.connector().scripted.calls(Method::Connect), 1);
}

#[test]
fn an_assertion_pool_is_recreated_under_its_user() {
    let pool = pool_of(PoolClass::AssertionPool);
    let out = lease(&pool);
    pool.recreate();
    assert!(matches!(refused(&pool), CheckoutError::InUse { .. }));
    drop(out);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn an_assertion_pool_refuses_tasks_too() {
    let pool = pool_of(PoolClass::AssertionPool);
    let tasks = for_tasks(&pool);
    block_on(async {
        let (line, out) = (line!(), tasks.checkout().await.expect("nobody has it"));
        let error = tasks.checkout().await.expect_err("somebody has it");
        assert_eq!(in_use_at(&error), line);
        drop(out);
        assert_eq!(tasks.checkout().await.expect("it is back").number, 1);
    });
}

#[test]
fn each_thread_has_its_own_connection_and_keeps_it() {
    let pool = of_threads(3);
    let mine = lease(&pool).number;
    let out = lease(&pool);
    let others: HashSet<_> = (0..2)
        .map(|_| {
            elsewhere(|| {
                let number = lease(&pool).number;
                assert_eq!(lease(&pool).number, number);
                number
            })
        })
        .collect();
    assert_eq!(others.len(), 2);
    assert!(!others.contains(&mine));
    drop(out);
    assert_eq!(lease(&pool).number, mine);
    assert_eq!(pool.connector().scripted.calls(Method::Connect), 3);
}

#[test]
fn a_nested_checkout_in_a_thread_is_refused_with_the_place_of_the_first() {
    let pool = of_threads(3);
    let (line, out) = (line!(), pool.checkout().expect("this thread has none yet"));
    assert_eq!(in_use_at(&refused(&pool)), line);
    assert!(pool.try_checkout().is_none());
    assert_ne!(
        elsewhere(|| lease(&pool).number),
        out.number,
        "others are not concerned"
    );
    drop(out);
    assert_eq!(lease(&pool).number, 1);
}

#[test]
fn as_many_threads_as_told_keep_their_connections() {
    let (pool, diary) = heard(|options| {
        options.class = PoolClass::SingletonThreadPool;
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
    });
    drop(lease(&pool));
    elsewhere(|| drop(lease(&pool)));
    diary.all();
    elsewhere(|| until_closed(&pool, 1));
    let mut events = diary.events();
    events.retain(|event| event.starts_with("close "));
    assert!(
        matches!(&events[..], [one] if one != "close 3"),
        "one that rested: {events:?}"
    );
}

#[test]
fn a_connection_in_use_is_not_taken_from_its_thread() {
    let pool = of_threads(1);
    let out = lease(&pool);
    let other = elsewhere(|| lease(&pool));
    assert_eq!(other.number, 2, "there are more than are kept");
    assert!(matches!(refused(&pool), CheckoutError::InUse { .. }));
    assert_eq!(pool.holders().len(), 2);
    assert_eq!(pool.connector().scripted.calls(Method::Close), 0);
    drop((out, other));
    until_closed(&pool, 1);
    pool.connector().diary.wait_for("driver: close 2");
    assert_eq!(lease(&pool).number, 1);
}

#[test]
fn many_threads_leave_no_more_connections_than_are_kept() {
    let pool = of_threads(3);
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| (0..10).for_each(|_| drop(lease(&pool))));
        }
    });
    let number = lease(&pool).number;
    let closed = pool.close(PATIENCE);
    assert!(closed.is_drained(), "{closed}");
    for closed in 1..=number {
        pool.connector()
            .diary
            .wait_for(&format!("driver: close {closed}"));
    }
}

#[test]
fn the_next_checkouts_close_all_that_are_too_many() {
    let pool = of_threads(1);
    let leases: Vec<Lease> = (0..4).map(|_| elsewhere(|| lease(&pool))).collect();
    drop(leases);
    until_closed(&pool, 4);
    assert_eq!(lease(&pool).number, 5);
}

#[test]
fn a_threads_connection_that_another_returns_is_its_own_again() {
    let pool = of_threads(2);
    thread::scope(|scope| {
        let (gives, given) = channel();
        let (says, told) = channel();
        let pool = &pool;
        let user = scope.spawn(move || {
            gives.send(lease(pool)).expect("the test waits");
            let nested = refused(pool);
            assert!(matches!(nested, CheckoutError::InUse { .. }), "{nested:?}");
            says.send(()).expect("the test waits");
            while pool.status().checked_out > 0 {
                thread::yield_now();
            }
            lease(pool).number
        });
        let out = given.recv().expect("it lends");
        told.recv().expect("it was refused");
        let number = out.number;
        drop(out);
        assert_eq!(user.join().expect("it is served again"), number);
        assert_ne!(lease(pool).number, number, "it did not become ours");
    });
}

#[test]
fn a_recreated_pool_of_threads_closes_the_connections_of_all() {
    let pool = of_threads(3);
    drop(lease(&pool));
    let out = elsewhere(|| lease(&pool));
    pool.recreate();
    pool.connector().diary.wait_for("driver: close 1");
    drop(out);
    pool.connector().diary.wait_for("driver: close 2");
    assert_eq!(lease(&pool).number, 3);
}

#[test]
fn a_thread_that_only_looks_takes_no_place() {
    let pool = of_threads(1);
    drop(lease(&pool));
    elsewhere(|| {
        assert_eq!(pool.status().idle, 0, "of its own it has none");
        assert_eq!(pool.snapshot().opened, 0);
        assert_eq!(pool.holders(), []);
    });
    assert_eq!(pool.status().idle, 1);
    assert_eq!(lease(&pool).number, 1, "nobody was evicted for that");
}

#[test]
fn a_closed_pool_of_threads_lends_to_no_thread() {
    let pool = of_threads(2);
    drop(lease(&pool));
    assert!(pool.close(PATIENCE).is_drained());
    assert!(matches!(refused(&pool), CheckoutError::Closed));
    let newcomer = elsewhere(|| pool.checkout().map(drop));
    assert!(
        matches!(newcomer, Err(CheckoutError::Closed)),
        "{newcomer:?}"
    );
    pool.resume();
    let newcomer = elsewhere(|| pool.checkout().map(drop));
    assert!(
        matches!(newcomer, Err(CheckoutError::Closed)),
        "{newcomer:?}"
    );
}

#[test]
fn a_suspended_pool_of_threads_lends_to_no_thread() {
    let pool = of_threads(2);
    drop(lease(&pool));
    pool.suspend();
    let timed_out = |answer: Result<Lease, Refused>| match answer {
        Err(CheckoutError::TimedOut(timed_out)) => timed_out.phase,
        other => panic!("expected a timeout, not {other:?}"),
    };
    assert_eq!(timed_out(pool.checkout_timeout(SHORT)), Phase::Suspended);
    elsewhere(|| assert_eq!(timed_out(pool.checkout_timeout(SHORT)), Phase::Suspended));
    pool.resume();
    assert_eq!(lease(&pool).number, 1);
    assert_eq!(elsewhere(|| lease(&pool).number), 2);
}

#[test]
fn a_pool_of_threads_opens_nothing_that_is_no_threads() {
    let pool = pool_with(|options| {
        options.class = PoolClass::SingletonThreadPool;
        options.min_idle = 1;
    });
    assert_eq!(lease(&pool).number, 1);
    settled(&pool);
    assert_eq!(pool.connector().scripted.calls(Method::Connect), 1);
}

#[test]
fn a_pool_of_threads_tells_hooks_of_each_threads_connection() {
    let (pool, diary) = heard(|options| {
        options.class = PoolClass::SingletonThreadPool;
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
    });
    drop(lease(&pool));
    elsewhere(|| drop(lease(&pool)));
    let expected = [
        "first_connect 1",
        "connect 1",
        "checkout 1",
        "reset 1, clean",
        "checkin 1",
        "connect 2",
        "checkout 2",
        "reset 2, clean",
        "checkin 2",
    ];
    assert_eq!(diary.events(), expected);
}

#[test]
fn a_closed_pool_of_threads_waits_for_those_of_all_threads() {
    let pool = of_threads(2);
    drop(lease(&pool));
    let (act, blocked) = block();
    pool.connector().will(Method::Connect, act);
    let (closed, newcomer) = thread::scope(|scope| {
        let newcomer = scope.spawn(|| pool.checkout().map(drop));
        blocked.wait_until_begun();
        let closed = pool.close(SHORT);
        (closed, newcomer.join().expect("it does not panic"))
    });
    assert!(
        matches!(newcomer, Err(CheckoutError::Closed)),
        "{newcomer:?}"
    );
    assert!(!closed.is_drained(), "{closed:?}");
    blocked.release();
    assert!(pool.close(PATIENCE).is_drained());
    assert_eq!(pool.connector().scripted.calls(Method::Close), 2);
}
