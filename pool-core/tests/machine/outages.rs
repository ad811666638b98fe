//! Times in which nothing can be opened.

use crate::words::*;

#[test]
fn attempts_in_an_outage_are_one_at_a_time_and_ever_wider_spaced() {
    for seed in 0..20 {
        let mut pool = pool_of(|options| options.seed = seed);
        let _first = queued(&mut pool, Time::START);
        let _second = queued(&mut pool, Time::START);
        let (first, not_before) = to_connect(&mut pool);
        let (second, _) = to_connect(&mut pool);
        assert_eq!(not_before, Time::START);
        transient(&mut pool, first, Time::START);
        nothing_to_do(&mut pool);
        let mut permit = second;
        let mut now = Time::START;
        while now < at(8_000) {
            transient(&mut pool, permit, now);
            let next = to_connect(&mut pool);
            nothing_to_do(&mut pool);
            let spacing = (now.since(Time::START) / 50).clamp(millis(10), millis(100));
            let spaced = next.1.since(now);
            assert!(
                spaced >= spacing * 3 / 4 && spaced <= spacing * 5 / 4,
                "{spaced:?}"
            );
            (permit, now) = next;
            // Somebody has to suffer, or the attempts end.
            let _other = pool.checkout(Borrower::here(), &now);
        }
    }
}

#[test]
fn the_spacing_is_jittered_to_both_sides() {
    let mut pool = pool_of(|options| options.seed = 7);
    let _caller = queued(&mut pool, Time::START);
    let (mut permit, _) = to_connect(&mut pool);
    let mut spacings = Vec::new();
    for _ in 0..100 {
        transient(&mut pool, permit, Time::START);
        let (next, not_before) = to_connect(&mut pool);
        spacings.push(not_before.since(Time::START));
        permit = next;
    }
    let (least, most) = (spacings.iter().min(), spacings.iter().max());
    assert!(
        least < Some(&millis(8)) && most > Some(&millis(12)),
        "{least:?} to {most:?}"
    );
    spacings.sort();
    spacings.dedup();
    assert!(
        spacings.len() > 60,
        "only {} different ones",
        spacings.len()
    );
}

#[test]
fn pools_of_different_seeds_do_not_knock_together() {
    let spacing = |seed| {
        let mut pool = pool_of(|options| options.seed = seed);
        let _caller = queued(&mut pool, Time::START);
        let (permit, _) = to_connect(&mut pool);
        transient(&mut pool, permit, Time::START);
        to_connect(&mut pool).1
    };
    assert_ne!(spacing(2), spacing(4));
}

#[test]
fn a_restart_within_the_grace_is_a_wait_and_nothing_else() {
    let mut pool = pool_of(|_| {});
    let ticket = queued(&mut pool, Time::START);
    let (permit, now) = outage_until(&mut pool, at(4_000));
    assert!(answer(&mut pool, &ticket).is_none());
    assert_eq!(pool.phase(), Phase::Outage);
    assert!(pool.last_connect_error().is_some());
    pool.connected(permit, 1, now);
    assert_eq!(handed(&mut pool, &ticket).connection, 1);
    assert_eq!(pool.last_connect_error(), None);
    assert_eq!(pool.phase(), Phase::Queue);
}

#[test]
fn beyond_the_grace_all_are_told_the_real_error_while_the_probing_goes_on() {
    let mut pool = pool_of(|_| {});
    let first = queued(&mut pool, Time::START);
    let second = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    let (permit, _) = to_connect(&mut pool);
    let late = at(4_999);
    pool.connect_failed(permit, "starting up", ConnectFault::Transient, late);
    assert!(pool.collect(&first, &mut Some(bell())).is_none());
    let (permit, _) = to_connect(&mut pool);
    assert!(
        matches!(pool.checkout(Borrower::here(), &late), Checkout::Queued(_)),
        "there is hope"
    );
    let over = Time::START + GRACE;
    pool.connect_failed(permit, "starting up", ConnectFault::Transient, over);
    let why = Refusal::Outage("starting up", over);
    assert_eq!(told(&mut pool, &first), why);
    assert_eq!(told(&mut pool, &second), why);
    assert!(
        matches!(pool.next_action(), Some(Action::Wake(_))),
        "the first had asked"
    );
    assert_eq!(refused(&mut pool, at(5_001)), why);
    let (permit, not_before) = to_connect(&mut pool);
    pool.connected(permit, 1, not_before);
    assert_eq!(lent(&mut pool, not_before).connection, 1);
}

#[test]
fn who_waits_through_the_grace_keeps_the_probing_going_after_it() {
    let mut pool = pool_of(|_| {});
    let caller = queued(&mut pool, Time::START);
    let (permit, over) = outage_until(&mut pool, at(5_500));
    assert!(matches!(told(&mut pool, &caller), Refusal::Outage(..)));

    // The caller is gone since the end of the grace, and the server is back before the next comes.
    pool.connected(permit, 1, over);
    assert_eq!(lent(&mut pool, over).connection, 1);
}

