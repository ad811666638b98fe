//! Those who wait.

use crate::words::*;

#[test]
fn an_answer_that_came_before_the_caller_asked_is_there() {
    let mut pool = pool_of(|_| {});
    let ticket = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    nothing_to_do(&mut pool);
    assert_eq!(handed(&mut pool, &ticket).connection, 1);
    assert!(
        answer(&mut pool, &ticket).is_none(),
        "it is worth one answer"
    );
}

#[test]
fn who_asked_last_with_another_waker_is_woken_with_that() {
    let mut pool = pool_of(|_| {});
    let ticket = queued(&mut pool, Time::START);
    let (old, new) = (bell(), bell());
    assert!(pool.collect(&ticket, &mut Some(old)).is_none());
    assert!(pool.collect(&ticket, &mut Some(new.clone())).is_none());
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    match next_work(&mut pool) {
        Some(Action::Wake(woken)) => assert!(woken.will_wake(&new)),
        other => panic!("expected a waker, not {other:?}"),
    }
    pool.withdraw(&ticket, Time::START);
}

/// Many come and go while one connection is out; the places of those who left must not be kept.
#[test]
fn those_who_left_are_forgotten_and_the_order_of_the_others_is_kept() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let mut entry = opened(&mut pool, 0, Time::START);
    let tickets: Vec<_> = (0..100).map(|_| queued(&mut pool, Time::START)).collect();
    for (number, ticket) in tickets.iter().enumerate() {
        if number % 10 != 3 {
            pool.withdraw(ticket, Time::START);
        }
    }
    assert_eq!(pool.status().waiting, 10);
    for ticket in tickets.iter().skip(3).step_by(10) {
        given_back(&mut pool, entry, Time::START);
        entry = handed(&mut pool, ticket);
    }
    assert_eq!(pool.status().waiting, 0);
}

#[test]
fn every_phase_reads_as_the_reason_of_a_wait() {
    let texts = [
        (Phase::Suspended, "the pool was suspended"),
        (Phase::Outage, "the server accepted no connection"),
        (Phase::Ping, "a ping was still unanswered"),
        (Phase::Connect, "a connection was still being opened"),
        (Phase::Queue, "all connections were in use"),
        (Phase::Hook, "a hook was still preparing the connection"),
    ];
    for (phase, text) in texts {
        assert_eq!(phase.to_string(), text);
    }
    let mut pool = pool_of(|_| {});
    let _caller = queued(&mut pool, Time::START);
    assert_eq!(pool.phase(), Phase::Connect);
}

#[test]
fn who_leaves_anywhere_in_the_queue_keeps_the_order_of_the_others() {
    for gone in 0..4 {
        for also_gone in 0..4 {
            let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
            let mut entry = opened(&mut pool, 0, Time::START);
            let mut tickets: Vec<_> = (0..4).map(|_| queued(&mut pool, Time::START)).collect();
            for at in [gone, also_gone] {
                pool.withdraw(&tickets[at], Time::START);
            }
            let last = queued(&mut pool, Time::START);
            let mut at = 0;
            tickets.retain(|_| {
                at += 1;
                at - 1 != gone && at - 1 != also_gone
            });
            for ticket in tickets.iter().chain([&last]) {
                given_back(&mut pool, entry, Time::START);
                entry = handed(&mut pool, ticket);
            }
            assert_eq!(pool.status().waiting, 0);
        }
    }
}

#[test]
fn a_stale_ticket_is_harmless() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    let stale = queued(&mut pool, Time::START);
    pool.withdraw(&stale, Time::START);
    assert!(pool.withdraw(&stale, Time::START).is_none());
    let mut waker = Some(bell());
    assert!(pool.collect(&stale, &mut waker).is_none());
    assert!(waker.is_some(), "nobody keeps it");

    // Its place is another's now.
    let ticket = queued(&mut pool, Time::START);
    assert!(pool.withdraw(&stale, Time::START).is_none());
    assert!(answer(&mut pool, &stale).is_none());
    assert_eq!(pool.status().waiting, 1);
    given_back(&mut pool, entry, Time::START);
    assert!(answer(&mut pool, &stale).is_none());
    assert_eq!(handed(&mut pool, &ticket).connection, 1);
    assert!(
        answer(&mut pool, &ticket).is_none(),
        "it is worth one answer"
    );
    assert_eq!(pool.status().waiting, 0);
}

