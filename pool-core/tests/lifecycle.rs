//! From the first checkout to the last: what a pool is told to do with its connections, and what it
//! says of them.

use std::{error::Error, sync::mpsc::channel, thread, time::Duration};

use everpool_core::{Capacity, Cause, CheckoutError, Fault, Phase, Residue, blocking, future};

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/diary.rs"]
mod diary;
#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use diary::{
    PATIENCE, Pool, Refused, Told, block_on, lease, left, pool, pool_over, pool_with, refused,
    settled,
};
use support::{Act, Failed, Method, Scripted, block};

const SHORT: Duration = Duration::from_millis(20);

fn of(size: u32, overflow: u32) -> Pool {
    pool_with(|options| options.capacity = Capacity::Bounded { size, overflow })
}

fn closes(pool: &Pool) -> usize {
    settled(pool);
    pool.connector().scripted.calls(Method::Close)
}

fn connects(pool: &Pool) -> usize {
    pool.connector().scripted.calls(Method::Connect)
}

fn timed_out(answer: Result<blocking::Lease<Told>, Refused>) -> Phase {
    match answer {
        Err(CheckoutError::TimedOut(timed_out)) => timed_out.phase,
        other => panic!("expected a timeout, not {other:?}"),
    }
}

fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

/// A thread that waits in line meanwhile, and what becomes of it.
fn while_one_waits<T: Send>(pool: &Pool, work: impl FnOnce() -> T) -> (T, Result<u32, Refused>) {
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.checkout().map(|lease| lease.number));
        until(|| pool.status().waiting == 1);
        let done = work();
        (done, waiter.join().expect("it does not panic"))
    })
}