#[test]
fn a_probe_that_outlasted_a_caller_does_not_end_the_probing() {
    let mut pool = pool_of(|_| {});
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    let (_hung, _) = to_connect(&mut pool);
    pool.timed_out(&caller, at(1_000));

    let caller = queued(&mut pool, at(1_000));
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, at(1_000));
    assert_eq!(handed(&mut pool, &caller).connection, 1);
}

#[test]
fn an_outage_that_nobody_suffers_is_not_probed_on() {
    let mut pool = pool_of(|_| {});
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    pool.withdraw(&caller, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START + GRACE);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, at(5_001));
    nothing_to_do(&mut pool);

    let caller = queued(&mut pool, at(60_000));
    let (permit, not_before) = to_connect(&mut pool);
    assert!(
        not_before <= at(60_000),
        "whoever comes first is not made to wait"
    );
    // Nor refused for what was known then, and who comes with it neither.
    let next = queued(&mut pool, at(60_000));
    transient(&mut pool, permit, at(60_000));
    assert!(answer(&mut pool, &caller).is_none());
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, at(65_000));
    let why = Refusal::Outage("refused", at(65_000));
    assert_eq!(told(&mut pool, &caller), why);
    assert_eq!(told(&mut pool, &next), why);
}

#[test]
fn while_a_connection_is_out_callers_wait_for_it_instead_of_being_refused() {
    let mut pool = pool_of(|_| {});
    let out = opened(&mut pool, 1, Time::START);
    let first = queued(&mut pool, Time::START);
    let (permit, now) = outage_until(&mut pool, at(6_000));
    let second = queued(&mut pool, now);
    given_back(&mut pool, out, now);
    let back = handed(&mut pool, &first);
    assert_eq!(back.connection, 1);
    transient(&mut pool, permit, now);
    assert!(answer(&mut pool, &second).is_none());

    pool.invalidated(back, Fault::Connection, now);
    let (permit, _) = to_connect(&mut pool);
    assert_eq!(closed(&mut pool, now), 1);
    transient(&mut pool, permit, now);
    assert_eq!(told(&mut pool, &second), Refusal::Outage("refused", now));
}

#[test]
fn a_connection_of_an_older_generation_is_no_hope_in_an_outage() {
    let mut pool = pool_of(|_| {});
    let _out = opened(&mut pool, 1, Time::START);
    pool.recreate(Time::START);
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = outage_until(&mut pool, at(4_800));
    assert!(answer(&mut pool, &caller).is_none());
    transient(&mut pool, permit, at(5_000));
    let why = Refusal::Outage("refused", at(5_000));
    assert_eq!(told(&mut pool, &caller), why);
}

#[test]
fn a_permanent_failure_is_told_at_once_to_the_first_in_line() {
    let mut pool = pool_of(|_| {});
    let first = queued(&mut pool, Time::START);
    let second = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    let (other, _) = to_connect(&mut pool);
    pool.connect_failed(permit, "password", ConnectFault::Permanent, Time::START);
    assert_eq!(told(&mut pool, &first), Refusal::Connect("password"));
    assert!(answer(&mut pool, &second).is_none());
    nothing_to_do(&mut pool);
    pool.connected(other, 2, Time::START);
    assert_eq!(handed(&mut pool, &second).connection, 2);
}

#[test]
fn a_permanent_failure_ends_an_outage() {
    let mut pool = pool_of(|_| {});
    let first = queued(&mut pool, Time::START);
    let second = queued(&mut pool, Time::START);
    let (permit, now) = outage_until(&mut pool, at(1_000));
    pool.connect_failed(permit, "password", ConnectFault::Permanent, now);
    assert_eq!(told(&mut pool, &first), Refusal::Connect("password"));
    let (permit, not_before) = to_connect(&mut pool);
    assert_eq!(not_before, Time::START, "at once");
    pool.connected(permit, 1, now);
    assert_eq!(handed(&mut pool, &second).connection, 1);
}

/// An attempt in an outage may fail for ever; the connection at rest is there now.
#[test]
fn law_2_in_an_outage_a_connection_at_rest_is_not_withheld_for_the_probe() {
    let mut pool = pinging();
    let entry = opened(&mut pool, 1, Time::START);
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    pool.withdraw(&caller, Time::START);
    given_back(&mut pool, entry, Time::START);
    let _probe = to_connect(&mut pool);
    let _caller = queued(&mut pool, Time::START);
    assert_eq!(to_ping(&mut pool).connection, 1);
}

#[test]
fn beyond_the_grace_who_comes_is_told_at_once_though_the_only_probe_hangs() {
    let mut pool = pool_of(|options| options.capacity = bounded(1, 0));
    let caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    let (_hangs, _) = to_connect(&mut pool);
    let _waker = pool.timed_out(&caller, at(3_000));
    let another = queued(&mut pool, at(4_000));
    let _waker = pool.timed_out(&another, at(5_500));
    assert!(matches!(
        refused(&mut pool, at(6_000)),
        Refusal::Outage("refused", Time::START)
    ));
    nothing_to_do(&mut pool);
}
