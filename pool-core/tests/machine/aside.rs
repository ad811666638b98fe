//! What is lent with no need to ask the machine.

use crate::words::*;

#[test]
fn who_has_a_connection_without_having_asked_is_its_holder() {
    let mut pool = pool_of(|_| {});
    let entry = opened(&mut pool, 1, Time::START);
    let number = pool.oldest_holder().expect("it is out").number();
    let borrower = Borrower {
        owner: 7,
        ..Borrower::here()
    };
    pool.relent(entry.slot(), borrower);
    let holder = pool.oldest_holder().expect("it is out");
    assert_eq!((holder.borrower, holder.number()), (borrower, number));
    given_back(&mut pool, entry, Time::START);
}

#[test]
fn checkouts_that_were_not_asked_for_are_counted() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1], Time::START);
    let before = pool.snapshot(Time::START).checkouts;
    pool.lent_aside(3);
    assert_eq!(pool.snapshot(Time::START).checkouts, before + 3);
}

#[test]
fn a_pool_is_plain_with_two_connections_that_nobody_waits_for() {
    let mut pool = pool_of(|options| options.capacity = bounded(2, 0));
    assert!(!pool.is_plain(), "it has none");
    let one = opened(&mut pool, 1, Time::START);
    assert!(!pool.is_plain(), "it has one");
    let other = opened(&mut pool, 2, Time::START);
    assert!(pool.is_plain());
    let ticket = queued(&mut pool, Time::START);
    assert!(!pool.is_plain(), "somebody waits");
    pool.withdraw(&ticket, Time::START);
    assert!(pool.is_plain());
    pool.suspend();
    assert!(!pool.is_plain(), "nothing is lent");
    for entry in [one, other] {
        given_back(&mut pool, entry, Time::START);
    }
}

#[test]
fn an_answer_is_there_once_and_a_waker_stays_until_then() {
    let mut pool = pool_of(|_| {});
    let ticket = queued(&mut pool, Time::START);
    let waker = bell();
    assert!(pool.collect(&ticket, &mut Some(waker.clone())).is_none());
    assert!(pool.answer(&ticket).is_none());
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    assert!(matches!(next_work(&mut pool), Some(Action::Wake(woken)) if woken.will_wake(&waker)));
    assert!(matches!(pool.answer(&ticket), Some(Ok(entry)) if entry.connection == 1));
    assert!(pool.answer(&ticket).is_none());
}
