//! What the passing of time and the operator ask for.

use core::{task::Waker, time::Duration};

use super::{
    Action, Capacity, Cause, Machine, Options, OptionsError, PoolClass, Refusal, SlotId, Time,
};

impl<C, E: Clone> Machine<C, E> {
    /// Time has passed: gives up what hangs, closes what rested too long, pings what is to be kept
    /// alive, reports what was not returned, opens what is missing. Said when an
    /// [`Action::TickAt`] asks for it; at another time it does no harm.
    ///
    /// `unanswered` makes the error of a connect that hung for so long.
    pub fn tick(&mut self, now: Time, unanswered: impl Fn(Duration) -> E) {
        self.latest = self.latest.max(now);
        if self.alarm.is_some_and(|at| at <= now) {
            self.alarm = None;
        }
        // First those who leave, so that nothing is begun for them.
        let next = self
            .end_waits(now)
            .min(self.give_up(now, unanswered))
            .min(self.end_rests(now))
            .min(self.report_leaks(now));
        self.attend(now);
        self.tick_at(next);
    }

    /// Tells those whose patience is over; says when the next one's will be.
    fn end_waits(&mut self, now: Time) -> Time {
        let phase = self.phase();
        let (wakers, next) = self.waiters.expire(now, || Err(Refusal::TimedOut(phase)));
        self.refresh();
        for waker in wakers {
            self.actions.extend(waker.map(Action::Wake));
            self.outlasted();
        }
        next
    }

    /// A caller's time was up. What was being done for it may never end.
    pub(super) fn outlasted(&mut self) {
        self.tally.timeouts += 1;
        if self.pinging.callers() + self.connecting.callers() > self.waiters.waiting() {
            let _is_one = self.pinging.outlasted() || self.connecting.outlasted();
        }
    }

    /// Asks for a tick, unless an earlier one is asked for.
    pub(super) fn tick_at(&mut self, at: Time) {
        if at < Time::NEVER && self.alarm.is_none_or(|alarm| at < alarm) {
            self.alarm = Some(at);
            self.actions.push_back(Action::TickAt(at));
        }
    }

    /// What hangs loses its place; says when the next will.
    fn give_up(&mut self, now: Time, unanswered: impl Fn(Duration) -> E) -> Time {
        let (connects, mut next) = self.connecting.give_up(now);
        let is_any = !connects.is_empty();
        for (slot, _) in connects {
            self.slots.abandon(slot);
            self.tally.connect_errors += 1;
        }
        if is_any {
            let error = unanswered(self.options.connect_timeout);
            self.last_connect_error = Some((error, now));
            self.outage_continues(now);
        }
        let (pings, next_ping) = self.pinging.give_up(now);
        for (slot, generation) in pings {
            self.slots.abandon(slot);
            // With its generation, none is alive any more.
            let _is_first = self.suspected(generation, now);
        }
        let (resets, next_reset) = self.resetting.give_up(now);
        for (slot, generation) in resets {
            self.slots.abandon(slot);
            self.alive -= self.if_current(generation);
        }
        let (closings, next_closing) = self.closing.give_up(now);
        for (slot, _) in closings {
            self.slots.abandon(slot);
        }
        self.wake_mourners();
        for other in [next_ping, next_reset, next_closing] {
            next = next.min(other);
        }
        next
    }

    /// Closes what rested too long and pings what is to be kept alive; says when the next will be
    /// due.
    fn end_rests(&mut self, now: Time) -> Time {
        let is_over = |limit: Option<Duration>, since: Time| {
            limit.is_some_and(|limit| now.since(since) >= limit)
        };
        let mut spare = self
            .slots
            .idle()
            .saturating_sub(self.options.min_idle as usize);
        let renews = self.options.renew_at_rest;
        let mut next = self.next_expiry(now);
        for entry in self.take_oldest_first() {
            let slot = self.slots.at(entry.slot());
            if renews && now >= slot.expires {
                self.close(entry, Cause::Recycled, now);
            } else if (renews || spare > 0) && is_over(self.options.max_idle_time, slot.rested) {
                spare = spare.saturating_sub(1);
                self.close(entry, Cause::Idle, now);
            } else if !self.is_suspended && is_over(self.options.keepalive, slot.heard()) {
                self.ping(entry, now);
            } else {
                next = next.min(self.due(entry.slot(), now));
                self.rest_newest(entry);
            }
        }
        next
    }

    /// When the next connection will be too old, if that is to be noticed at once.
    fn next_expiry(&mut self, now: Time) -> Time {
        if !self.options.renew_at_rest {
            return Time::NEVER;
        }
        let ages = self.slots.iter_mut().map(|slot| slot.expires);
        let next = ages.filter(|expires| *expires > now).min();
        next.unwrap_or(Time::NEVER)
    }

    /// Whether as many connections are open as `min_idle` asks for, or never will be, because the
    /// pool was closed. If not, `waker` is woken when it is to ask again.
    ///
    /// Whoever waits for this suffers an outage as much as a caller of `checkout` does.
    pub fn is_stocked(&mut self, waker: &mut Option<Waker>, now: Time) -> bool {
        let is_stocked = self.is_closed || self.alive >= self.options.min_idle as usize;
        if is_stocked {
            return true;
        }
        if let Some(outage) = &mut self.outage {
            outage.wanted(now);
        }
        let is_known = |waker: &Waker| self.expectant.iter().any(|other| other.will_wake(waker));
        if !waker.as_ref().is_some_and(is_known) {
            self.expectant.extend(waker.take());
        }
        false
    }

