//! Opening connections, and the outages in which none can be opened.

use core::time::Duration;

use super::{
    Action, Cause, ConnectFault, Entry, Machine, Permit, Refusal, Time, entry::Seat, outage::Outage,
};

/// So much may hang in the smallest pool.
const FEW: usize = 10;

impl<C, E: Clone> Machine<C, E> {
    /// A connection was opened.
    pub fn connected(&mut self, permit: Permit, connection: C, now: Time) {
        let Permit { slot, generation } = permit;
        self.tally.opened += 1;
        let seat = Seat::new(slot, generation);
        self.slots.at_mut(slot).seat = seat;
        let entry = Entry { connection, seat };
        // Though it came late, the server accepts.
        (self.outage, self.last_connect_error) = (None, None);
        self.wake_expectant();
        self.refresh();
        if !self.connecting.end(slot) {
            self.close(entry, Cause::Late, now);
            return self.attend(now);
        }
        self.alive += self.if_current(generation);
        let expires = self.expiry(now);
        self.slots.at_mut(slot).expires = expires;
        if self.options.renew_at_rest {
            self.tick_at(expires);
        }
        self.settle(entry, Self::serve, now);
        // After an outage, more than one may connect at a time.
        self.attend(now);
    }

    /// A connection could not be opened. If that is permanent, the first in line is told; if it is
    /// transient, all wait on, for `outage_grace`.
    pub fn connect_failed(&mut self, permit: Permit, error: E, fault: ConnectFault, now: Time) {
        let is_in_time = self.connecting.end(permit.slot);
        self.vacate(permit.slot);
        if !is_in_time {
            return self.attend(now);
        }
        self.tally.connect_errors += 1;
        self.last_connect_error = Some((error.clone(), now));
        match fault {
            ConnectFault::Permanent => {
                self.outage = None;
                self.refresh();
                self.refuse_first(Refusal::Connect(error));
            }
            ConnectFault::Transient => self.outage_continues(now),
        }
        self.attend(now);
    }

    /// Whether another connect may begin now. In an outage there is one at a time for the whole
    /// pool.
    pub(super) fn may_connect(&self) -> bool {
        let is_probing = self.outage.is_some() && self.connecting.callers() > 0;
        !is_probing && !self.is_hanging() && self.slots.occupied() < self.limits.most
    }

    /// What was given up may never end. When there is as much of it as there may be connections, and
    /// more than a few, no more is begun, or a driver that hangs would take all threads in time.
    pub(super) fn is_hanging(&self) -> bool {
        self.slots.abandoned() >= self.limits.most.max(FEW)
    }

    pub(super) fn start_connect(&mut self, now: Time) -> bool {
        if !self.may_connect() {
            return false;
        }
        let permit = Permit {
            slot: self.slots.occupy(),
            generation: self.generation,
        };
        self.refresh();
        let next = self.outage.as_ref().map(Outage::next_attempt);
        let not_before = next.unwrap_or(Time::START);
        let begins = now.max(not_before);
        let overdue = self
            .connecting
            .begin(permit.slot, permit.generation, begins);
        self.actions
            .push_back(Action::Connect { permit, not_before });
        self.tick_at(overdue);
        true
    }

    /// In an outage, somebody may want to know when it ends.
    pub(super) fn probe(&mut self, now: Time) {
        let outage = self.outage.as_ref();
        if outage.is_some_and(|outage| outage.is_suffered(now, self.options.outage_grace)) {
            let _one_is_enough = self.start_connect(now);
        }
    }

    /// A caller comes in an outage.
    pub(super) fn outage_is_suffered(&mut self, now: Time) {
        if let Some(outage) = &mut self.outage {
            // What is known of an outage that nobody suffers any more is old.
            if self.waiters.waiting() == 0 && !outage.is_suffered(now, self.options.outage_grace) {
                *outage = Outage::began(now);
            }
            outage.wanted(now);
        }
    }

    pub(super) fn outage_continues(&mut self, now: Time) {
        let jitter = self.random();
        let suffered = self.waiters.waiting() > 0;
        let outage = self.outage.get_or_insert_with(|| Outage::began(now));
        outage.attempt_failed(now, jitter);
        if suffered {
            outage.wanted(now);
        }
        self.wake_expectant();
        self.refresh();
        while self.waiters.waiting() > 0
            && let Some(refusal) = self.hopeless(now)
        {
            self.refuse_first(refusal);
        }
    }

    /// Set once an outage has outlasted its grace and no connection is left that could come back.
    pub(super) fn hopeless(&self, now: Time) -> Option<Refusal<E>> {
        let outage = self.outage.as_ref()?;
        let (error, at) = self.last_connect_error.as_ref()?;
        let over = self.alive == 0 && outage.age(now) >= self.options.outage_grace;
        over.then(|| Refusal::Outage(error.clone(), *at))
    }

    /// Until when a connection opened now may be lent.
    fn expiry(&mut self, now: Time) -> Time {
        let Some(recycle) = self.options.recycle else {
            return Time::NEVER;
        };
        let widest = recycle / 100 * u32::from(self.options.recycle_jitter);
        let share = u32::try_from(self.random() % 1024).unwrap_or(0);
        now + recycle.saturating_sub(share_of(widest, share))
    }

    /// Any number of 31 bits.
    fn random(&mut self) -> u64 {
        // Knuth's MMIX generator; its low bits are poor.
        self.jitter = self
            .jitter
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1);
        self.jitter >> 33
    }
}

/// So many parts in 1024 of a duration.
fn share_of(whole: Duration, share: u32) -> Duration {
    whole / 1024 * share
}