#[test]
fn the_queue_takes_as_much_memory_as_there_were_in_it_at_once() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let mut entry = opened(&mut pool, 1, Time::START);
    let size = |pool: &Pool| format!("{pool:#?}").lines().count();
    let mut sizes = Vec::new();
    for _ in 0..1_000 {
        let tickets = [0, 0, 0].map(|_| queued(&mut pool, Time::START));
        pool.withdraw(&tickets[1], Time::START);
        given_back(&mut pool, entry, Time::START);
        entry = handed(&mut pool, &tickets[0]);
        pool.withdraw(&tickets[2], Time::START);
        while next_work(&mut pool).is_some() {}
        sizes.push(size(&pool));
    }
    assert_eq!(sizes[0], sizes[999]);
}

#[test]
fn who_leaves_gets_its_waker_back_unless_it_was_woken() {
    let mut pool = pool_of(|_| {});
    let caller = queued(&mut pool, Time::START);
    let bell = bell();
    assert!(pool.collect(&caller, &mut Some(bell.clone())).is_none());
    let waker = pool.withdraw(&caller, Time::START);
    assert!(waker.is_some_and(|waker| waker.will_wake(&bell)));

    let caller = queued(&mut pool, Time::START);
    let mut first = Some(bell.clone());
    assert!(pool.collect(&caller, &mut first).is_none());
    assert!(first.is_none(), "it is kept");
    let mut second = Some(bell);
    assert!(pool.collect(&caller, &mut second).is_none());
    assert!(second.is_some(), "the first comes back");
    assert!(pool.timed_out(&caller, Time::START).is_some());

    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    assert!(
        pool.withdraw(&caller, Time::START).is_none(),
        "it left none"
    );
}

#[test]
fn an_answer_that_nobody_collected_is_the_next_callers() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let gone = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    let next = queued(&mut pool, Time::START);
    pool.withdraw(&gone, Time::START);
    let entry = handed(&mut pool, &next);
    given_back(&mut pool, entry, Time::START);
    let gone = queued_behind(&mut pool);
    pool.withdraw(&gone, Time::START);
    assert_eq!((pool.status().idle, pool.holders().count()), (1, 0));
}

/// Waits until the connection comes back, and does not collect it.
fn queued_behind(pool: &mut Pool) -> Ticket {
    let entry = lent(pool, Time::START);
    let ticket = queued(pool, Time::START);
    given_back(pool, entry, Time::START);
    ticket
}

#[test]
fn when_as_many_wait_as_may_the_next_is_refused_at_once() {
    let mut pool = pool_of(|options| {
        (options.capacity, options.max_waiting) = (bounded(1, 1), Some(2));
    });
    let entry = opened(&mut pool, 1, Time::START);
    let served = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    let waiting = [0, 0].map(|_| queued(&mut pool, Time::START));
    assert_eq!(refused(&mut pool, Time::START), Refusal::QueueFull);
    assert_eq!(pool.status().waiting, 3);
    pool.withdraw(&waiting[0], Time::START);
    let _third = queued(&mut pool, Time::START);
    pool.connected(permit, 2, Time::START);
    let _two = handed(&mut pool, &served);
    assert_eq!(refused(&mut pool, Time::START), Refusal::QueueFull);
    given_back(&mut pool, entry, Time::START);
    let _one = handed(&mut pool, &waiting[1]);
    let _again = queued(&mut pool, Time::START);
}

#[test]
fn where_nobody_may_wait_who_can_be_served_is_not_refused() {
    let mut pool = pool_of(|options| {
        (options.capacity, options.max_waiting) = (bounded(1, 0), Some(0));
        options.pre_ping = true;
    });
    let entry = opened(&mut pool, 1, Time::START);
    assert_eq!(refused(&mut pool, Time::START), Refusal::QueueFull);
    given_back(&mut pool, entry, Time::START);
    let caller = queued(&mut pool, Time::START);
    let pinged = to_ping(&mut pool);
    assert_eq!(refused(&mut pool, Time::START), Refusal::QueueFull);
    pool.pinged(pinged, Time::START);
    let _entry = handed(&mut pool, &caller);
}

