//! Connections: used in turn, kept or closed, never lent when unfit.

use crate::words::*;

fn order_of_use(use_lifo: bool) -> Vec<u32> {
    let mut pool = pool_of(|options| options.use_lifo = use_lifo);
    let first = opened(&mut pool, 1, Time::START);
    let second = opened(&mut pool, 2, Time::START);
    given_back(&mut pool, first, Time::START);
    given_back(&mut pool, second, Time::START);
    let entries = [lent(&mut pool, Time::START), lent(&mut pool, Time::START)];
    entries.into_iter().map(|entry| entry.connection).collect()
}

#[test]
fn connections_are_used_in_turn() {
    assert_eq!(order_of_use(false), [1, 2]);
}

#[test]
fn with_lifo_the_last_returned_is_lent_first() {
    assert_eq!(order_of_use(true), [2, 1]);
}

#[test]
fn overflow_is_closed_on_return_when_enough_are_idle() {
    let mut pool = pool_of(|_| {});
    let entries = [1, 2, 3].map(|number| opened(&mut pool, number, Time::START));
    assert_eq!(pool.status().overflow, 1);
    let no_place = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);
    pool.withdraw(&no_place, Time::START);
    for entry in entries {
        given_back(&mut pool, entry, Time::START);
    }
    assert_eq!(closed(&mut pool, Time::START), 3);
    assert_eq!((pool.status().idle, pool.status().overflow), (2, 0));
}

#[test]
fn growing_and_unlimited_pools_have_no_limit() {
    for (capacity, kept) in [
        (Capacity::Growing { size: 1 }, 1),
        (Capacity::Unlimited, 20),
    ] {
        let mut pool = pool_of(|options| options.capacity = capacity);
        let entries: Vec<_> = (0..20)
            .map(|number| opened(&mut pool, number, Time::START))
            .collect();
        for entry in entries {
            given_back(&mut pool, entry, Time::START);
        }
        assert_eq!(pool.status().idle, kept);
    }
}

#[test]
fn a_connection_is_recycled_when_it_is_older_than_allowed_and_not_before() {
    let recycle = Duration::from_secs(60);
    let mut pool = pool_of(|options| {
        (options.recycle, options.recycle_jitter) = (Some(recycle), 0);
    });
    let entry = opened(&mut pool, 1, at(1_000));
    given_back(&mut pool, entry, at(30_000));
    let entry = lent(&mut pool, at(61_000));
    given_back(&mut pool, entry, at(61_000));
    let ticket = queued(&mut pool, at(61_001));
    assert_eq!(closed(&mut pool, at(61_001)), 1);
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 2, at(61_001));
    assert_eq!(handed(&mut pool, &ticket).connection, 2);
}

#[test]
fn however_many_suspect_a_generation_it_ends_once() {
    let mut pool = pool_of(|_| {});
    let first = opened(&mut pool, 1, Time::START);
    let second = opened(&mut pool, 2, Time::START);
    let old = first.generation();
    assert_eq!(old, Generation::default());
    pool.invalidated(first, Fault::Server, Time::START);
    let new = pool.generation();
    assert!(new > old);
    pool.invalidated(second, Fault::Server, Time::START);
    pool.suspected(old, Time::START);
    assert_eq!(pool.generation(), new);
    assert_eq!(pool.status().generation, new);
}

#[test]
fn an_attempt_begun_in_an_older_generation_is_not_lent() {
    let mut pool = pool_of(|_| {});
    let ticket = queued(&mut pool, Time::START);
    let (old, _) = to_connect(&mut pool);
    pool.recreate(Time::START);
    let (new, _) = to_connect(&mut pool);
    pool.connected(old, 1, Time::START);
    assert_eq!(closed(&mut pool, Time::START), 1);
    assert!(answer(&mut pool, &ticket).is_none());
    pool.connected(new, 2, Time::START);
    assert_eq!(handed(&mut pool, &ticket).connection, 2);
}

#[test]
fn what_was_left_open_is_reset_before_the_next_user() {
    for residue in [Residue::Open, Residue::Unknown] {
        let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
        let entry = opened(&mut pool, 1, Time::START);
        let next = queued(&mut pool, Time::START);
        let to_reset = pool.given_back(entry, residue, &Time::START);
        assert!(answer(&mut pool, &next).is_none());
        pool.was_reset(to_reset.expect("it may be open"), Time::START);
        assert_eq!(handed(&mut pool, &next).connection, 1);
    }
}

