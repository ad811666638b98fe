use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use super::{entry::Generation, slots::SlotId, time::Time};

/// Work of one kind that is under way: connects, pings, resets or closes.
///
/// A connect and a ping each stand for one caller that is attended to, until it has outlasted a
/// caller's patience; such a one may hang for ever, and nobody else shall have to wait for it.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    under_way: BTreeMap<SlotId, Attempt>,
    patience: Duration,
    counting: usize,
}

#[derive(Clone, Debug)]
struct Attempt {
    since: Time,
    generation: Generation,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Serves one who waits. → Superseded, Overdue
    Counting,
    /// Of an older generation: what comes of it serves nobody.
    Superseded,
    /// Has outlasted a caller.
    Overdue,
}

impl Attempts {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            under_way: BTreeMap::new(),
            patience,
            counting: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// How many callers are attended to.
    pub(super) fn callers(&self) -> usize {
        self.counting
    }

    /// Begins; says when it will be overdue.
    pub(super) fn begin(&mut self, slot: SlotId, generation: Generation, now: Time) -> Time {
        let attempt = Attempt {
            since: now,
            generation,
            standing: Standing::Counting,
        };
        self.under_way.insert(slot, attempt);
        self.counting += 1;
        now + self.patience
    }

    /// False if it was given up before.
    pub(super) fn end(&mut self, slot: SlotId) -> bool {
        match self.under_way.remove(&slot).map(|ended| ended.standing) {
            None => return false,
            Some(Standing::Counting) => self.counting -= 1,
            Some(Standing::Overdue | Standing::Superseded) => {}
        }
        true
    }

    /// A new generation has begun.
    pub(super) fn supersede(&mut self) {
        self.counting = 0;
        for attempt in self.under_way.values_mut() {
            if attempt.standing == Standing::Counting {
                attempt.standing = Standing::Superseded;
            }
        }
    }

    /// A caller's time was up, and this is what it waited for. False if there is none.
    pub(super) fn outlasted(&mut self) -> bool {
        let counting = self.under_way.values_mut();
        let counting = counting.filter(|attempt| attempt.standing == Standing::Counting);
        let Some(oldest) = counting.min_by_key(|attempt| attempt.since) else {
            return false;
        };
        oldest.standing = Standing::Overdue;
        self.counting -= 1;
        true
    }

    /// Those whose patience is over, which end with this; and when the next one's will be.
    pub(super) fn give_up(&mut self, now: Time) -> (Vec<(SlotId, Generation)>, Time) {
        let patience = self.patience;
        let ends = |attempt: &Attempt| attempt.since + patience;
        let given_up: Vec<_> = self
            .under_way
            .iter()
            .filter(|(_, attempt)| ends(attempt) <= now)
            .map(|(slot, attempt)| (*slot, attempt.generation))
            .collect();
        for (slot, _) in &given_up {
            self.end(*slot);
        }
        let next = self.under_way.values().map(ends).min();
        (given_up, next.unwrap_or(Time::NEVER))
    }
}