#[test]
fn a_detached_connection_leaves_its_place_at_once_and_is_closed_later() {
    let pool = pool();
    let detached = lease(&pool).detach();
    let next = lease(&pool);
    assert_eq!(
        (detached.number, next.number),
        (1, 2),
        "more are open than the limit says"
    );
    assert_eq!(pool.status().checked_out, 1);
    assert_eq!(closes(&pool), 0);
    drop(detached);
    pool.connector().diary.wait_for("driver: close 1");
    assert_eq!(closes(&pool), 1, "once");
    drop(next);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn a_detached_connection_serves_who_waits_with_its_place() {
    let pool = pool();
    let out = lease(&pool);
    let (detached, waiter) = while_one_waits(&pool, || out.detach());
    assert_eq!(waiter.expect("there is a place"), 2);
    assert_eq!(detached.number, 1);
}

#[test]
fn a_detached_connection_can_be_kept_without_its_pool() {
    let pool = pool();
    let detached = lease(&pool).detach();
    drop(pool);
    let mut connection = detached.into_connection();
    connection.residue = Residue::Open;
    assert_eq!(connection.number, 1);
}

#[test]
fn a_detached_connection_that_outlives_its_pool_is_closed_by_its_driver() {
    let pool = pool();
    let diary = pool.connector().diary.clone();
    let detached = lease(&pool).detach();
    drop(pool);
    drop(detached);
    diary.wait_for("driver: close 1");
}

#[test]
fn an_invalidated_connection_is_closed_once_and_the_next_is_pooled() {
    let pool = pool();
    lease(&pool).invalidate(Fault::Connection);
    assert_eq!(closes(&pool), 1);
    assert_eq!(lease(&pool).number, 2);
    assert_eq!(lease(&pool).number, 2);
    assert_eq!(closes(&pool), 1);
}

#[test]
fn a_softly_invalidated_connection_is_used_on_and_replaced_in_its_slot() {
    let pool = pool();
    let mut out = lease(&pool);
    let slot = out.slot();
    out.invalidate_soft();
    out.residue = Residue::Clean;
    assert_eq!(closes(&pool), 0, "it is still in use");
    drop(out);
    assert_eq!(closes(&pool), 1);
    let next = lease(&pool);
    assert_eq!((next.number, next.slot()), (2, slot));
}

#[test]
fn invalidating_tells_nobody_of_the_driver() {
    let pool = pool();
    pool.connector().will(Method::Close, Act::Panic);
    lease(&pool).invalidate_because(Fault::Connection, Failed);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn recreating_closes_what_rests_once_and_what_is_out_on_its_return() {
    let pool = of(2, 0);
    let (resting, out) = (lease(&pool), lease(&pool));
    drop(resting);
    pool.recreate();
    assert_eq!(closes(&pool), 1);
    assert_eq!(out.number, 2, "it can be used on");
    drop(out);
    assert_eq!(closes(&pool), 2);
    assert_eq!(connects(&pool), 2, "nothing is opened before it is needed");
    assert_eq!(lease(&pool).number, 3);
    let status = pool.status();
    assert_eq!(
        (status.idle, status.overflow),
        (1, -1),
        "no counter goes astray"
    );
}

#[test]
fn however_many_connections_suspect_their_server_the_pool_is_recreated_once() {
    let pool = of(3, 0);
    let leases: Vec<_> = (0..3).map(|_| lease(&pool)).collect();
    let generation = leases[0].generation();
    assert!(pool.suspect(generation));
    assert!(!pool.suspect(generation));
    for lease in leases {
        lease.invalidate(Fault::Server);
    }
    let next = lease(&pool);
    assert_eq!(next.generation(), pool.status().generation);
    assert_eq!(closes(&pool), 3);
    assert!(pool.suspect(next.generation()));
}

#[test]
fn abandoned_connections_are_neither_closed_nor_used() {
    let pool = of(2, 0);
    let (resting, out) = (lease(&pool), lease(&pool));
    drop(resting);
    pool.abandon();
    let both = (lease(&pool), out);
    assert_eq!(both.0.number, 3);
    assert_eq!(pool.status().checked_out, 2);
    drop(both);
    assert_eq!(closes(&pool), 1, "what was out is ours to close");
    let diary = pool.connector().diary.clone();
    drop(pool);
    diary.wait_for("driver: close 3");
    assert!(!diary.all().contains(&"driver: close 1".into()));
}

#[test]
fn a_close_waits_for_what_is_out_and_is_drained() {
    let pool = of(2, 0);
    let (resting, out) = (lease(&pool), lease(&pool));
    drop(resting);
    let closed = thread::scope(|scope| {
        let closing = scope.spawn(|| pool.close(PATIENCE));
        until(|| matches!(pool.checkout(), Err(CheckoutError::Closed)));
        drop(out);
        closing.join().expect("it ends")
    });
    assert!(closed.is_drained());
    assert_eq!(closed.to_string(), "closed; every connection came back");
    assert_eq!(closes(&pool), 2);
}

#[test]
fn a_close_says_who_has_not_returned_a_connection() {
    let pool = pool();
    let (line, out) = (line!(), pool.checkout().expect("it is opened"));
    let closed = pool.close(SHORT);
    assert!(!closed.is_drained());
    assert_eq!(closed.still_out.len(), 1);
    let place = closed.still_out[0].place;
    assert_eq!((place.file(), place.line()), (file!(), line));
    let text = closed.to_string();
    let expected = format!("closed; 1 still out; checked out at {}:{line}:", file!());
    assert!(text.starts_with(&expected), "{text}");

    assert!(matches!(refused(&pool), CheckoutError::Closed));
    assert_eq!(refused(&pool).to_string(), "the pool is closed");
    assert!(pool.try_checkout().is_none());
    assert_eq!(closes(&pool), 0, "it can be used on");
    drop(out);
    assert_eq!(closes(&pool), 1);
    assert!(
        pool.close(PATIENCE).is_drained(),
        "and can be asked for again"
    );
}

#[test]
fn a_close_tells_who_waits() {
    let pool = pool();
    let out = lease(&pool);
    let (closed, waiter) = while_one_waits(&pool, || pool.close(Duration::ZERO));
    assert!(matches!(waiter, Err(CheckoutError::Closed)), "{waiter:?}");
    assert_eq!(closed.status.waiting, 0);
    drop(out);
}

#[test]
fn what_is_opened_when_its_pool_is_closed_is_closed() {
    let pool = pool();
    let (act, blocked) = block();
    pool.connector().will(Method::Connect, act);
    let (closed, waiter) = while_one_waits(&pool, || {
        blocked.wait_until_begun();
        pool.close(SHORT)
    });
    assert!(matches!(waiter, Err(CheckoutError::Closed)), "{waiter:?}");
    assert!(!closed.is_drained(), "{closed:?}");
    blocked.release();
    assert!(pool.close(PATIENCE).is_drained());
    assert_eq!(closes(&pool), 1);
}

#[test]
fn what_is_pinged_when_its_pool_is_closed_is_not_forgotten() {
    let pool = pool_with(|options| options.pre_ping = true);
    drop(lease(&pool));
    let (act, blocked) = block();
    pool.connector().will(Method::Ping, act);
    let (closed, waiter) = while_one_waits(&pool, || {
        blocked.wait_until_begun();
        pool.close(SHORT)
    });
    assert!(waiter.is_err());
    assert!(!closed.is_drained(), "{closed:?}");
    blocked.release();
    assert!(pool.close(PATIENCE).is_drained());
    assert_eq!(closes(&pool), 1);
}

#[test]
fn a_close_of_tasks_is_that_of_threads() {
    let pool = pool();
    let tasks: future::Pool<_, _> = pool.for_tasks().expect("a queue is for tasks too");
    let out = block_on(tasks.checkout()).expect("it is opened");
    let closed = block_on(tasks.close(SHORT));
    assert_eq!(closed.still_out.len(), 1);
    assert_eq!(closed.still_out[0].place.file(), file!());
    assert!(matches!(refused(&pool), CheckoutError::Closed));
    assert!(matches!(
        block_on(tasks.checkout()),
        Err(CheckoutError::Closed)
    ));
    drop(out);
    assert!(block_on(tasks.close(PATIENCE)).is_drained());
    assert_eq!(closes(&pool), 1);
}

#[test]
fn a_closed_pool_opens_nothing_whatever_it_is_told() {
    let pool = pool_with(|options| options.min_idle = 1);
    until(|| pool.status().idle == 1);
    assert!(pool.close(PATIENCE).is_drained());
    pool.recreate();
    pool.suspend();
    pool.resume();
    let larger = Capacity::Bounded {
        size: 5,
        overflow: 0,
    };
    pool.resize(larger).expect("a right size");
    assert!(matches!(refused(&pool), CheckoutError::Closed));
    assert!(pool.close(PATIENCE).is_drained());
    assert_eq!(connects(&pool), 1);
}

#[test]
fn a_larger_size_serves_who_waits_and_keeps_more() {
    let pool = pool();
    let out = lease(&pool);
    let larger = Capacity::Bounded {
        size: 2,
        overflow: 0,
    };
    let (resized, waiter) = while_one_waits(&pool, || pool.resize(larger));
    assert_eq!(resized, Ok(()));
    assert_eq!(waiter.expect("there is room"), 2);
    drop(out);
    assert_eq!((pool.status().size, pool.status().idle), (2, 2));
    assert_eq!(closes(&pool), 0);
}

#[test]
fn a_smaller_size_closes_what_is_too_much() {
    let pool = of(3, 0);
    let mut leases: Vec<_> = (0..3).map(|_| lease(&pool)).collect();
    let out = leases.pop();
    drop(leases);
    let smaller = Capacity::Bounded {
        size: 1,
        overflow: 0,
    };
    assert_eq!(pool.resize(smaller), Ok(()));
    assert_eq!(closes(&pool), 2);
    drop(out);
    assert_eq!(lease(&pool).number, 3, "one is kept");
    assert_eq!(
        timed_out({
            let _out = lease(&pool);
            pool.checkout_timeout(SHORT)
        }),
        Phase::Queue
    );
}

#[test]
fn a_wrong_size_changes_nothing() {
    let pool = pool();
    let none = Capacity::Bounded {
        size: 0,
        overflow: 0,
    };
    let error = pool.resize(none).expect_err("no pool is of that size");
    assert_eq!(error.option(), "pool_size");
    assert_eq!(pool.status().size, 1);
    assert_eq!(lease(&pool).number, 1);
}

#[test]
fn while_suspended_callers_wait_within_their_deadlines() {
    let pool = of(2, 0);
    let out = lease(&pool);
    drop(lease(&pool));
    pool.suspend();
    assert_eq!(timed_out(pool.checkout_timeout(SHORT)), Phase::Suspended);
    let text = pool
        .checkout_timeout(Duration::ZERO)
        .expect_err("it is suspended")
        .to_string();
    assert!(text.contains("the pool was suspended"), "{text}");
    assert!(pool.try_checkout().is_none());
    assert_eq!(out.number, 1, "who has a connection keeps it");
    drop(out);
    let ((), waiter) = while_one_waits(&pool, || pool.resume());
    assert!(waiter.is_ok(), "{waiter:?}");
}

#[test]
fn a_try_takes_what_rests_and_opens_nothing() {
    let pool = pool();
    assert!(pool.try_checkout().is_none());
    assert_eq!(connects(&pool), 0);
    drop(lease(&pool));
    let out = pool.try_checkout().expect("it rests");
    assert_eq!(out.number, 1);
    assert!(pool.try_checkout().is_none(), "it is out");
    drop(out);
    pool.recreate();
    assert!(pool.try_checkout().is_none());
    settled(&pool);
    let tasks = pool.for_tasks().expect("a queue is for tasks too");
    assert!(tasks.try_checkout().is_none());
    drop(lease(&pool));
    assert_eq!(tasks.try_checkout().expect("it rests").number, 2);
}

#[test]
fn a_try_takes_nothing_that_is_to_be_pinged() {
    let pool = pool_with(|options| options.pre_ping = true);
    drop(lease(&pool));
    assert!(pool.try_checkout().is_none());
    assert_eq!(pool.connector().scripted.calls(Method::Ping), 0);
}

#[test]
fn so_many_are_opened_ahead_and_again_when_they_are_taken() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 3,
            overflow: 0,
        };
        options.min_idle = 2;
    });
    until(|| pool.status().idle == 2);
    let out = lease(&pool);
    assert!(out.number <= 2, "who comes does not wait for a connect");
    until(|| pool.status().idle == 2);
    assert_eq!(connects(&pool), 3);
    drop(out);
    assert_eq!(pool.status().idle, 3);
}