#[test]
fn without_reset_on_return_a_connection_is_passed_on_as_it_is() {
    let change = |options: &mut Options| options.reset_on_return = ResetOnReturn::Nothing;
    let mut pool = pool_of(change);
    let entry = opened(&mut pool, 1, Time::START);
    assert!(
        pool.given_back(entry, Residue::Open, &Time::START)
            .is_none()
    );
    let entry = lent(&mut pool, Time::START);
    assert!(
        pool.given_back(entry, Residue::Broken, &Time::START)
            .is_none()
    );
    assert_eq!(closed(&mut pool, Time::START), 1);
}

#[test]
fn an_old_connection_is_closed_on_return_without_a_reset() {
    let mut pool = pool_of(|_| {});
    let entry = opened(&mut pool, 1, Time::START);
    pool.recreate(Time::START);
    assert!(
        pool.given_back(entry, Residue::Open, &Time::START)
            .is_none()
    );
    assert_eq!(closed(&mut pool, Time::START), 1);
}

#[test]
fn four_connections_of_which_two_are_kept_open_twelve_in_five_rounds() {
    let capacity = bounded(2, 2);
    let mut pool = pool_of(|options| options.capacity = capacity);
    let (now, mut opened_in_all, mut closed_in_all) = (Time::START, 0, 0);
    for _ in 0..5 {
        let mut out = Vec::new();
        for _ in 0..4 {
            out.push(match pool.checkout(Borrower::here(), &now) {
                Checkout::Lent(entry) => entry,
                Checkout::Queued(ticket) => {
                    let (permit, _) = to_connect(&mut pool);
                    opened_in_all += 1;
                    pool.connected(permit, opened_in_all, now);
                    handed(&mut pool, &ticket)
                }
                Checkout::Refused(why) => panic!("{why:?}"),
            });
        }
        for entry in out {
            given_back(&mut pool, entry, now);
        }
        while let Some(Action::Close(closing, _)) = next_work(&mut pool) {
            pool.closed(closing, now);
            closed_in_all += 1;
        }
    }
    assert_eq!(
        (opened_in_all, closed_in_all, pool.status().idle),
        (12, 10, 2)
    );
}

#[test]
fn the_short_cuts_say_no_to_whatever_needs_a_second_thought() {
    let mut pool = pool_of(|options| options.pre_ping = true);
    at_rest(&mut pool, [1], Time::START);
    assert!(pool.lend_plainly(Borrower::here()).is_none(), "a ping");
    assert_eq!(pool.status().idle, 1);

    let mut pool = pool_of(|options| options.capacity = bounded(1, 1));
    assert!(
        pool.lend_plainly(Borrower::here()).is_none(),
        "nothing is there"
    );
    let one = opened(&mut pool, 1, Time::START);
    assert!(pool.rest_plainly(one).is_none());
    let one = pool.lend_plainly(Borrower::here()).expect("it rests");
    let two = opened(&mut pool, 2, Time::START);
    let caller = queued(&mut pool, Time::START);
    let one = pool.rest_plainly(one).expect("somebody waits");
    pool.withdraw(&caller, Time::START);
    given_back(&mut pool, one, Time::START);
    let two = pool.rest_plainly(two).expect("enough are at rest");
    assert_eq!(pool.holders().count(), 1);
    pool.recreate(Time::START);
    assert!(
        pool.rest_plainly(two).is_some(),
        "it is of the old generation"
    );
}

#[test]
fn before_a_ping_what_comes_back_rests_since_the_last_look_at_the_clock() {
    let mut pool = pinging();
    let entry = opened(&mut pool, 1, Time::START);
    let entry = pool.rest_plainly(entry).expect("its rest is counted");
    assert!(pool.rest_by_age(entry).is_none());
}

#[test]
fn what_is_out_while_others_are_condemned_is_given_a_second_thought() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1, 2], Time::START);
    let out = lent(&mut pool, Time::START);
    pool.condemn(|_| false, Time::START);
    let rested = lent(&mut pool, Time::START);
    assert!(pool.rest_plainly(out).is_some());
    assert!(pool.rest_plainly(rested).is_none());
}