    /// Said when a connection was opened, or could not be: who still waits for more asks again.
    pub(super) fn wake_expectant(&mut self) {
        let expectant = self.expectant.drain(..);
        self.actions.extend(expectant.map(Action::Wake));
    }

    /// When a connection at rest needs attention: to be closed, or pinged.
    pub(super) fn due(&self, slot: SlotId, now: Time) -> Time {
        let slot = self.slots.at(slot);
        let after = |limit: Option<Duration>, since: Time| limit.map(|limit| since + limit);
        let rested = after(self.options.max_idle_time, slot.rested);
        let unheard = after(self.options.keepalive, slot.heard());
        let due = rested.into_iter().chain(unheard).min();
        match (due, self.rest_limit) {
            // It is kept although its time is over.
            (Some(due), Some(limit)) if due <= now => now + limit,
            (due, _) => due.unwrap_or(Time::NEVER),
        }
    }

    /// Reports what is out for too long, once; says when the next will be.
    fn report_leaks(&mut self, now: Time) -> Time {
        let Some(limit) = self.options.leak_after else {
            return Time::NEVER;
        };
        let mut next = Time::NEVER;
        for slot in self.slots.iter_mut().filter(|slot| !slot.is_reported) {
            let lent = slot.holder.filter(|_| !slot.is_at_rest());
            let Some((holder, since)) = lent.and_then(|by| Some((by, by.since()?))) else {
                continue;
            };
            if now.since(since) < limit {
                next = next.min(since + limit);
                continue;
            }
            slot.is_reported = true;
            let leaked = Action::Leaked(holder, now.since(since));
            self.actions.push_back(leaked);
        }
        next
    }

    /// Another `outage_grace`. Who waits in an outage that has lasted for longer is told of it with the next
    /// attempt that fails.
    pub fn set_outage_grace(&mut self, grace: Duration) {
        self.options.outage_grace = grace;
    }

    /// Another size. What is too much is closed: idle connections now, those in use when they come
    /// back.
    ///
    /// # Errors
    ///
    /// A size that the options do not allow, or a pool that is no `QueuePool`; then nothing changes.
    pub fn resize(&mut self, capacity: Capacity, now: Time) -> Result<(), OptionsError> {
        if self.options.class != PoolClass::QueuePool {
            return Err(OptionsError::no_size(self.options.class));
        }
        let options = Options {
            capacity,
            ..self.options.clone()
        };
        options.check()?;
        (self.limits, self.options) = (options.limits(), options);
        let idle = self.slots.idle();
        let surplus = self.open().saturating_sub(self.limits.most);
        let mut surplus = surplus.max(idle.saturating_sub(self.limits.kept));
        for entry in self.take_oldest_first() {
            if surplus > 0 {
                surplus -= 1;
                self.close(entry, Cause::Surplus, now);
            } else {
                self.rest_newest(entry);
            }
        }
        self.refresh();
        self.attend(now);
        Ok(())
    }

    /// Lends nothing until `resume`: callers wait.
    pub fn suspend(&mut self) {
        self.is_suspended = true;
        self.refresh();
    }

    /// Lends again.
    pub fn resume(&mut self, now: Time) {
        self.is_suspended = false;
        self.refresh();
        self.attend(now);
    }

    /// Lends nothing any more: who waits is told, what is idle is closed now, what is out when it
    /// comes back.
    pub fn shut_down(&mut self, now: Time) {
        self.is_closed = true;
        while self.waiters.waiting() > 0 {
            self.refuse_first(Refusal::Closed);
        }
        while let Some(entry) = self.take_idle() {
            self.close(entry, Cause::Closed, now);
        }
        self.wake_mourners();
        self.wake_expectant();
        self.refresh();
    }

    /// Whether the pool was closed and nothing is open any more but what was given up. If not,
    /// `waker` is woken when it is so.
    pub fn is_drained(&mut self, waker: &mut Option<Waker>) -> bool {
        let is_drained = self.is_empty_for_good();
        let is_known = |waker: &Waker| self.mourners.iter().any(|other| other.will_wake(waker));
        if !is_drained && !waker.as_ref().is_some_and(is_known) {
            self.mourners.extend(waker.take());
        }
        is_drained
    }

    fn is_empty_for_good(&self) -> bool {
        self.is_closed && self.slots.occupied() == 0
    }

    /// Said whenever the last slot may have become vacant.
    pub(super) fn wake_mourners(&mut self) {
        if self.is_empty_for_good() {
            let mourners = self.mourners.drain(..);
            self.actions.extend(mourners.map(Action::Wake));
        }
    }

    /// Closes those at rest that `is_dead` says are. Those that are out come back by `given_back`, with
    /// no short cut, so that whoever gives them back can say that they are broken.
    pub fn condemn(&mut self, is_dead: impl Fn(&C) -> bool, now: Time) {
        for entry in self.slots.take_all() {
            if is_dead(&entry.connection) {
                self.close(entry, Cause::Superseded, now);
            } else {
                self.slots.rest_last(entry);
            }
        }
        for slot in self.slots.iter_mut() {
            slot.is_plain &= slot.is_at_rest();
        }
        self.attend(now);
    }
}
