//! What a machine tells of itself. Nothing changes here.

use super::{
    Generation, Holder, Machine, Options, Phase, Snapshot, Status, Time, attempts::Attempts,
};

impl<C, E: Clone> Machine<C, E> {
    /// The pool's numbers.
    pub fn status(&self) -> Status {
        Status::of(self)
    }

    /// The pool's numbers, and what it has counted.
    pub fn snapshot(&self, now: Time) -> Snapshot {
        Snapshot::of(self, now)
    }

    /// What the first in line is waiting for.
    pub fn phase(&self) -> Phase {
        Phase::of(self)
    }

    /// Whether any connection at rest is lent, and any that comes back clean and is known to be fit is
    /// put to rest, with no question asked; and whether there is more than one.
    pub fn is_plain(&self) -> bool {
        self.cuts.lends_plainly && self.cuts.rests_plainly && self.slots.occupied() > 1
    }

    /// How many callers are in the queue.
    pub fn waiting(&self) -> usize {
        self.waiters.waiting()
    }

    /// Who has a connection.
    pub fn holders(&self) -> impl Iterator<Item = &Holder> {
        self.slots.holders()
    }

    /// Who has had a connection for the longest time.
    pub fn oldest_holder(&self) -> Option<&Holder> {
        self.slots.holders().min_by_key(|holder| holder.number)
    }

    /// The current generation.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What this pool was told to be.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The last error of a failed connect, and when that was; `None` once one succeeded.
    pub fn last_connect_error(&self) -> Option<&(E, Time)> {
        self.last_connect_error.as_ref()
    }

    pub(crate) fn checked_out(&self) -> usize {
        let work = [
            &self.connecting,
            &self.pinging,
            &self.resetting,
            &self.closing,
        ];
        let at_work: usize = work.into_iter().map(Attempts::len).sum();
        self.slots.occupied() - self.slots.idle() - at_work
    }
}
