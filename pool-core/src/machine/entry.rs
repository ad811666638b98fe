use super::{slots::SlotId, time::Time};

/// How often the pool was recreated when a connection was opened. A connection of an older
/// generation than the pool's is never lent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub(super) u64);

/// A connection with its place in the pool. There is exactly one per occupied slot, so whoever
/// holds it is the only one to work on the connection, and owes it back to the machine.
#[derive(Clone, Debug)]
#[must_use = "an entry that is dropped is a slot that is lost"]
pub struct Entry<C> {
    /// The driver's connection.
    pub connection: C,
    pub(super) slot: SlotId,
    pub(super) generation: Generation,
    pub(super) opened: Time,
}

impl<C> Entry<C> {
    /// The generation this connection belongs to.
    pub fn generation(&self) -> Generation {
        self.generation
    }
}

/// Leave to open one connection in a slot. It owes the machine `connected` or `connect_failed`.
#[derive(Clone, Debug)]
#[must_use = "a permit that is dropped is a slot that is lost"]
pub struct Permit {
    pub(super) slot: SlotId,
    pub(super) generation: Generation,
}

/// A slot whose connection is being closed. It owes the machine `closed`.
#[derive(Clone, Debug)]
#[must_use = "a closing that is dropped is a slot that is lost"]
pub struct Closing {
    pub(super) slot: SlotId,
}
