//! Signs of life.

use crate::words::*;

#[test]
fn law_2_nobody_waits_for_a_ping_or_connect_that_outlasted_another_caller() {
    // A ping that hangs, while another connection is at rest and a third place vacant.
    let mut pool = pinging();
    let entries = [1, 2].map(|number| opened(&mut pool, number, Time::START));
    for entry in entries {
        given_back(&mut pool, entry, Time::START);
    }
    for _hung in 0..2 {
        let caller = queued(&mut pool, Time::START);
        let _never_answered = to_ping(&mut pool);
        pool.timed_out(&caller, Time::START);
        nothing_to_do(&mut pool);
    }
    // Now a connect hangs too; then there is no place left.
    let caller = queued(&mut pool, Time::START);
    let (late, _) = to_connect(&mut pool);
    pool.timed_out(&caller, Time::START);
    let caller = queued(&mut pool, Time::START);
    nothing_to_do(&mut pool);

    // What comes late is still the next caller's.
    pool.connected(late, 3, Time::START);
    assert_eq!(handed(&mut pool, &caller).connection, 3);
}

#[test]
fn a_fresh_connection_is_not_pinged_and_one_at_rest_is_each_time() {
    let mut pool = pinging();
    let mut entry = opened(&mut pool, 1, Time::START);
    for _ in 0..3 {
        given_back(&mut pool, entry, Time::START);
        nothing_to_do(&mut pool);
        let ticket = queued(&mut pool, Time::START);
        assert_eq!(pool.phase(), Phase::Ping);
        let pinged = to_ping(&mut pool);
        pool.pinged(pinged, Time::START);
        entry = handed(&mut pool, &ticket);
    }
}

#[test]
fn a_look_is_enough_for_a_moment_after_the_last_word() {
    let mut pool = pinging();
    let entry = opened(&mut pool, 1, Time::START);
    given_back(&mut pool, entry, Time::START);

    let ticket = queued(&mut pool, at(999));
    let entry = to_ping(&mut pool);
    assert!(pool.looked_alive(entry, at(999)).is_none());
    let entry = handed(&mut pool, &ticket);
    nothing_to_do(&mut pool);

    given_back(&mut pool, entry, at(999));
    let ticket = queued(&mut pool, at(1_999));
    let entry = to_ping(&mut pool);
    let unsure = pool
        .looked_alive(entry, at(1_999))
        .expect("it rested for a second");
    pool.pinged(unsure, at(2_000));
    assert_eq!(handed(&mut pool, &ticket).connection, 1);
}

#[test]
fn a_look_is_not_enough_where_the_options_say_when_to_ping() {
    let mut pool = pool_of(|options| {
        options.pre_ping = true;
        options.ping_after_idle = Some(Duration::ZERO);
    });
    let entry = opened(&mut pool, 1, Time::START);
    given_back(&mut pool, entry, Time::START);
    let ticket = queued(&mut pool, at(1));
    let entry = to_ping(&mut pool);
    let unsure = pool.looked_alive(entry, at(1)).expect("it is to be pinged");
    pool.pinged(unsure, at(2));
    assert_eq!(handed(&mut pool, &ticket).connection, 1);
}

#[test]
fn who_looks_for_too_long_has_lost_the_connection() {
    let mut pool = pinging();
    let entry = opened(&mut pool, 1, Time::START);
    given_back(&mut pool, entry, Time::START);
    let ticket = queued(&mut pool, Time::START);
    let entry = to_ping(&mut pool);
    pool.timed_out(&ticket, Time::START);
    tick(&mut pool, at(3_600_000));
    let now = Time::START;
    assert!(pool.looked_alive(entry, now).is_none());
    assert_eq!(closed_for(&mut pool, now), (1, Cause::Late));
    assert_eq!(pool.status().checked_out, 0);
}

#[test]
fn what_comes_back_to_nobody_is_not_pinged() {
    let mut pool = pinging();
    let entry = opened(&mut pool, 1, Time::START);
    let entry = to_reset(&mut pool, entry, Time::START);
    pool.was_reset(entry, Time::START);
    nothing_to_do(&mut pool);
    assert_eq!(pool.status().idle, 1);
}

#[test]
fn a_ping_without_answer_renews_the_pool_and_the_caller_gets_a_fresh_connection() {
    let mut pool = pinging();
    for entry in [1, 2].map(|number| opened(&mut pool, number, Time::START)) {
        given_back(&mut pool, entry, Time::START);
    }
    let ticket = queued(&mut pool, Time::START);
    let pinged = to_ping(&mut pool);
    pool.ping_failed(pinged, "gone", Fault::Server, Time::START);
    assert_eq!(pool.status().idle, 0);
    assert_eq!(closed(&mut pool, Time::START), 2);
    let (permit, _) = to_connect(&mut pool);
    assert_eq!(closed(&mut pool, Time::START), 1);
    pool.connected(permit, 3, Time::START);
    assert_eq!(handed(&mut pool, &ticket).connection, 3);
}

#[test]
fn a_ping_that_finds_one_connection_lost_tries_the_next() {
    let mut pool = pinging();
    for entry in [1, 2].map(|number| opened(&mut pool, number, Time::START)) {
        given_back(&mut pool, entry, Time::START);
    }
    let ticket = queued(&mut pool, Time::START);
    let pinged = to_ping(&mut pool);
    pool.ping_failed(pinged, "gone", Fault::Connection, Time::START);
    assert_eq!(closed(&mut pool, Time::START), 1);
    let pinged = to_ping(&mut pool);
    pool.pinged(pinged, Time::START);
    assert_eq!(handed(&mut pool, &ticket).connection, 2);
}

#[test]
fn a_ping_error_that_is_no_disconnect_is_told_to_the_caller() {
    let mut pool = pinging();
    let entry = opened(&mut pool, 1, Time::START);
    given_back(&mut pool, entry, Time::START);
    let ticket = queued(&mut pool, Time::START);
    let generation = pool.generation();
    let pinged = to_ping(&mut pool);
    pool.ping_failed(pinged, "syntax", Fault::Statement, Time::START);
    assert_eq!(told(&mut pool, &ticket), Refusal::Ping("syntax"));
    assert_eq!(pool.generation(), generation);
    assert_eq!(closed(&mut pool, Time::START), 1);
    nothing_to_do(&mut pool);
}
