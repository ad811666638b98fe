//! What the machine does, told story by story. Time is a number, the database a scripted answer.
//! Long for one file, because all stories are told in the words at its top.

use std::{task::Waker, time::Duration};

use everpool_core::machine::{
    Action, Capacity, Checkout, ConnectFault, Entry, Fault, Generation, Machine, Options, Permit,
    Phase, Refusal, ResetOnReturn, Residue, Ticket, Time,
};

type Pool = Machine<u32, &'static str>;

const GRACE: Duration = Duration::from_secs(5);

fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    options.capacity = bounded(2, 1);
    change(&mut options);
    options
}

fn bounded(size: u32, overflow: u32) -> Capacity {
    Capacity::Bounded { size, overflow }
}

fn at(millis: u64) -> Time {
    Time::after_start(Duration::from_millis(millis))
}

fn queued(pool: &mut Pool, now: Time) -> Ticket {
    match pool.checkout(now) {
        Checkout::Queued(ticket) => ticket,
        other => panic!("expected a place in the queue, not {other:?}"),
    }
}

fn lent(pool: &mut Pool, now: Time) -> Entry<u32> {
    match pool.checkout(now) {
        Checkout::Lent(entry) => entry,
        other => panic!("expected a connection, not {other:?}"),
    }
}

fn refused(pool: &mut Pool, now: Time) -> Refusal<&'static str> {
    match pool.checkout(now) {
        Checkout::Refused(refusal) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

fn answer(pool: &mut Pool, ticket: &Ticket) -> Option<Result<Entry<u32>, Refusal<&'static str>>> {
    pool.collect(ticket, Waker::noop())
}

fn handed(pool: &mut Pool, ticket: &Ticket) -> Entry<u32> {
    let answer = answer(pool, ticket).expect("there is an answer");
    answer.expect("it is a connection")
}

fn told(pool: &mut Pool, ticket: &Ticket) -> Refusal<&'static str> {
    let answer = answer(pool, ticket).expect("there is an answer");
    answer.expect_err("it is a refusal")
}

fn to_connect(pool: &mut Pool) -> (Permit, Time) {
    match pool.next_action() {
        Some(Action::Connect { permit, not_before }) => (permit, not_before),
        other => panic!("expected a connect, not {other:?}"),
    }
}

fn to_ping(pool: &mut Pool) -> Entry<u32> {
    match pool.next_action() {
        Some(Action::Ping(entry)) => entry,
        other => panic!("expected a ping, not {other:?}"),
    }
}

/// Closes what is to be closed next.
fn closed(pool: &mut Pool, now: Time) -> u32 {
    match pool.next_action() {
        Some(Action::Close(closing, connection)) => {
            pool.closed(&closing, now);
            connection
        }
        other => panic!("expected a close, not {other:?}"),
    }
}

fn nothing_to_do(pool: &mut Pool) {
    let action = pool.next_action();
    assert!(action.is_none(), "{action:?}");
}

/// A checkout that opens `connection`.
fn opened(pool: &mut Pool, connection: u32, now: Time) -> Entry<u32> {
    let ticket = queued(pool, now);
    let (permit, _) = to_connect(pool);
    pool.connected(permit, connection, now);
    handed(pool, &ticket)
}

fn given_back(pool: &mut Pool, entry: Entry<u32>, now: Time) {
    let to_reset = pool.given_back(entry, Residue::Clean, now);
    assert!(to_reset.is_none(), "nothing is to be reset");
}

fn transient(pool: &mut Pool, permit: Permit, now: Time) {
    pool.connect_failed(permit, "refused", ConnectFault::Transient, now);
}

/// Fails attempt after attempt from `START` on until `end`; says when the next may begin.
fn outage_until(pool: &mut Pool, end: Time) -> (Permit, Time) {
    let (mut permit, mut now) = to_connect(pool);
    while now < end {
        transient(pool, permit, now);
        (permit, now) = to_connect(pool);
    }
    (permit, now)
}

#[test]
fn attempts_in_an_outage_are_one_at_a_time_and_ever_wider_spaced() {
    for seed in 0..20 {
        let mut pool = Pool::new(options(|options| options.seed = seed));
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
            let _other = pool.checkout(now);
        }
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn the_spacing_is_jittered_to_both_sides() {
    let mut pool = Pool::new(options(|options| options.seed = 7));
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
        let mut pool = Pool::new(options(|options| options.seed = seed));
        let _caller = queued(&mut pool, Time::START);
        let (permit, _) = to_connect(&mut pool);
        transient(&mut pool, permit, Time::START);
        to_connect(&mut pool).1
    };
    assert_ne!(spacing(2), spacing(4));
}