#[test]
fn who_gave_a_connection_back_does_not_hold_it_while_it_is_pinged() {
    let mut pool = pinging();
    at_rest(&mut pool, [1], Time::START);
    assert_eq!(pool.holders().count(), 0);
    let _caller = queued(&mut pool, Time::START);
    let _pinged = to_ping(&mut pool);
    assert_eq!(pool.holders().count(), 0);
}

#[test]
fn what_is_held_back_is_not_lent_before_it_was_dealt_with() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    let caller = queued(&mut pool, Time::START);
    pool.held_back(&entry, at(1_000));
    assert_eq!((pool.status().resetting, pool.holders().count()), (1, 0));
    assert!(answer(&mut pool, &caller).is_none());
    pool.was_reset(entry, at(1_001));
    assert_eq!(handed(&mut pool, &caller).connection, 1);
}

#[test]
fn whether_anything_is_to_be_done_can_be_asked_without_doing_it() {
    let mut pool = pool_of(|_| {});
    assert!(!pool.has_action());
    let _caller = queued(&mut pool, Time::START);
    assert!(pool.has_action());
    while pool.next_action().is_some() {}
    assert!(!pool.has_action());
}

#[test]
fn a_waker_that_is_next_can_be_taken_alone() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let entry = opened(&mut pool, 1, Time::START);
    assert!(pool.next_waker().is_none(), "a tick is next");
    while pool.next_action().is_some() {}
    assert!(pool.next_waker().is_none());
    let bell = bell();
    let caller = queued(&mut pool, Time::START);
    assert!(pool.collect(&caller, &mut Some(bell.clone())).is_none());
    given_back(&mut pool, entry, Time::START);
    let woken = pool.next_waker().expect("somebody was served");
    assert!(woken.will_wake(&bell));
    assert!(!pool.has_action());
}

#[test]
fn a_connection_keeps_its_slot_and_generation_until_it_is_closed() {
    let mut pool = pool_of(|_| {});
    let _caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    let place = permit.place();
    assert_eq!(place, (permit.slot(), pool.generation()));
    assert_eq!(place.0.index(), 0);
    let ticket = queued(&mut pool, Time::START);
    let (other, _) = to_connect(&mut pool);
    assert_eq!(other.slot().index(), 1);
    pool.connected(permit, 1, Time::START);
    pool.connected(other, 2, Time::START);
    let entry = handed(&mut pool, &ticket);
    pool.recreate(Time::START);
    let before = (entry.slot(), entry.generation());
    assert!(entry.generation() < pool.generation());
    given_back(&mut pool, entry, Time::START);
    let Some(Action::Close(closing, 2)) = next_work(&mut pool) else {
        panic!("it is old");
    };
    assert_eq!((closing.place(), closing.slot()), (before, before.0));
}

#[test]
fn what_is_special_is_given_a_second_thought_when_it_comes_back() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1], Time::START);
    let entry = lent(&mut pool, Time::START);
    pool.is_special(&entry);
    let entry = pool.rest_plainly(entry).expect("something is to be done");
    given_back(&mut pool, entry, Time::START);
    assert_eq!(pool.status().idle, 1);
    let entry = lent(&mut pool, Time::START);
    assert!(pool.rest_plainly(entry).is_none(), "it was done");
}

#[test]
fn who_listens_to_checkouts_or_returns_is_asked_each_time() {
    let mut pool = pool_of(|_| {});
    at_rest(&mut pool, [1, 2], Time::START);
    let mut asked = pool.clone();
    asked.listened_to(true, false);
    assert!(asked.lend_plainly(Borrower::here()).is_none());
    let entry = lent(&mut asked, Time::START);
    assert!(asked.rest_plainly(entry).is_none());

    pool.listened_to(false, true);
    let entry = pool.lend_plainly(Borrower::here()).expect("nobody asks");
    let entry = pool.rest_plainly(entry).expect("somebody asks");
    pool.listened_to(true, false);
    assert!(pool.rest_plainly(entry).is_some(), "and still does");
}
