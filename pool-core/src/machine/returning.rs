//! What becomes of a connection that comes back.

use super::{Borrower, Cause, Clock, Entry, Fault, Machine, ResetOnReturn, Residue, SlotId, Time};

impl<C, E: Clone> Machine<C, E> {
    /// A connection comes back. If an entry is returned, something may be open on it: it is to be
    /// reset, then `was_reset` or `invalidated`.
    #[inline]
    #[must_use = "an entry that is dropped is a slot that is lost"]
    pub fn given_back(
        &mut self,
        entry: Entry<C>,
        residue: Residue,
        clock: &impl Clock,
    ) -> Option<Entry<C>> {
        let entry = match residue {
            Residue::Clean => {
                let entry = self.rest_plainly(entry)?;
                self.rest_by_age(entry)?
            }
            _ => entry,
        };
        self.given_back_at(entry, residue, clock.now())
    }

    /// The short cut of `given_back`, for a connection on which nothing is open: to rest, if nobody
    /// waits for it and it is known without a look at the clock that it may. Else it is given back to
    /// the caller, who says `given_back`.
    #[inline(always)]
    pub fn rest_plainly(&mut self, entry: Entry<C>) -> Option<Entry<C>> {
        if !self.cuts.rests_plainly {
            return Some(entry);
        }
        self.slots.end_use(entry, self.options.use_lifo)
    }

    /// The same for a machine that looks at the clock, but only once a checkout: the rest is counted
    /// from the last look.
    #[inline(always)]
    pub fn rest_by_age(&mut self, entry: Entry<C>) -> Option<Entry<C>> {
        let (latest, slot) = (self.latest, self.slots.at_mut(entry.slot()));
        if !self.cuts.rests_by_age || latest >= slot.expires {
            return Some(entry);
        }
        slot.rested = latest;
        let unfit = self.slots.end_use(entry, self.options.use_lifo);
        if unfit.is_none() {
            self.rest_begins(latest);
        }
        unfit
    }

    /// This connection is not simply put to rest when it comes back, because something is to be done
    /// then.
    pub fn is_special(&mut self, entry: &Entry<C>) {
        self.slots.at_mut(entry.slot()).is_plain = false;
    }

    fn given_back_at(&mut self, entry: Entry<C>, residue: Residue, now: Time) -> Option<Entry<C>> {
        self.latest = self.latest.max(now);
        self.record_use(entry.slot(), now);
        let is_left_alone = self.options.reset_on_return == ResetOnReturn::Nothing
            || residue == Residue::Clean && !self.options.reset_always;
        match (residue, self.unfit(&entry, now)) {
            (Residue::Broken, _) => self.invalidated(entry, Fault::Connection, now),
            (_, Some(cause)) => self.close(entry, cause, now),
            (_, None) if is_left_alone => self.settle(entry, Self::offer, now),
            (_, None) => {
                self.reset_begins(&entry, now);
                return Some(entry);
            }
        }
        None
    }

    /// What is lent has passed to another borrower, who had no need to ask.
    pub fn relent(&mut self, slot: SlotId, borrower: Borrower) {
        if let Some(holder) = &mut self.slots.at_mut(slot).holder {
            holder.borrower = borrower;
        }
    }

    /// So many checkouts had no need to ask.
    pub fn lent_aside(&mut self, checkouts: u64) {
        self.tally.checkouts += checkouts;
    }

    /// A connection comes back, and something is to be done with it before it can be lent again,
    /// whatever is open on it. Then say `was_reset` or `invalidated`.
    pub fn held_back(&mut self, entry: &Entry<C>, now: Time) {
        self.latest = self.latest.max(now);
        self.record_use(entry.slot(), now);
        self.reset_begins(entry, now);
    }

    fn reset_begins(&mut self, entry: &Entry<C>, now: Time) {
        let overdue = self.resetting.begin(entry.slot(), entry.generation(), now);
        self.tick_at(overdue);
    }

    /// What was open on a returned connection is undone.
    pub fn was_reset(&mut self, entry: Entry<C>, now: Time) {
        if self.resetting.end(entry.slot()) {
            self.settle(entry, Self::offer, now);
        } else {
            self.close(entry, Cause::Late, now);
        }
    }

    /// This connection is not to be lent again. If the fault is the server's, neither is any other
    /// of its generation.
    pub fn invalidated(&mut self, entry: Entry<C>, fault: Fault, now: Time) {
        let cause = if self.resetting.end(entry.slot()) {
            Cause::ResetFailed
        } else {
            Cause::Invalidated
        };
        self.discard(entry, fault, cause, now);
    }

    /// This connection is to be replaced when it comes back; until then it can be used
    /// (SQLAlchemy's soft invalidation).
    pub fn spent(&mut self, entry: &Entry<C>) {
        let slot = self.slots.at_mut(entry.slot());
        (slot.expires, slot.is_plain) = (Time::START, false);
    }

    /// A connection leaves the pool for good, with whoever has it. Its place is free.
    pub fn detached<T>(&mut self, entry: Entry<T>, now: Time) -> T {
        self.alive -= self.if_current(entry.generation());
        self.vacate(entry.slot());
        self.attend(now);
        entry.connection
    }
}
