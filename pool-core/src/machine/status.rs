use core::{fmt, time::Duration};

use super::{
    Machine,
    class::{Capacity, PoolClass},
    entry::{Cause, Generation},
    histogram::Histogram,
    holder::{Borrower, Holder},
    time::Time,
};

/// The pool's numbers at one moment, all taken under one lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What the pool was told to be.
    pub class: PoolClass,
    /// `pool_size`; 0 is no limit.
    pub size: usize,
    /// Connections that rest in the pool.
    pub idle: usize,
    /// Connections with a user.
    pub checked_out: usize,
    /// Connections being opened.
    pub connecting: usize,
    /// Connections that are asked for a sign of life.
    pub checking: usize,
    /// Returned connections whose transaction is being undone.
    pub resetting: usize,
    /// Connections being closed.
    pub closing: usize,
    /// Connects, pings, resets and closes that took too long: their places are free for others, and
    /// what still comes of them is closed.
    pub abandoned: usize,
    /// Callers in the queue.
    pub waiting: usize,
    /// Connections beyond `pool_size`; negative while there are fewer.
    pub overflow: i64,
    /// How often the pool was recreated.
    pub generation: Generation,
}

impl Status {
    pub(super) fn of<C, E: Clone>(machine: &Machine<C, E>) -> Self {
        let unlimited = machine.options.capacity == Capacity::Unlimited;
        let class = machine.options.class;
        let size = match class {
            PoolClass::QueuePool if unlimited => 0,
            _ => machine.limits.kept,
        };
        let occupied = machine.slots.occupied();
        Self {
            class,
            size,
            idle: machine.slots.idle(),
            checked_out: machine.checked_out(),
            connecting: machine.connecting.len(),
            checking: machine.pinging.len(),
            resetting: machine.resetting.len(),
            closing: machine.closing.len(),
            abandoned: machine.slots.abandoned(),
            waiting: machine.waiters.waiting(),
            overflow: if size == 0 {
                0
            } else {
                occupied as i64 - size as i64
            },
            generation: machine.generation,
        }
    }
}

/// SQLAlchemy's `Pool.status()` line.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.class {
            PoolClass::QueuePool => write!(
                f,
                "Pool size: {}  Connections in pool: {} Current Overflow: {} Current Checked out connections: {}",
                self.size, self.idle, self.overflow, self.checked_out
            ),
            class => write!(
                f,
                "{class}  Connections in pool: {} Current Checked out connections: {}",
                self.idle, self.checked_out
            ),
        }
    }
}

/// The pool's numbers and what it has counted since it was made, all taken under one lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The numbers.
    pub status: Status,
    /// For how long the first in line has been waiting.
    pub oldest_wait: Option<Duration>,
    /// Checkouts that got a connection.
    pub checkouts: u64,
    /// Checkouts whose time was up.
    pub timeouts: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connects that failed.
    pub connect_errors: u64,
    /// How long those in the queue waited for their connection. Whoever got one at once did not
    /// wait.
    pub waits: Histogram,
    /// For how long connections were used; empty unless the pool measures it.
    pub uses: Histogram,
    closed: [u64; Cause::COUNT],
}

impl Snapshot {
    pub(super) fn of<C, E: Clone>(machine: &Machine<C, E>, now: Time) -> Self {
        let tally = &machine.tally;
        Self {
            status: Status::of(machine),
            oldest_wait: machine.waiters.oldest().map(|since| now.since(since)),
            checkouts: tally.checkouts,
            timeouts: tally.timeouts,
            opened: tally.opened,
            connect_errors: tally.connect_errors,
            waits: tally.waits,
            uses: tally.uses,
            closed: tally.closed,
        }
    }

    /// How many connections were closed for this cause.
    pub fn closed(&self, cause: Cause) -> u64 {
        self.closed[cause as usize]
    }

    /// How many connections were closed.
    pub fn closed_in_all(&self) -> u64 {
        self.closed.iter().sum()
    }
}

/// What a machine counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) checkouts: u64,
    pub(super) timeouts: u64,
    pub(super) opened: u64,
    pub(super) connect_errors: u64,
    pub(super) waits: Histogram,
    pub(super) uses: Histogram,
    pub(super) closed: [u64; Cause::COUNT],
}

impl Tally {
    /// Counts a checkout. `since` is `NEVER` if nobody looked at the clock.
    #[inline]
    pub(super) fn lent(&mut self, borrower: Borrower, since: Time) -> Holder {
        let number = self.checkouts;
        self.checkouts = number + 1;
        Holder {
            borrower,
            since,
            number,
        }
    }
}

/// What the first in line is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// For the pool to be resumed.
    Suspended,
    /// For earlier work of the driver to end, which hangs: so much of it that no more is begun.
    Hanging,
    /// For a server that accepts no connection.
    Outage,
    /// For an answer to the ping.
    Ping,
    /// For a connection to be opened: nothing else is wrong.
    Connect,
    /// For another user to return a connection: all are in use.
    Queue,
    /// For a hook that prepares the connection. Not told by the machine, which knows no hooks.
    Hook,
}

impl Phase {
    pub(super) fn of<C, E: Clone>(machine: &Machine<C, E>) -> Self {
        if machine.is_suspended {
            Self::Suspended
        } else if machine.is_hanging() {
            Self::Hanging
        } else if machine.outage.is_some() {
            Self::Outage
        } else if machine.pinging.len() > 0 {
            Self::Ping
        } else if machine.connecting.len() > 0 {
            Self::Connect
        } else {
            Self::Queue
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended => "the pool was suspended",
            Self::Hanging => "too much that the driver had begun never ended",
            Self::Outage => "the server accepted no connection",
            Self::Ping => "a ping was still unanswered",
            Self::Connect => "a connection was still being opened",
            Self::Queue => "all connections were in use",
            Self::Hook => "a hook was still preparing the connection",
        })
    }
}
