//! What becomes of a connection: lent, at rest, pinged, closed.

use alloc::vec::Vec;
use core::{task::Waker, time::Duration};

use super::{
    Action, Borrower, Cause, Closing, Entry, Fault, Machine, PoolClass, Refusal, SlotId, Time,
    waiters::Served,
};

/// For how long after the last word of a connection it is enough to look at it, instead of a ping: a
/// look does not see a network that swallows everything.
const LOOK_SUFFICES: Duration = Duration::from_secs(1);

impl<C, E: Clone> Machine<C, E> {
    /// In place of a ping: as far as can be seen without asking the server, the connection is alive. If
    /// that is not enough, because it has rested for longer than a moment, or because the options say
    /// after which rest to ping, the entry is given back, to be pinged.
    #[must_use = "an entry that is dropped is a slot that is lost"]
    pub fn looked_alive(&mut self, entry: Entry<C>, now: Time) -> Option<Entry<C>> {
        let heard = self.slots.at(entry.slot()).heard();
        if self.options.ping_after_idle.is_some() || now.since(heard) >= LOOK_SUFFICES {
            return Some(entry);
        }
        if self.pinging.end(entry.slot()) {
            self.sort(entry, Self::serve, now);
        } else {
            self.close(entry, Cause::Late, now);
        }
        None
    }

    /// A sign of life came.
    pub fn pinged(&mut self, entry: Entry<C>, now: Time) {
        if self.pinging.end(entry.slot()) {
            self.slots.at_mut(entry.slot()).pinged = now;
            self.sort(entry, Self::serve, now);
        } else {
            self.close(entry, Cause::Late, now);
        }
    }

    /// None came. A disconnect is nobody's error: the next connection is tried. Anything else is
    /// told to the first in line, unless pings are for keeping alive only.
    pub fn ping_failed(&mut self, entry: Entry<C>, error: E, fault: Fault, now: Time) {
        if !self.pinging.end(entry.slot()) {
            return self.close(entry, Cause::Late, now);
        }
        if !fault.is_disconnect() && self.options.pre_ping {
            self.refuse_first(Refusal::Ping(error));
        }
        self.discard(entry, fault, Cause::PingFailed, now);
        self.attend(now);
    }

    /// A connection is closed, and its slot vacant.
    pub fn closed(&mut self, closing: Closing, now: Time) {
        let _in_time = self.closing.end(closing.slot);
        self.vacate(closing.slot);
        self.attend(now);
    }

    /// Gives whoever waits what there is: idle connections first, then permits to open one. A
    /// connect may take as long as the server likes, so it is no reason to let a connection rest.
    pub(super) fn attend(&mut self, now: Time) {
        if self.is_suspended || self.is_closed || self.is_content() {
            return;
        }
        while self.waiters.waiting() > self.pinging.callers()
            && let Some(entry) = self.next_idle(now)
        {
            self.offer(entry, now);
        }
        while self.waiters.waiting() > self.pinging.callers() + self.connecting.callers() {
            if !self.start_connect(now) {
                return;
            }
        }
        self.probe(now);
        self.replenish(now);
    }

    /// Nobody waits for anything.
    fn is_content(&self) -> bool {
        self.waiters.waiting() == 0 && self.outage.is_none() && self.options.min_idle == 0
    }

    /// Opens connections ahead of demand: no overflow, which would be closed again on return, and
    /// none while the last connect failed, which nobody would notice but the server.
    pub(super) fn replenish(&mut self, now: Time) {
        let min_idle = self.options.min_idle as usize;
        if self.last_connect_error.is_some() {
            return;
        }
        let missing = |machine: &Self| {
            let attended = machine.pinging.callers() + machine.connecting.callers();
            let spare = attended.saturating_sub(machine.waiters.waiting());
            machine.slots.idle() + spare < min_idle && machine.open() < machine.limits.kept
        };
        while missing(self) && self.start_connect(now) {}
    }