#[test]
fn a_snapshot_has_counted_all() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 1,
            overflow: 1,
        };
        options.measure_use = true;
    });
    drop((lease(&pool), lease(&pool)));
    lease(&pool).invalidate(Fault::Connection);
    pool.connector().will(Method::Connect, Act::Fail);
    refused(&pool);
    let both = (lease(&pool), lease(&pool));
    timed_out(pool.checkout_timeout(Duration::ZERO));
    settled(&pool);
    let snapshot = pool.snapshot();
    assert_eq!(snapshot.checkouts, 5);
    assert_eq!(snapshot.timeouts, 1);
    assert_eq!(snapshot.opened, 4);
    assert_eq!(snapshot.connect_errors, 1);
    assert_eq!(snapshot.closed(Cause::Surplus), 1);
    assert_eq!(snapshot.closed(Cause::Invalidated), 1);
    assert_eq!(snapshot.closed_in_all(), 2);
    assert_eq!(snapshot.status.checked_out, 2);
    assert_eq!(snapshot.oldest_wait, None);
    drop(both);
}

#[test]
fn holders_are_told_with_their_places_the_longest_first() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
        options.measure_use = true;
    });
    assert_eq!(pool.holders(), []);
    let (first_line, first) = (line!(), pool.checkout().expect("it is opened"));
    let (second_line, second) = (line!(), pool.checkout().expect("it is opened"));
    let holders = pool.holders();
    let lines: Vec<_> = holders.iter().map(|holder| holder.place.line()).collect();
    assert_eq!(lines, [first_line, second_line]);
    assert!(
        holders.iter().all(|holder| holder.held.is_some()),
        "uses are measured"
    );
    drop(first);
    assert_eq!(pool.holders().len(), 1);
    drop(second);
    assert_eq!(pool.holders(), []);
}

