//! What SQLAlchemy's events cannot see: waits, and connections that are not returned.

use std::{
    future::Future,
    pin::pin,
    sync::mpsc::{Receiver, channel},
    task::{Context, Waker},
    thread,
    time::Duration,
};

use everpool_core::{Capacity, Wait};

use crate::diary::{Pool, lease, pool, pool_with};

const SHORT: Duration = Duration::from_millis(20);

#[derive(Debug, PartialEq)]
enum Heard {
    Started(u32),
    Ended(u32),
    TimedOut(u32),
}

/// Waits, with the lines of their checkouts.
fn waits(pool: &Pool) -> Receiver<Heard> {
    let (says, told) = channel();
    pool.events().wait(move |wait| {
        let heard = match wait {
            Wait::Started { place } => Heard::Started(place.line()),
            Wait::Ended { place, waited } => {
                assert!(waited < crate::diary::PATIENCE);
                Heard::Ended(place.line())
            }
            Wait::TimedOut { place, waited } => {
                assert!(waited >= SHORT, "{waited:?}");
                Heard::TimedOut(place.line())
            }
            other => panic!("unknown: {other:?}"),
        };
        // The test may have ended.
        let _nobody_listens = says.send(heard);
    });
    told
}

fn all(told: &Receiver<Heard>) -> Vec<Heard> {
    told.try_iter().collect()
}

#[test]
fn a_wait_is_told_when_it_begins_and_ends() {
    let pool = pool();
    let told = waits(&pool);
    let (line, out) = (line!(), pool.checkout().expect("it is opened"));
    assert_eq!(
        all(&told),
        [Heard::Started(line), Heard::Ended(line)],
        "for the connect"
    );
    thread::scope(|scope| {
        let waiter = scope.spawn(|| lease(&pool).number);
        let started = told.recv().expect("it waits in line");
        assert!(matches!(started, Heard::Started(_)), "{started:?}");
        assert_eq!(all(&told), [], "and has not been served");
        drop(out);
        assert_eq!(waiter.join().expect("it is served"), 1);
    });
    assert!(matches!(all(&told)[..], [Heard::Ended(_)]));
    drop(lease(&pool));
    assert_eq!(all(&told), [], "who is served at once does not wait");
}

#[test]
fn a_wait_in_vain_is_told_as_that() {
    let pool = pool();
    let _out = lease(&pool);
    let told = waits(&pool);
    let (line, refused) = (line!(), pool.checkout_timeout(SHORT));
    assert!(refused.is_err());
    assert_eq!(all(&told), [Heard::Started(line), Heard::TimedOut(line)]);
}

#[test]
fn a_wait_that_a_close_ends_is_told_too() {
    let pool = pool();
    let out = lease(&pool);
    let told = waits(&pool);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.checkout().map(drop));
        assert!(matches!(told.recv(), Ok(Heard::Started(_))));
        let closed = pool.close(Duration::ZERO);
        assert!(!closed.is_drained());
        assert!(waiter.join().expect("no panic").is_err());
    });
    assert!(matches!(all(&told)[..], [Heard::Ended(_)]));
    drop(out);
}

#[test]
fn a_wait_that_its_caller_leaves_is_told_as_ended() {
    let pool = pool();
    let out = lease(&pool);
    let told = waits(&pool);
    let tasks = pool.for_tasks().expect("a queue is for tasks too");
    {
        let mut checkout = pin!(tasks.checkout());
        let polled = checkout
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert!(matches!(all(&told)[..], [Heard::Started(_)]));
    }
    assert!(
        matches!(all(&told)[..], [Heard::Ended(_)]),
        "or who counts those who wait counts wrong"
    );
    drop(out);
}

#[test]
fn a_wait_hook_that_panics_is_in_nobodys_way() {
    let pool = pool();
    pool.events().wait(|_| panic!("the hook panics"));
    drop(lease(&pool));
    assert_eq!(pool.status().idle, 1);
}

#[test]
fn a_connection_that_is_out_for_too_long_is_reported_with_its_place() {
    let pool = pool_with(|options| options.leak_after = Some(SHORT));
    let (says, told) = channel();
    pool.events().leak(move |holder, held| {
        // The test may have ended.
        let _nobody_listens = says.send((holder.borrower.place, held, thread::current().id()));
    });
    let (line, out) = (line!(), pool.checkout().expect("it is opened"));
    let (place, held, thread) = told.recv().expect("it is reported");
    assert_eq!((place.file(), place.line()), (file!(), line));
    assert!(held >= SHORT, "{held:?}");
    assert_ne!(thread, thread::current().id(), "nobody waited for the pool");
    drop(out);
    drop(lease(&pool));
    assert!(told.try_recv().is_err(), "once a checkout");
}

#[test]
fn a_leak_hook_that_panics_keeps_nothing_from_the_others() {
    let pool = pool_with(|options| options.leak_after = Some(SHORT));
    let (says, told) = channel();
    pool.events().leak(|_, _| panic!("the hook panics"));
    pool.events().leak(move |_, _| {
        // The test may have ended.
        let _nobody_listens = says.send(());
    });
    let out = lease(&pool);
    told.recv_timeout(crate::diary::PATIENCE)
        .expect("the next hook is called");
    drop(out);
    assert_eq!(lease(&pool).number, 1);
}

#[test]
fn a_leak_hook_may_take_a_connection_of_its_own() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
        options.leak_after = Some(SHORT);
    });
    let (says, told) = channel();
    let handle = pool.clone();
    pool.events().leak(move |_, _| {
        let mine = handle.checkout().map(|lease| lease.number);
        // The test may have ended.
        let _nobody_listens = says.send(mine.ok());
    });
    let out = lease(&pool);
    assert_eq!(told.recv(), Ok(Some(2)));
    drop(out);
}