    /// As `try_checkout`, but a connection that is due for a ping is lent without: the caller asks it
    /// for a sign of life, and says `invalidated` if there is none. Nobody is overtaken: while one is
    /// at rest, each who waits has another that is being pinged.
    pub fn try_checkout_untested(&mut self, borrower: Borrower, now: Time) -> Option<Entry<C>> {
        if self.is_suspended || self.is_closed {
            return None;
        }
        let entry = self.next_idle(now)?;
        self.lend(entry.slot(), borrower, now);
        self.replenish(now);
        Some(entry)
    }

    pub(super) fn take_idle(&mut self) -> Option<Entry<C>> {
        let first = self.slots.take_first();
        first.map(|(entry, _)| entry)
    }

    /// Takes all that rest, the one that has rested longest first.
    pub(super) fn take_oldest_first(&mut self) -> Vec<Entry<C>> {
        let mut all = self.slots.take_all();
        if self.options.use_lifo {
            all.reverse();
        }
        all
    }

    /// Whoever has just come back is lent first, or last.
    #[inline]
    pub(super) fn rest_newest(&mut self, entry: Entry<C>) {
        if self.options.use_lifo {
            self.slots.rest_first(entry);
        } else {
            self.slots.rest_last(entry);
        }
    }

    /// Whoever has not been used for long is lent last, or first.
    fn rest_oldest(&mut self, entry: Entry<C>) {
        if self.options.use_lifo {
            self.slots.rest_last(entry);
        } else {
            self.slots.rest_first(entry);
        }
    }

    pub(super) fn next_idle(&mut self, now: Time) -> Option<Entry<C>> {
        loop {
            let entry = self.take_idle()?;
            match self.unfit(&entry, now) {
                None => return Some(entry),
                Some(cause) => self.close(entry, cause, now),
            }
        }
    }

    /// Why a connection cannot be lent again.
    pub(super) fn unfit(&self, entry: &Entry<C>, now: Time) -> Option<Cause> {
        let slot = self.slots.at(entry.slot());
        if self.is_closed {
            Some(Cause::Closed)
        } else if entry.generation() != self.generation {
            Some(Cause::Superseded)
        } else if slot.expires == Time::START {
            Some(Cause::Invalidated)
        } else if now > slot.expires {
            Some(Cause::Recycled)
        } else {
            self.is_surplus().then_some(Cause::Surplus)
        }
    }

    /// More connections are open than there may be: there were to be more before.
    pub(super) fn is_surplus(&self) -> bool {
        self.open() > self.limits.most
    }

    /// Connections that are open or being opened, and not being closed.
    pub(super) fn open(&self) -> usize {
        self.slots.occupied() - self.closing.len()
    }

    pub(super) fn needs_ping(&self, slot: SlotId, now: Time) -> bool {
        let heard = self.slots.at(slot).heard();
        self.ping_after.is_some_and(|limit| now >= heard + limit)
    }

    /// Passes a connection on that was used or opened, if it is fit, else closes it.
    pub(super) fn settle(
        &mut self,
        entry: Entry<C>,
        pass_on: fn(&mut Self, Entry<C>, Time),
        now: Time,
    ) {
        self.slots.at_mut(entry.slot()).rested = now;
        self.sort(entry, pass_on, now);
    }

    fn sort(&mut self, entry: Entry<C>, pass_on: fn(&mut Self, Entry<C>, Time), now: Time) {
        match self.unfit(&entry, now) {
            None => {
                self.slots.at_mut(entry.slot()).is_plain = true;
                pass_on(self, entry, now);
            }
            // Whoever it was for needs another one.
            Some(cause) => {
                self.close(entry, cause, now);
                self.attend(now);
            }
        }
    }

    /// To whoever waits, after a ping if one is asked for. A `NullPool` passes nothing on.
    pub(super) fn offer(&mut self, entry: Entry<C>, now: Time) {
        if self.options.class == PoolClass::NullPool {
            self.close(entry, Cause::Surplus, now);
        } else if self.waiters.waiting() > 0
            && !self.is_suspended
            && self.needs_ping(entry.slot(), now)
        {
            self.ping(entry, now);
        } else {
            self.serve(entry, now);
        }
    }