#[test]
fn a_restart_within_the_grace_is_a_wait_and_nothing_else() {
    let mut pool = Pool::new(options(|_| {}));
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
    let mut pool = Pool::new(options(|_| {}));
    let first = queued(&mut pool, Time::START);
    let second = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    let (permit, _) = to_connect(&mut pool);
    let late = at(4_999);
    pool.connect_failed(permit, "starting up", ConnectFault::Transient, late);
    assert!(answer(&mut pool, &first).is_none());
    let (permit, _) = to_connect(&mut pool);
    assert!(
        matches!(pool.checkout(late), Checkout::Queued(_)),
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
    let mut pool = Pool::new(options(|_| {}));
    let caller = queued(&mut pool, Time::START);
    let (permit, over) = outage_until(&mut pool, at(5_500));
    assert!(matches!(told(&mut pool, &caller), Refusal::Outage(..)));

    // The caller is gone since the end of the grace, and the server is back before the next comes.
    pool.connected(permit, 1, over);
    assert_eq!(lent(&mut pool, over).connection, 1);
}

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
fn a_probe_that_outlasted_a_caller_does_not_end_the_probing() {
    let mut pool = Pool::new(options(|_| {}));
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
    let mut pool = Pool::new(options(|_| {}));
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
    let mut pool = Pool::new(options(|_| {}));
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
    let mut pool = Pool::new(options(|_| {}));
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
    let mut pool = Pool::new(options(|_| {}));
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
    let mut pool = Pool::new(options(|_| {}));
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

#[test]
fn the_clock_is_needed_for_ages_and_outages_only() {
    let mut pool = Pool::new(options(|_| {}));
    assert!(!pool.needs_time());
    let _caller = queued(&mut pool, Time::START);
    let (permit, _) = to_connect(&mut pool);
    transient(&mut pool, permit, Time::START);
    assert!(pool.needs_time());
    assert!(Pool::new(options(|options| options.recycle = Some(GRACE))).needs_time());
}

fn order_of_use(use_lifo: bool) -> Vec<u32> {
    let mut pool = Pool::new(options(|options| options.use_lifo = use_lifo));
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
    let mut pool = Pool::new(options(|_| {}));
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
        let mut pool = Pool::new(options(|options| options.capacity = capacity));
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
fn the_status_line_is_sqlalchemys() {
    let mut pool = Pool::new(options(|_| {}));
    let line = "Pool size: 2  Connections in pool: 0 Current Overflow: -2 Current Checked out connections: 0";
    assert_eq!(pool.status().to_string(), line);
    let _out = opened(&mut pool, 1, Time::START);
    let line = "Pool size: 2  Connections in pool: 0 Current Overflow: -1 Current Checked out connections: 1";
    assert_eq!(pool.status().to_string(), line);
    let unlimited = Pool::new(options(|options| options.capacity = Capacity::Unlimited));
    assert_eq!(
        (unlimited.status().size, unlimited.status().overflow),
        (0, 0)
    );
}

#[test]
fn a_connection_is_recycled_when_it_is_older_than_allowed_and_not_before() {
    let recycle = Duration::from_secs(60);
    let mut pool = Pool::new(options(|options| options.recycle = Some(recycle)));
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

fn pinging() -> Pool {
    Pool::new(options(|options| options.pre_ping = true))
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
fn however_many_suspect_a_generation_it_ends_once() {
    let mut pool = Pool::new(options(|_| {}));
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
    let mut pool = Pool::new(options(|_| {}));
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
        let mut pool = Pool::new(options(|options| options.capacity = bounded(1, 0)));
        let entry = opened(&mut pool, 1, Time::START);
        let next = queued(&mut pool, Time::START);
        let to_reset = pool.given_back(entry, residue, Time::START);
        assert!(answer(&mut pool, &next).is_none());
        pool.was_reset(to_reset.expect("it may be open"), Time::START);
        assert_eq!(handed(&mut pool, &next).connection, 1);
    }
}

#[test]
fn without_reset_on_return_a_connection_is_passed_on_as_it_is() {
    let change = |options: &mut Options| options.reset_on_return = ResetOnReturn::Nothing;
    let mut pool = Pool::new(options(change));
    let entry = opened(&mut pool, 1, Time::START);
    assert!(pool.given_back(entry, Residue::Open, Time::START).is_none());
    let entry = lent(&mut pool, Time::START);
    assert!(
        pool.given_back(entry, Residue::Broken, Time::START)
            .is_none()
    );
    assert_eq!(closed(&mut pool, Time::START), 1);
}

#[test]
fn an_old_connection_is_closed_on_return_without_a_reset() {
    let mut pool = Pool::new(options(|_| {}));
    let entry = opened(&mut pool, 1, Time::START);
    pool.recreate(Time::START);
    assert!(pool.given_back(entry, Residue::Open, Time::START).is_none());
    assert_eq!(closed(&mut pool, Time::START), 1);
}

#[test]
fn an_answer_that_came_before_the_caller_asked_is_there() {
    let mut pool = Pool::new(options(|_| {}));
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
    use std::sync::Arc;
    struct Bell;
    impl std::task::Wake for Bell {
        fn wake(self: Arc<Self>) {}
    }
    let mut pool = Pool::new(options(|_| {}));
    let ticket = queued(&mut pool, Time::START);
    let (old, new) = (Waker::from(Arc::new(Bell)), Waker::from(Arc::new(Bell)));
    assert!(pool.collect(&ticket, &old).is_none());
    assert!(pool.collect(&ticket, &new).is_none());
    let (permit, _) = to_connect(&mut pool);
    pool.connected(permit, 1, Time::START);
    match pool.next_action() {
        Some(Action::Wake(woken)) => assert!(woken.will_wake(&new)),
        other => panic!("expected a waker, not {other:?}"),
    }
    pool.withdraw(&ticket, Time::START);
}

/// Many come and go while one connection is out; the places of those who left must not be kept.
#[test]
fn those_who_left_are_forgotten_and_the_order_of_the_others_is_kept() {
    let mut pool = Pool::new(options(|options| options.capacity = bounded(1, 0)));
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
    let phases = [Phase::Outage, Phase::Ping, Phase::Connect, Phase::Queue];
    let texts = phases.map(|phase| phase.to_string());
    assert_eq!(texts[0], "the server accepted no connection");
    assert_eq!(texts[1], "a ping was still unanswered");
    assert_eq!(texts[2], "a connection was still being opened");
    assert_eq!(texts[3], "all connections were in use");
    let mut pool = Pool::new(options(|_| {}));
    let _caller = queued(&mut pool, Time::START);
    assert_eq!(pool.phase(), Phase::Connect);
}

/// What SQLAlchemy's `test_queuepool_close` looks at.
fn counters(pool: &Pool) -> (usize, usize, i64, usize) {
    let status = pool.status();
    (
        status.size,
        status.idle,
        status.overflow,
        status.checked_out,
    )
}

#[test]
fn the_counters_are_those_of_sqlalchemy() {
    let mut pool = Pool::new(options(|options| {
        options.capacity = Capacity::Growing { size: 3 }
    }));
    let now = Time::START;
    let mut out = Vec::new();
    for (number, overflow) in (1..=6).zip(-2..=3) {
        out.push(opened(&mut pool, number, now));
        assert_eq!(counters(&pool), (3, 0, overflow, number as usize));
    }
    for entry in out.drain(..3) {
        given_back(&mut pool, entry, now);
    }
    assert_eq!(counters(&pool), (3, 3, 3, 3));
    for entry in out.drain(..) {
        given_back(&mut pool, entry, now);
        closed(&mut pool, now);
    }
    assert_eq!(counters(&pool), (3, 3, 0, 0));
    let first = lent(&mut pool, now);
    let second = lent(&mut pool, now);
    given_back(&mut pool, first, now);
    assert_eq!(counters(&pool), (3, 2, 0, 1));
    given_back(&mut pool, second, now);
}

#[test]
fn four_connections_of_which_two_are_kept_open_twelve_in_five_rounds() {
    let capacity = bounded(2, 2);
    let mut pool = Pool::new(options(|options| options.capacity = capacity));
    let (now, mut opened_in_all, mut closed_in_all) = (Time::START, 0, 0);
    for _ in 0..5 {
        let mut out = Vec::new();
        for _ in 0..4 {
            out.push(match pool.checkout(now) {
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
        while let Some(Action::Close(closing, _)) = pool.next_action() {
            pool.closed(&closing, now);
            closed_in_all += 1;
        }
    }
    assert_eq!(
        (opened_in_all, closed_in_all, pool.status().idle),
        (12, 10, 2)
    );
}
