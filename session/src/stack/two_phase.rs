//! The first phase of a two-phase commit.

use super::{Awaited, Cause, Control, Failed, How, Method, Refused, Stack, StateError, Verdict};

/// Whether a transaction takes nothing but its end, because it is prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Preparation {
    /// → Prepared
    #[default]
    Missing,
    /// → Decided; → Missing, by either end
    Prepared,
    /// What it is part of is committed, so that it is not to be undone. → Missing, by COMMIT, or if it is left
    /// to somebody else
    Decided,
}

impl Stack {
    /// Whether the transaction takes nothing but its end.
    pub fn is_prepared(&self) -> bool {
        self.preparation != Preparation::Missing
    }

    /// Whether transactions can be prepared.
    pub fn is_twophase(&self) -> bool {
        self.settings.twophase
    }

    /// Whether the transaction is there on the database.
    pub fn is_begun(&self) -> bool {
        self.set > 0
    }

    /// What this transaction is part of is to be committed. It is not rolled back from now on.
    pub fn decide(&mut self) {
        if self.is_prepared() {
            self.preparation = Preparation::Decided;
        }
    }

    /// Whether there is a two-phase transaction, to be rolled back if nobody has the session any more.
    pub fn is_undecided(&self) -> bool {
        self.settings.twophase && self.is_begun() && self.preparation != Preparation::Decided
    }

    /// Whether the database may keep the transaction until it is ended by its xid: it is prepared, or nobody
    /// has waited for the answer to PREPARE.
    pub fn may_be_prepared(&self) -> bool {
        let is_sent = matches!(self.awaited, Some(Awaited::Sent(Control::Prepare)));
        let was_sent = matches!(self.inactive, Some((Cause::PrepareAbandoned, _)));
        self.is_prepared() || is_sent || was_sent
    }

    pub(super) fn check_not_decided(&self, method: Method) -> Result<(), Refused> {
        let is_decided = self.preparation == Preparation::Decided;
        match method {
            Method::Commit | Method::Invalidate => Ok(()),
            _ if is_decided => Err(Refused::State(StateError::Decided)),
            _ => Ok(()),
        }
    }

    pub(super) fn check_preparable(&mut self) -> Result<(), Refused> {
        match self.settings.twophase {
            true => self.check_committable(),
            false => Err(Refused::State(StateError::NotTwoPhase)),
        }
    }

    /// PREPARE has failed, or an end of what is prepared.
    pub(super) fn phase_failed(&mut self, control: Control, failed: Failed) -> Verdict {
        let how = match (control, failed.is_lost) {
            (Control::Prepare, false) => How::Refused,
            (_, true) => How::Unknown,
            // The database has it still, and takes an end of it later.
            (_, false) => {
                self.endings.pop();
                return Verdict::Told;
            }
        };
        if let Some(ending) = self.endings.last_mut() {
            ending.turns(how);
        }
        self.may_have_committed |= failed.is_lost;
        match (control, failed.is_lost) {
            (Control::Commit, true) => Verdict::OutcomeUnknown(self.transaction_id.take()),
            (_, true) => Verdict::InDoubt,
            (_, false) => Verdict::Told,
        }
    }
}
