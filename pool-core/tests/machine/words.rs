//! The words in which the stories are told.

pub(crate) use std::{
    cell::Cell,
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

pub(crate) use everpool_core::machine::*;

pub(crate) type Pool = Machine<u32, &'static str>;

pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// A pool of two and one more, otherwise as it is unless told.
pub(crate) fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    options.capacity = bounded(2, 1);
    change(&mut options);
    options
}

pub(crate) fn pool_of(change: impl FnOnce(&mut Options)) -> Pool {
    Pool::new(options(change)).expect("the story's options are in their ranges")
}

pub(crate) fn pinging() -> Pool {
    pool_of(|options| options.pre_ping = true)
}

pub(crate) fn bounded(size: u32, overflow: u32) -> Capacity {
    Capacity::Bounded { size, overflow }
}

pub(crate) fn at(millis: u64) -> Time {
    Time::after_start(Duration::from_millis(millis))
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn queued(pool: &mut Pool, now: Time) -> Ticket {
    match pool.checkout(Borrower::here(), &now) {
        Checkout::Queued(ticket) => ticket,
        other => panic!("expected a place in the queue, not {other:?}"),
    }
}

pub(crate) fn lent(pool: &mut Pool, now: Time) -> Entry<u32> {
    match pool.checkout(Borrower::here(), &now) {
        Checkout::Lent(entry) => entry,
        other => panic!("expected a connection, not {other:?}"),
    }
}

pub(crate) fn refused(pool: &mut Pool, now: Time) -> Refusal<&'static str> {
    match pool.checkout(Borrower::here(), &now) {
        Checkout::Refused(refusal) => refusal,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

pub(crate) fn answer(
    pool: &mut Pool,
    ticket: &Ticket,
) -> Option<Result<Entry<u32>, Refusal<&'static str>>> {
    pool.collect(ticket, &mut None)
}

pub(crate) fn handed(pool: &mut Pool, ticket: &Ticket) -> Entry<u32> {
    let answer = answer(pool, ticket).expect("there is an answer");
    answer.expect("it is a connection")
}

pub(crate) fn told(pool: &mut Pool, ticket: &Ticket) -> Refusal<&'static str> {
    let answer = answer(pool, ticket).expect("there is an answer");
    answer.expect_err("it is a refusal")
}

/// What is to be done next, but for ticks.
pub(crate) fn next_work(pool: &mut Pool) -> Option<Action<u32>> {
    loop {
        match pool.next_action() {
            Some(Action::TickAt(_)) => {}
            other => return other,
        }
    }
}

pub(crate) fn to_connect(pool: &mut Pool) -> (Permit, Time) {
    match next_work(pool) {
        Some(Action::Connect { permit, not_before }) => (permit, not_before),
        other => panic!("expected a connect, not {other:?}"),
    }
}

pub(crate) fn to_ping(pool: &mut Pool) -> Entry<u32> {
    match next_work(pool) {
        Some(Action::Ping(entry)) => entry,
        other => panic!("expected a ping, not {other:?}"),
    }
}

/// Closes what is to be closed next.
pub(crate) fn closed(pool: &mut Pool, now: Time) -> u32 {
    closed_for(pool, now).0
}

/// Closes what is to be closed next, and says why it was.
pub(crate) fn closed_for(pool: &mut Pool, now: Time) -> (u32, Cause) {
    match next_work(pool) {
        Some(Action::Close(closing, connection)) => {
            pool.closed(closing.clone(), now);
            (connection, closing.cause())
        }
        other => panic!("expected a close, not {other:?}"),
    }
}

pub(crate) fn nothing_to_do(pool: &mut Pool) {
    let action = next_work(pool);
    assert!(action.is_none(), "{action:?}");
}

pub(crate) fn tick(pool: &mut Pool, now: Time) {
    pool.tick(now, |_| "no answer in time");
}

/// When the next tick is asked for; nothing else is to be done.
pub(crate) fn tick_asked(pool: &mut Pool) -> Option<Time> {
    match pool.next_action()? {
        Action::TickAt(at) => Some(at),
        other => panic!("expected a tick, not {other:?}"),
    }
}

/// Gives every tick that is asked for until `end`, and does what is to be done by `act`.
pub(crate) fn live_until(
    pool: &mut Pool,
    end: Time,
    mut act: impl FnMut(&mut Pool, Action<u32>, Time),
) {
    let mut now = Time::START;
    let mut alarm = Some(Time::START);
    while let Some(at) = alarm.take().filter(|at| *at <= end) {
        now = now.max(at);
        tick(pool, now);
        while let Some(action) = pool.next_action() {
            match action {
                Action::TickAt(at) => alarm = Some(alarm.map_or(at, |alarm| alarm.min(at))),
                other => act(pool, other, now),
            }
        }
    }
}

/// A checkout that opens `connection`.
pub(crate) fn opened(pool: &mut Pool, connection: u32, now: Time) -> Entry<u32> {
    let ticket = queued(pool, now);
    let (permit, _) = to_connect(pool);
    pool.connected(permit, connection, now);
    handed(pool, &ticket)
}

/// These are open and at rest.
pub(crate) fn at_rest<const N: usize>(pool: &mut Pool, connections: [u32; N], now: Time) {
    for entry in connections.map(|connection| opened(pool, connection, now)) {
        given_back(pool, entry, now);
    }
}

pub(crate) fn given_back(pool: &mut Pool, entry: Entry<u32>, now: Time) {
    let to_reset = pool.given_back(entry, Residue::Clean, &now);
    assert!(to_reset.is_none(), "nothing is to be reset");
}

/// Comes back with a transaction open, which is to be undone.
pub(crate) fn to_reset(pool: &mut Pool, entry: Entry<u32>, now: Time) -> Entry<u32> {
    let to_reset = pool.given_back(entry, Residue::Open, &now);
    to_reset.expect("something is open")
}

pub(crate) fn transient(pool: &mut Pool, permit: Permit, now: Time) {
    pool.connect_failed(permit, "refused", ConnectFault::Transient, now);
}

/// Fails attempt after attempt from `START` on until `end`; says when the next may begin.
pub(crate) fn outage_until(pool: &mut Pool, end: Time) -> (Permit, Time) {
    let (mut permit, mut now) = to_connect(pool);
    for _ in 0..10_000 {
        if now >= end {
            return (permit, now);
        }
        transient(pool, permit, now);
        (permit, now) = to_connect(pool);
    }
    panic!("too much haste")
}

struct Bell;

impl Wake for Bell {
    fn wake(self: Arc<Self>) {}
}

/// A waker that is like no other.
pub(crate) fn bell() -> Waker {
    Waker::from(Arc::new(Bell))
}