#[test]
fn the_last_handle_closes_what_rests_as_it_should_be() {
    let pool = of(2, 0);
    let diary = pool.connector().diary.clone();
    drop((lease(&pool), lease(&pool)));
    let other = pool.clone();
    drop(pool);
    assert_eq!(closes(&other), 0, "it was not the last");
    drop(other);
    diary.wait_for("driver: close 1");
    diary.wait_for("driver: close 2");
}

#[test]
fn a_lease_may_be_the_last_handle() {
    let pool = pool();
    let diary = pool.connector().diary.clone();
    let mut out = lease(&pool);
    drop(pool);
    out.residue = Residue::Open;
    drop(out);
    diary.wait_for("driver: close 1");
    assert_eq!(
        diary.all(),
        ["driver: connect 1", "driver: Rollback 1", "driver: close 1"]
    );
}

/// A thread that has a connection while the work is done.
fn while_another_has_one<T>(pool: &Pool, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        let (says, told) = channel();
        let (ends, ended) = channel::<()>();
        scope.spawn(move || {
            let _out = lease(pool);
            says.send(()).expect("the test waits");
            // Nothing is ever sent.
            let _ended = ended.recv();
        });
        told.recv().expect("it gets one");
        let done = work();
        drop(ends);
        done
    })
}

