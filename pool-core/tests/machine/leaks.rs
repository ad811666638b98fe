//! Connections that were not returned.

use crate::words::*;

const LIMIT: Duration = Duration::from_secs(30);

fn watched() -> Pool {
    pool_of(|options| options.leak_after = Some(LIMIT))
}

/// All reports, in order.
fn reports(pool: &mut Pool) -> Vec<(Holder, Duration)> {
    let actions = std::iter::from_fn(|| next_work(pool));
    let reports = actions.map(|action| match action {
        Action::Leaked(holder, out_for) => (holder, out_for),
        other => panic!("expected a report, not {other:?}"),
    });
    reports.collect()
}

#[test]
fn a_connection_that_is_out_for_too_long_is_reported_once_with_its_place() {
    let mut pool = watched();
    at_rest(&mut pool, [1, 2], Time::START);
    let line = line!() + 1;
    let mut borrower = Borrower::here();
    borrower.owner = 7;
    let Checkout::Lent(out) = pool.checkout(borrower, &at(1_000)) else {
        panic!("one is at rest");
    };
    tick(&mut pool, at(30_999));
    assert_eq!(reports(&mut pool), []);
    tick(&mut pool, at(31_000));
    let [(holder, out_for)] = reports(&mut pool)[..] else {
        panic!("one report");
    };
    assert_eq!((holder.borrower, out_for), (borrower, LIMIT));
    assert_eq!(holder.borrower.place.line(), line);
    assert_eq!(holder.since(), Some(at(1_000)));
    let place = format!("checked out at {}", borrower.place);
    assert_eq!(holder.to_string(), place);
    tick(&mut pool, at(90_000));
    assert_eq!(reports(&mut pool), [], "once is enough");

    // The next user of the same connection is reported for itself.
    given_back(&mut pool, out, at(90_000));
    let _other = lent(&mut pool, at(90_000));
    let _same = lent(&mut pool, at(90_000));
    tick(&mut pool, at(120_000));
    assert_eq!(reports(&mut pool).len(), 2);
}

#[test]
fn the_tick_for_a_report_is_asked_for_when_a_connection_is_lent() {
    let mut pool = watched();
    at_rest(&mut pool, [1], Time::START);
    nothing_to_do(&mut pool);
    tick(&mut pool, at(30_000));
    nothing_to_do(&mut pool);
    let out = lent(&mut pool, at(40_000));
    assert_eq!(tick_asked(&mut pool), Some(at(70_000)));
    given_back(&mut pool, out, at(50_000));
    let _later = lent(&mut pool, at(60_000));
    assert_eq!(tick_asked(&mut pool), None, "the earlier one does for now");
    tick(&mut pool, at(70_000));
    assert_eq!(tick_asked(&mut pool), Some(at(90_000)));
    tick(&mut pool, at(90_000));
    assert_eq!(reports(&mut pool).len(), 1);
}

#[test]
fn who_waited_is_reported_from_its_own_checkout_on() {
    let mut pool = watched();
    let line = line!() + 1;
    let ticket = queued_here(&mut pool, Borrower::here());
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, at(5_000));
    let _entry = handed(&mut pool, &ticket);
    tick(&mut pool, at(34_999));
    assert_eq!(reports(&mut pool), []);
    tick(&mut pool, at(35_000));
    let [(holder, _)] = reports(&mut pool)[..] else {
        panic!("one report");
    };
    assert_eq!(holder.borrower.place.line(), line);
}

fn queued_here(pool: &mut Pool, borrower: Borrower) -> Ticket {
    match pool.checkout(borrower, &Time::START) {
        Checkout::Queued(ticket) => ticket,
        other => panic!("expected a place in the queue, not {other:?}"),
    }
}

#[test]
fn without_a_limit_nothing_is_reported_and_no_tick_asked_for() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1], Time::START);
    nothing_to_do(&mut pool);
    let out = lent(&mut pool, at(10_000));
    tick(&mut pool, at(1_000_000));
    assert_eq!(tick_asked(&mut pool), None);
    given_back(&mut pool, out, at(1_000_000));
    assert_eq!(tick_asked(&mut pool), None);
}

#[test]
fn the_oldest_holder_has_its_connection_for_the_longest_time() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1, 2], Time::START);
    assert_eq!(pool.oldest_holder(), None);
    let first = Borrower {
        owner: 1,
        ..Borrower::here()
    };
    let Checkout::Lent(one) = pool.checkout(first, &Time::START) else {
        panic!("two are at rest");
    };
    let _two = lent(&mut pool, Time::START);
    assert_eq!(pool.holders().count(), 2);
    assert_eq!(
        pool.oldest_holder().map(|holder| holder.borrower),
        Some(first)
    );
    given_back(&mut pool, one, Time::START);
    let Checkout::Lent(_again) = pool.checkout(first, &Time::START) else {
        panic!("one is at rest");
    };
    let oldest = pool.oldest_holder().expect("two are out");
    assert_eq!(oldest.borrower.owner, 0, "the second has it for longer now");
    let mut numbers: Vec<u64> = pool.holders().map(Holder::number).collect();
    numbers.sort_unstable();
    // Two checkouts opened these connections, and three followed; the first of those is over.
    assert_eq!(numbers, [3, 4]);
    assert_eq!(oldest.since(), None, "nothing asked for the time");
}
