use core::fmt;

use super::{Machine, entry::Generation, options::Capacity, slots::Slot};

/// The pool's numbers at one moment, all taken under one lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
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
    /// Callers in the queue.
    pub waiting: usize,
    /// Connections beyond `pool_size`; negative while there are fewer.
    pub overflow: i64,
    /// How often the pool was recreated.
    pub generation: Generation,
}

impl Status {
    pub(super) fn of<C, E>(machine: &Machine<C, E>) -> Self {
        let slots = &machine.slots;
        let size = match machine.options.capacity {
            Capacity::Unlimited => 0,
            bounded => bounded.kept(),
        };
        Self {
            size,
            idle: slots.count(Slot::Idle),
            checked_out: slots.count(Slot::Leased),
            connecting: slots.count(Slot::Connecting),
            checking: slots.count(Slot::Checking),
            resetting: slots.count(Slot::Resetting),
            closing: slots.count(Slot::Closing),
            waiting: machine.waiters.waiting(),
            overflow: if size == 0 {
                0
            } else {
                slots.occupied() as i64 - size as i64
            },
            generation: machine.generation,
        }
    }
}

/// SQLAlchemy's `Pool.status()` line.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Pool size: {}  Connections in pool: {} Current Overflow: {} Current Checked out connections: {}",
            self.size, self.idle, self.overflow, self.checked_out
        )
    }
}

/// What the first in line is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// For a server that accepts no connection.
    Outage,
    /// For an answer to the ping.
    Ping,
    /// For a connection to be opened: nothing else is wrong.
    Connect,
    /// For another user to return a connection: all are in use.
    Queue,
}

impl Phase {
    pub(super) fn of<C, E>(machine: &Machine<C, E>) -> Self {
        if machine.outage.is_some() {
            Self::Outage
        } else if machine.slots.count(Slot::Checking) > 0 {
            Self::Ping
        } else if machine.slots.count(Slot::Connecting) > 0 {
            Self::Connect
        } else {
            Self::Queue
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outage => "the server accepted no connection",
            Self::Ping => "a ping was still unanswered",
            Self::Connect => "a connection was still being opened",
            Self::Queue => "all connections were in use",
        })
    }
}