#[test]
fn a_timeout_in_the_queue_tells_all_that_is_known() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 1,
            overflow: 1,
        };
        options.measure_use = true;
    });
    let (own_line, error) = while_another_has_one(&pool, || {
        let own_line = line!() + 1;
        let _own = pool.checkout().expect("there is room for one more");
        (
            own_line,
            pool.checkout_timeout(SHORT).expect_err("all are in use"),
        )
    });
    let text = error.to_string();
    let CheckoutError::TimedOut(timed_out) = error else {
        panic!("expected a timeout, not {text}");
    };
    assert_eq!(timed_out.phase, Phase::Queue);
    assert!(timed_out.waited >= SHORT);
    let numbers = timed_out.status;
    assert_eq!((numbers.checked_out, numbers.waiting), (2, 0));
    assert!(timed_out.source().is_none(), "no connect failed");
    let own = timed_out.own.expect("this thread has one");
    assert_eq!(own.place.line(), own_line);
    let numbers = "all connections were in use (Pool size: 1  Connections in pool: 0 \
                   Current Overflow: 1 Current Checked out connections: 2  Waiting: 0; \
                   the oldest was checked out at ";
    assert!(text.starts_with("no connection within "), "{text}");
    assert!(text.contains(numbers), "{text}");
    let own = format!(
        "; this thread or task has one itself, checked out at {}:{own_line}:",
        file!()
    );
    assert!(text.contains(&own), "{text}");
    assert!(text.ends_with(" ago)"), "{text}");
}

#[test]
fn a_timeout_does_not_blame_a_caller_who_has_nothing() {
    let pool = pool();
    let error = while_another_has_one(&pool, || pool.checkout_timeout(SHORT).map(drop));
    let text = error.expect_err("all are in use").to_string();
    assert!(text.contains("; the oldest was checked out at "), "{text}");
    assert!(!text.contains("itself"), "{text}");
}

