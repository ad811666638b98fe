use core::{task::Waker, time::Duration};

use super::{
    entry::{Closing, Entry, Permit},
    holder::{Borrower, Holder},
    status::Phase,
    time::Time,
    waiters::Ticket,
};

/// What is to be done next, outside of the machine and of any lock.
#[derive(Clone, Debug)]
#[must_use = "an action that is dropped is a slot that is lost"]
pub enum Action<C> {
    /// Open a connection, not before the given time; then say `connected` or `connect_failed`.
    Connect {
        /// What `connected` and `connect_failed` want back.
        permit: Permit,
        /// When to begin.
        not_before: Time,
    },
    /// Ask for a sign of life; then say `pinged` or `ping_failed`.
    Ping(Entry<C>),
    /// Close this connection; then say `closed`.
    Close(Closing, C),
    /// Somebody's answer is there.
    Wake(Waker),
    /// Say `tick` at this time.
    TickAt(Time),
    /// Report that this connection has been out for so long.
    Leaked(Holder, Duration),
}

/// The answer to a checkout.
#[derive(Debug)]
#[must_use = "an answer that is dropped is a slot that is lost"]
pub enum Checkout<C, E> {
    /// Here it is.
    Lent(Entry<C>),
    /// Wait for your turn: `collect` until it is there, or `withdraw`.
    Queued(Ticket),
    /// There will be none.
    Refused(Refusal<E>),
}

/// Why there is no connection, though the caller would have waited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal<E> {
    /// It could not be opened, and trying again changes nothing.
    Connect(E),
    /// For longer than `outage_grace` none could be opened; this is the last error, and when.
    Outage(E, Time),
    /// The ping failed with an error that is not a disconnect.
    Ping(E),
    /// As many as may wait are waiting (`max_waiting`).
    QueueFull,
    /// The pool may lend one connection at a time, and this is who has it, if it is lent already.
    InUse(Option<Borrower>),
    /// The caller's patience is over; what it waited for at the end.
    TimedOut(Phase),
    /// The pool is closed.
    Closed,
}
