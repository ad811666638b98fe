use super::slots::SlotId;

/// How often the pool was recreated when a connection was opened. A connection of an older
/// generation than the pool's is never lent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub(super) u32);

/// A connection with its place in the pool. There is exactly one per occupied slot, so whoever
/// holds it is the only one to work on the connection, and owes it back to the machine.
#[derive(Clone, Debug)]
#[must_use = "an entry that is dropped is a slot that is lost"]
pub struct Entry<C> {
    /// The driver's connection.
    pub connection: C,
    pub(super) seat: Seat,
}

impl<C> Entry<C> {
    /// The generation this connection belongs to.
    pub fn generation(&self) -> Generation {
        self.seat.generation()
    }

    /// The slot it was opened in.
    pub fn slot(&self) -> SlotId {
        self.seat.slot()
    }

    /// The same place, with something else in it.
    pub fn map<T>(self, change: impl FnOnce(C) -> T) -> Entry<T> {
        Entry {
            connection: change(self.connection),
            seat: self.seat,
        }
    }
}

/// A slot and the generation of what is in it, in one word: an entry is moved about in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat(u64);

impl Seat {
    pub(super) const fn new(slot: SlotId, generation: Generation) -> Self {
        Self(((generation.0 as u64) << 32) + slot.0 as u64)
    }

    #[inline]
    pub(super) const fn slot(self) -> SlotId {
        SlotId(self.0 as u32)
    }

    pub(super) const fn generation(self) -> Generation {
        Generation((self.0 >> 32) as u32)
    }
}

/// Leave to open one connection in a slot. It owes the machine `connected` or `connect_failed`.
#[derive(Clone, Debug)]
#[must_use = "a permit that is dropped is a slot that is lost"]
pub struct Permit {
    pub(super) slot: SlotId,
    pub(super) generation: Generation,
}

impl Permit {
    /// The slot it is for.
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    /// The slot, and the generation that the connection will belong to.
    pub fn place(&self) -> (SlotId, Generation) {
        (self.slot, self.generation)
    }
}

/// A slot whose connection is being closed. It owes the machine `closed`.
#[derive(Clone, Debug)]
#[must_use = "a closing that is dropped is a slot that is lost"]
pub struct Closing {
    pub(super) slot: SlotId,
    pub(super) generation: Generation,
    pub(super) cause: Cause,
}

impl Closing {
    /// The slot that will be vacant.
    pub fn slot(&self) -> SlotId {
        self.slot
    }

    /// The slot, and the generation of its connection.
    pub fn place(&self) -> (SlotId, Generation) {
        (self.slot, self.generation)
    }

    /// Why it is closed.
    pub fn cause(&self) -> Cause {
        self.cause
    }
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The pool keeps enough without it (`pool_size`).
    Surplus,
    /// It was open for longer than `pool_recycle`.
    Recycled,
    /// It was not used for longer than `pool_max_idle_time`.
    Idle,
    /// Another connection met a dead server, or the pool was recreated or disposed of.
    Superseded,
    /// It was lost, abandoned within an operation, or said to be invalid.
    Invalidated,
    /// It gave no sign of life.
    PingFailed,
    /// What was open on it could not be undone.
    ResetFailed,
    /// It came, or came back, after the pool had given it up.
    Late,
    /// The pool was closed.
    Closed,
}

impl Cause {
    /// How many there are; `as usize` is below it.
    pub(super) const COUNT: usize = Self::Closed as usize + 1;

    /// Each of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Surplus,
        Self::Recycled,
        Self::Idle,
        Self::Superseded,
        Self::Invalidated,
        Self::PingFailed,
        Self::ResetFailed,
        Self::Late,
        Self::Closed,
    ];
}
