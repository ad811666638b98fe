use alloc::vec::Vec;

use super::options::Capacity;

/// A place in the pool. It outlives the connections that are opened in it, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotId(u32);

/// What stands in a slot. The connection itself is with whoever works on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing. → Connecting
    Vacant,
    /// A connection is being opened. → Idle, Leased, Closing, Vacant
    Connecting,
    /// A connection that rests in the pool. → Leased, Checking, Closing
    Idle,
    /// A connection that is asked for a sign of life. → Idle, Leased, Closing
    Checking,
    /// A connection with a user. → Idle, Leased by the next, Checking for it, Resetting, Closing
    Leased,
    /// A connection whose user's transaction is being undone. → Idle, Leased, Checking, Closing
    Resetting,
    /// A connection that is being closed. → Vacant
    Closing,
}

impl Slot {
    const KINDS: usize = Self::Closing as usize + 1;
}

/// All slots, with how many are in which state.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    states: Vec<Slot>,
    vacant: Vec<SlotId>,
    most: usize,
    counts: [usize; Slot::KINDS],
}

impl Slots {
    pub(super) fn new(capacity: Capacity) -> Self {
        Self {
            states: Vec::new(),
            vacant: Vec::new(),
            most: capacity.most(),
            counts: [0; Slot::KINDS],
        }
    }

    pub(super) fn count(&self, state: Slot) -> usize {
        self.counts[state as usize]
    }

    pub(super) fn occupied(&self) -> usize {
        self.states.len() - self.count(Slot::Vacant)
    }

    /// Takes a vacant slot for a connection that is about to be opened.
    pub(super) fn occupy(&mut self) -> Option<SlotId> {
        let slot = self.vacant.pop().or_else(|| self.add())?;
        self.set(slot, Slot::Connecting);
        Some(slot)
    }

    fn add(&mut self) -> Option<SlotId> {
        let id = u32::try_from(self.states.len()).ok().map(SlotId)?;
        if self.states.len() == self.most {
            return None;
        }
        self.states.push(Slot::Vacant);
        self.counts[Slot::Vacant as usize] += 1;
        Some(id)
    }

    pub(super) fn vacate(&mut self, slot: SlotId) {
        self.set(slot, Slot::Vacant);
        self.vacant.push(slot);
    }

    pub(super) fn set(&mut self, slot: SlotId, state: Slot) {
        let old = core::mem::replace(&mut self.states[slot.0 as usize], state);
        self.counts[old as usize] -= 1;
        self.counts[state as usize] += 1;
    }
}