fn patient(pool: &mut Pool, patience: Duration, now: Time) -> Ticket {
    match pool.checkout_within(patience, Borrower::here(), &now) {
        Checkout::Queued(ticket) => ticket,
        other => panic!("expected a place in the queue, not {other:?}"),
    }
}

#[test]
fn whose_patience_is_over_is_told_at_the_asked_tick_what_it_waited_for() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    while pool.next_action().is_some() {}
    let long = patient(&mut pool, millis(3_000), at(1_000));
    assert_eq!(tick_asked(&mut pool), Some(at(4_000)));
    let short = patient(&mut pool, millis(1_000), at(1_000));
    assert_eq!(tick_asked(&mut pool), Some(at(2_000)));
    let same = patient(&mut pool, millis(1_000), at(1_000));
    assert_eq!(tick_asked(&mut pool), None, "it is asked for");
    pool.withdraw(&same, at(1_000));
    let endless = queued(&mut pool, at(1_000));
    assert!(pool.collect(&short, &mut Some(bell())).is_none());
    tick(&mut pool, at(1_999));
    nothing_to_do(&mut pool);
    tick(&mut pool, at(2_000));
    assert!(matches!(pool.next_action(), Some(Action::Wake(_))));
    assert_eq!(told(&mut pool, &short), Refusal::TimedOut(Phase::Queue));
    assert_eq!(tick_asked(&mut pool), Some(at(4_000)));
    assert_eq!(
        (pool.status().waiting, pool.snapshot(at(2_000)).timeouts),
        (2, 1)
    );
    tick(&mut pool, at(4_000));
    assert_eq!(told(&mut pool, &long), Refusal::TimedOut(Phase::Queue));
    assert_eq!(pool.snapshot(at(4_000)).timeouts, 2);
    given_back(&mut pool, entry, at(9_000));
    assert_eq!(handed(&mut pool, &endless).connection, 1);
}

#[test]
fn whose_patience_is_over_is_in_nobodys_way() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    let tickets =
        [1, 5, 1, 5, 1].map(|seconds| patient(&mut pool, millis(seconds * 1_000), Time::START));
    tick(&mut pool, at(1_000));
    given_back(&mut pool, entry, at(2_000));
    for (at, ticket) in tickets.iter().enumerate() {
        if at % 2 == 0 {
            assert!(matches!(told(&mut pool, ticket), Refusal::TimedOut(_)));
        } else {
            let entry = handed(&mut pool, ticket);
            given_back(&mut pool, entry, Time::START);
        }
    }
    assert_eq!((pool.status().waiting, pool.status().idle), (0, 1));
}

/// As of a caller who says itself that its time is up.
#[test]
fn what_outlasted_a_callers_patience_is_not_waited_for_by_the_next() {
    let mut pool = pool_of(|_| {});
    let _impatient = patient(&mut pool, millis(1_000), Time::START);
    let (late, _) = to_connect(&mut pool);
    tick(&mut pool, at(1_000));
    let next = queued(&mut pool, at(1_000));
    let (_other, _) = to_connect(&mut pool);
    pool.connected(late, 1, at(1_500));
    assert_eq!(handed(&mut pool, &next).connection, 1);
}

#[test]
fn a_connection_in_time_is_no_time_out() {
    let mut pool = pool_of(|_| {});
    let caller = patient(&mut pool, millis(1_000), Time::START);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, at(999));
    tick(&mut pool, at(1_000));
    assert_eq!(handed(&mut pool, &caller).connection, 1);
    assert_eq!(pool.snapshot(at(1_000)).timeouts, 0);
}

#[test]
fn who_has_no_patience_at_all_gets_what_rests() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1], Time::START);
    let answer = pool.checkout_within(Duration::ZERO, Borrower::here(), &Time::START);
    assert!(matches!(answer, Checkout::Lent(_)), "{answer:?}");
}

#[test]
fn those_in_the_queue_are_counted() {
    let mut pool = pool_of(|_| {});
    assert_eq!(pool.waiting(), 0);
    let tickets = [0; 3].map(|_| queued(&mut pool, Time::START));
    assert_eq!(pool.waiting(), 3);
    for ticket in &tickets {
        let _waker = pool.withdraw(ticket, Time::START);
    }
    assert_eq!(pool.waiting(), 0);
}
