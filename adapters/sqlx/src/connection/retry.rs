//! Takes note of what happens to a connection and its transaction, for who may do that once more.

use everpool_session::{RetryReason, stack::Standing};

use super::Connection;
use crate::{driver::Driver, flags::Noted, wire::Wire};

impl<DB: Driver> Connection<DB> {
    /// What the transaction has met that another one may be spared. It is forgotten when a statement follows on a
    /// transaction that has survived it: then what the program says of it is another matter.
    #[inline]
    pub(crate) fn met(&mut self) -> Option<RetryReason> {
        self.take_note();
        self.met
    }

    /// Before a statement.
    #[cold]
    pub(crate) fn overcomes(&mut self, levels: u32) {
        if self.standing(levels) == Standing::Sound {
            self.met = None;
        }
    }

    /// Whether something may be committed of which no session knows: each statement is committed at once, or the
    /// program has ended the transaction in its own words.
    pub(crate) fn may_have_committed(&mut self) -> bool {
        self.take_note();
        self.omitted.is_some() || self.has_ended
    }

    /// Takes note of a connection that was lost. One that was given up in the middle goes back, for the
    /// pool to put it in order.
    #[inline]
    pub(crate) fn settle(&mut self) {
        match self.inner.settled() {
            Some(wire) if wire.is_cut() => {
                let noted = wire.flags_mut().take_noted();
                self.note(noted);
                self.inner.release();
            }
            _ => {
                let mut noted = Noted::default();
                let last = |wire: &mut Wire<DB>| noted = wire.flags_mut().take_noted();
                if self.inner.settle_after(last) {
                    self.note(noted);
                    self.met = Some(RetryReason::Disconnect);
                }
            }
        }
    }

    /// Asks the wire before it is gone, and with it what it has seen.
    #[inline]
    pub(super) fn take_note(&mut self) {
        self.settle();
        if let Some(wire) = self.inner.settled() {
            let noted = wire.flags_mut().take_noted();
            self.note(noted);
        }
    }

    #[inline]
    fn note(&mut self, noted: Noted) {
        if noted.is_conflict {
            self.met = Some(RetryReason::Conflict);
        }
        self.has_ended |= noted.is_end;
    }
}