#[test]
fn a_timeout_tells_the_last_connect_error_and_its_age() {
    let pool = pool_over(Told::with(Scripted::away()), |_| {});
    pool.connector().will(Method::Connect, Act::Fail);
    let (act, blocked) = block();
    pool.connector().will(Method::Connect, act);
    let error = thread::scope(|scope| {
        let other = scope.spawn(|| pool.checkout().map(drop));
        blocked.wait_until_begun();
        let error = pool.checkout_timeout(SHORT).expect_err("nothing is opened");
        blocked.release();
        assert!(other.join().expect("no panic").is_ok());
        error
    });
    let text = error.to_string();
    assert!(
        text.contains("the server accepted no connection ("),
        "{text}"
    );
    assert!(text.contains("; last connect error, "), "{text}");
    assert!(text.contains(" ago: the script says no"), "{text}");
    let CheckoutError::TimedOut(timed_out) = error else {
        panic!("expected a timeout, not {text}");
    };
    let source = timed_out.source().expect("the connect error");
    assert_eq!(source.to_string(), "the script says no");
    assert!(
        timed_out
            .last_connect_error
            .is_some_and(|last| last.age >= SHORT)
    );
}

#[test]
fn a_connect_that_hangs_holds_up_one_caller_at_most() {
    let pool = of(1, 3);
    let (act, blocked) = block();
    pool.connector().will(Method::Connect, act);
    thread::scope(|scope| {
        let (gives, given) = channel();
        for _ in 0..4 {
            let gives = gives.clone();
            let pool = &pool;
            scope.spawn(move || gives.send(lease(pool)).expect("the test waits"));
        }
        blocked.wait_until_begun();
        let others: Vec<_> = given.iter().take(3).collect();
        assert_eq!((others.len(), pool.status().waiting), (3, 1));
        blocked.release();
        drop(given.recv().expect("it is served last"));
    });
}

#[test]
fn a_deadline_can_be_read_and_changed_for_one_handle() {
    let pool = pool();
    let other = pool.clone().with_timeout(Duration::from_secs(123));
    assert_eq!(other.timeout(), Duration::from_secs(123));
    assert_eq!(pool.timeout(), PATIENCE);
    let brief = pool.clone().with_timeout(Duration::from_millis(30));
    let _out = lease(&pool);
    match brief.checkout() {
        Err(CheckoutError::TimedOut(timed_out)) => {
            assert!(timed_out.waited >= Duration::from_millis(30));
            assert!(timed_out.waited < Duration::from_secs(10));
        }
        other => panic!("expected a timeout, not {other:?}"),
    }
}

#[test]
fn a_scope_that_ends_with_an_error_returns_its_connection() {
    fn work(pool: &Pool) -> Result<u32, Box<dyn Error>> {
        let out = pool.checkout()?;
        assert_eq!(pool.status().checked_out, 1);
        match out.number {
            0 => Ok(0),
            _ => Err(Failed.into()),
        }
    }
    let pool = pool();
    let error = work(&pool).expect_err("it fails");
    assert!(error.is::<Failed>());
    assert_eq!((pool.status().checked_out, pool.status().idle), (0, 1));
}

#[test]
fn a_ping_that_meets_a_dead_server_leaves_no_slot_behind() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 5,
            overflow: 10,
        };
        options.pre_ping = true;
    });
    drop(lease(&pool));
    pool.connector().will(Method::Ping, Act::Fail);
    pool.connector().will(Method::Connect, Act::Fail);
    assert_eq!(
        refused(&pool).to_string(),
        "cannot connect: the script says no",
        "the connect error, not the ping's"
    );
    settled(&pool);
    let status = pool.status();
    assert_eq!(
        (status.idle, status.overflow, status.checked_out),
        (0, -5, 0)
    );
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn after_a_failed_connect_all_that_may_be_open_can_be() {
    let pool = of(1, 1);
    left(&pool, Residue::Broken);
    for _ in 0..3 {
        pool.connector().will(Method::Connect, Act::Fail);
        refused(&pool);
        let status = pool.status();
        assert_eq!((status.overflow, status.checked_out), (-1, 0));
    }
    let both = (lease(&pool), lease(&pool));
    assert_eq!(
        timed_out(pool.checkout_timeout(Duration::ZERO)),
        Phase::Queue
    );
    drop(both);
}