    pub(super) fn ping(&mut self, entry: Entry<C>, now: Time) {
        self.slots.at_mut(entry.slot()).holder = None;
        let overdue = self.pinging.begin(entry.slot(), entry.generation(), now);
        self.actions.push_back(Action::Ping(entry));
        self.tick_at(overdue);
    }

    /// To the first in line, or to rest.
    pub(super) fn serve(&mut self, entry: Entry<C>, now: Time) {
        let first = self.waiters.first().filter(|_| !self.is_suspended);
        let Some(borrower) = first else {
            return self.rest(entry, now);
        };
        self.lend(entry.slot(), borrower, now);
        if let Ok(Served { waker, since }) = self.waiters.answer_first(Ok(entry)) {
            self.tally.waits.record(now.since(since));
            self.served(waker);
        }
    }

    fn rest(&mut self, entry: Entry<C>, now: Time) {
        if self.slots.idle() >= self.limits.kept {
            return self.close(entry, Cause::Surplus, now);
        }
        self.tick_at(self.due(entry.slot(), now));
        // Who was only pinged has rested since before.
        if self.slots.at(entry.slot()).rested == now {
            self.rest_newest(entry);
        } else {
            self.rest_oldest(entry);
        }
    }

    #[inline]
    pub(super) fn rest_begins(&mut self, now: Time) {
        if let Some(limit) = self.rest_limit {
            self.tick_at(now + limit);
        }
    }

    pub(super) fn lend(&mut self, slot: SlotId, borrower: Borrower, now: Time) {
        let holder = self.tally.lent(borrower, now);
        self.slots.at_mut(slot).holder = Some(holder);
        if let Some(limit) = self.options.leak_after {
            self.slots.at_mut(slot).is_reported = false;
            self.tick_at(now + limit);
        }
    }

    /// Closes a connection that is lost, and all of its generation if that is the server's fault.
    pub(super) fn discard(&mut self, entry: Entry<C>, fault: Fault, cause: Cause, now: Time) {
        let is_servers = fault == Fault::Server && !self.slots.is_abandoned(entry.slot());
        if is_servers {
            let _is_first = self.suspected(entry.generation(), now);
        }
        self.close(entry, cause, now);
    }

    pub(super) fn close(&mut self, entry: Entry<C>, cause: Cause, now: Time) {
        let Entry { connection, seat } = entry;
        let (slot, generation) = (seat.slot(), seat.generation());
        let is_abandoned = self.slots.is_abandoned(slot);
        let cause = if is_abandoned { Cause::Late } else { cause };
        self.tally.closed[cause as usize] += 1;
        if !is_abandoned {
            self.alive -= self.if_current(generation);
            self.slots.at_mut(slot).holder = None;
            let overdue = self.closing.begin(slot, generation, now);
            self.tick_at(overdue);
        }
        let closing = Closing {
            slot,
            generation,
            cause,
        };
        self.actions.push_back(Action::Close(closing, connection));
    }

    pub(super) fn vacate(&mut self, slot: SlotId) {
        self.slots.vacate(slot);
        self.wake_mourners();
        self.refresh();
    }

    pub(super) fn refuse_first(&mut self, refusal: Refusal<E>) {
        // Nobody waits any more: the error stands in `last_connect_error`.
        if let Ok(Served { waker, .. }) = self.waiters.answer_first(Err(refusal)) {
            self.served(waker);
        }
    }

    /// Somebody has an answer.
    fn served(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            self.actions.push_back(Action::Wake(waker));
        }
        if self.waiters.waiting() == 0 {
            self.refresh();
        }
    }

    /// The use of a connection is over.
    pub(super) fn record_use(&mut self, slot: SlotId, now: Time) {
        let holder = self.slots.at_mut(slot).holder.take();
        if let Some(since) = holder.and_then(|holder| holder.since())
            && self.options.measure_use
        {
            self.tally.uses.record(now.since(since));
        }
    }
}
