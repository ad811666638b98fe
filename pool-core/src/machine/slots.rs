use alloc::vec::Vec;

use super::{
    entry::{Entry, Generation, Seat},
    holder::Holder,
    time::Time,
};

/// A place in the pool. It outlives the connections that are opened in it, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotId(pub(super) u32);

impl SlotId {
    /// Counted from 0, in the order in which the slots were first needed.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// No slot: the end of the list of those at rest.
const NONE: u32 = u32::MAX;

/// What is known of the connection in a slot. The connection itself is here only while it rests;
/// else it is with whoever works on it.
#[derive(Clone, Debug)]
pub(super) struct Slot<C> {
    /// From when on it is too old to be lent; `START` if it is to be replaced when it comes back.
    pub(super) expires: Time,
    /// Since when it rests, or did last; at the earliest.
    pub(super) rested: Time,
    /// When it last gave a sign of life at rest.
    pub(super) pinged: Time,
    /// Who has it, or had it if it rests.
    pub(super) holder: Option<Holder>,
    /// Its holder was reported.
    pub(super) is_reported: bool,
    /// Nothing is known against it, of its age apart: it can be put to rest when it comes back.
    pub(super) is_plain: bool,
    /// What its entry says.
    pub(super) seat: Seat,
    tenancy: Tenancy,
    /// The next one at rest.
    next: u32,
    at_rest: Option<C>,
}

impl<C> Slot<C> {
    const fn new(tenancy: Tenancy) -> Self {
        Self {
            expires: Time::NEVER,
            rested: Time::START,
            pinged: Time::START,
            holder: None,
            is_reported: false,
            is_plain: true,
            seat: Seat::new(SlotId(NONE), Generation(0)),
            tenancy,
            next: NONE,
            at_rest: None,
        }
    }
}

impl<C> Slot<C> {
    /// The connection comes to rest before the next one.
    #[inline(always)]
    fn rests(&mut self, connection: C, next: u32) {
        self.next = next;
        let nothing = self.at_rest.replace(connection);
        debug_assert!(
            nothing.is_none(),
            "whoever has the entry took the connection"
        );
        // Nothing is dropped, and the compiler need not make sure.
        core::mem::forget(nothing);
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.at_rest.is_some()
    }

    /// Since when nothing was heard of the connection.
    pub(super) fn heard(&self) -> Time {
        self.rested.max(self.pinged)
    }
}

/// Whether a slot counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tenancy {
    /// Nothing is in it. → Occupied
    Vacant,
    /// A connection, or work that will bring or remove one. → Vacant, Abandoned
    Occupied,
    /// Work in it takes so long that it may never end. Its capacity is free for others; it is vacant
    /// when the work ends after all. → Vacant
    Abandoned,
}

/// All slots, how many are occupied, and a list of the connections at rest.
#[derive(Clone, Debug)]
pub(super) struct Slots<C> {
    slots: Vec<Slot<C>>,
    vacant: Vec<SlotId>,
    abandoned: usize,
    /// The list: whoever is first is lent first.
    first: u32,
    last: u32,
    idle: usize,
}

impl<C> Slots<C> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            abandoned: 0,
            first: NONE,
            last: NONE,
            idle: 0,
        }
    }

    pub(super) fn occupied(&self) -> usize {
        self.slots.len() - self.vacant.len() - self.abandoned
    }

    pub(super) fn abandoned(&self) -> usize {
        self.abandoned
    }

    /// How many rest.
    #[inline]
    pub(super) fn idle(&self) -> usize {
        self.idle
    }

    pub(super) fn at(&self, slot: SlotId) -> &Slot<C> {
        &self.slots[slot.0 as usize]
    }

    #[inline]
    pub(super) fn at_mut(&mut self, slot: SlotId) -> &mut Slot<C> {
        &mut self.slots[slot.0 as usize]
    }

    pub(super) fn is_abandoned(&self, slot: SlotId) -> bool {
        self.at(slot).tenancy == Tenancy::Abandoned
    }

    /// Takes the first connection at rest.
    #[inline]
    pub(super) fn take_first(&mut self) -> Option<(Entry<C>, &mut Slot<C>)> {
        let slot = self.slots.get_mut(self.first as usize)?;
        let connection = slot.at_rest.take()?;
        self.first = slot.next;
        self.idle -= 1;
        let entry = Entry {
            connection,
            seat: slot.seat,
        };
        Some((entry, slot))
    }

    /// Puts a connection to rest, to be lent before all others or after them, if nothing is known
    /// against it: else it is given back.
    #[inline(always)]
    pub(super) fn end_use(&mut self, entry: Entry<C>, is_first: bool) -> Option<Entry<C>> {
        let (first, SlotId(at)) = (self.first, entry.slot());
        let slot = self.slots.get_mut(at as usize).filter(|slot| slot.is_plain);
        let Some(slot) = slot else {
            return Some(entry);
        };
        slot.rests(entry.connection, if is_first { first } else { NONE });
        self.link(at, is_first);
        None
    }

    /// Puts a connection to rest, to be lent after all others.
    pub(super) fn rest_last(&mut self, entry: Entry<C>) {
        let SlotId(at) = entry.slot();
        let slot = &mut self.slots[at as usize];
        slot.rests(entry.connection, NONE);
        self.link(at, false);
    }

    /// Puts a connection to rest, to be lent before all others.
    pub(super) fn rest_first(&mut self, entry: Entry<C>) {
        let first = self.first;
        let SlotId(at) = entry.slot();
        let slot = &mut self.slots[at as usize];
        slot.rests(entry.connection, first);
        self.link(at, true);
    }

    /// The last one is only known while there is a first.
    #[inline(always)]
    fn link(&mut self, at: u32, is_first: bool) {
        let is_only = self.first == NONE;
        if is_first || is_only {
            self.first = at;
        } else if let Some(last) = self.slots.get_mut(self.last as usize) {
            last.next = at;
        }
        if !is_first || is_only {
            self.last = at;
        }
        self.idle += 1;
    }

    /// Takes all that rest, first to last.
    pub(super) fn take_all(&mut self) -> Vec<Entry<C>> {
        let take = || self.take_first().map(|(entry, _)| entry);
        core::iter::from_fn(take).collect()
    }

    /// Takes a vacant slot for a connection that is about to be opened.
    pub(super) fn occupy(&mut self) -> SlotId {
        let slot = self.vacant.pop().unwrap_or_else(|| self.add());
        *self.at_mut(slot) = Slot::new(Tenancy::Occupied);
        slot
    }

    fn add(&mut self) -> SlotId {
        self.slots.push(Slot::new(Tenancy::Vacant));
        // So none is `NONE`.
        let count = u32::try_from(self.slots.len());
        SlotId(count.expect("fewer connections than 2^32 are open") - 1)
    }

    pub(super) fn vacate(&mut self, slot: SlotId) {
        let freed = self.at_mut(slot);
        let was = core::mem::replace(&mut freed.tenancy, Tenancy::Vacant);
        freed.holder = None;
        self.abandoned -= usize::from(was == Tenancy::Abandoned);
        self.vacant.push(slot);
    }

    pub(super) fn abandon(&mut self, slot: SlotId) {
        self.at_mut(slot).tenancy = Tenancy::Abandoned;
        self.abandoned += 1;
    }

    pub(super) fn holders(&self) -> impl Iterator<Item = &Holder> {
        let lent = self.slots.iter().filter(|slot| !slot.is_at_rest());
        lent.filter_map(|slot| slot.holder.as_ref())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot<C>> {
        self.slots.iter_mut()
    }
}
