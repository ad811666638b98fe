//! What ends a transaction or a savepoint.

use std::collections::VecDeque;

use everpool_engine::PendingRollback;

use super::{
    Awaited, Callback, Cause, Control, Ending, Failed, How, LevelId, Method, Moment, On, Origin,
    Preparation, Refused, Stack, Standing, StateError, Step, Verdict, ending::Phase, illegal,
};
use crate::TransactionId;

/// An end that was begun: how many there are with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an end that was begun is to be carried out"]
pub struct EndingId(usize);

impl Stack {
    /// Begins the end of everything; [`next_of_ending`](Self::next_of_ending) says what is to be done. A
    /// commit of nothing is a transaction, too: its listeners are told.
    ///
    /// # Errors
    ///
    /// It cannot be ended so, or not now.
    pub fn end(&mut self, method: Method) -> Result<EndingId, Refused> {
        self.check_not_told_of(0, method)?;
        self.check_not_decided(method)?;
        match method {
            Method::Commit if self.is_prepared() => self.check_scope()?,
            Method::Commit => self.check_committable()?,
            Method::Prepare => self.check_preparable()?,
            Method::Close => self.is_closed = !self.settings.close_resets_only,
            _ => {}
        }
        Ok(self.push_ending(method, 0))
    }

    pub(super) fn check_committable(&mut self) -> Result<(), Refused> {
        self.check_open()?;
        self.check_usable()?;
        if !self.in_transaction() {
            self.check_autobegin()?;
            self.push(Origin::Autobegin);
        }
        Ok(())
    }

    /// Begins the end of one level, and of those inside of it.
    ///
    /// # Errors
    ///
    /// It was ended before, or it cannot be ended so, or not now.
    pub fn end_level(&mut self, level: LevelId, method: Method) -> Result<EndingId, Refused> {
        if !self.is_open(level) {
            return Err(Refused::State(StateError::Closed));
        }
        self.check_not_told_of(level.depth, method)?;
        self.check_not_decided(method)?;
        if method == Method::Commit && !self.is_prepared() {
            self.check_usable()?;
        }
        Ok(self.push_ending(method, level.depth))
    }

    fn push_ending(&mut self, method: Method, target: usize) -> EndingId {
        if let Some(innermost) = self.levels.last() {
            let is_prepared = self.is_prepared();
            let ending = Ending::new(method, innermost.transaction, target, is_prepared);
            self.endings.push(ending);
        }
        EndingId(self.endings.len())
    }

    /// A listener does not end what it is told of.
    fn check_not_told_of(&self, target: usize, method: Method) -> Result<(), Refused> {
        match self.tellings.last() {
            Some(telling) if target < telling.floor => Err(illegal(method, telling.method)),
            _ => Ok(()),
        }
    }

    /// The next step of an end; asked until it is `Done`.
    pub fn next_of_ending(&mut self, EndingId(count): EndingId) -> Step {
        let announced = self.announce();
        if !matches!(announced, Step::Done) {
            return announced;
        }
        while count > 0 && self.endings.len() == count {
            if let Some(step) = self.advance() {
                return step;
            }
        }
        match self.endings.is_empty() {
            true => self.due.pop_front().map_or(Step::Done, Step::Call),
            false => Step::Done,
        }
    }

    fn advance(&mut self) -> Option<Step> {
        let ending = self.endings.last_mut()?;
        match ending.next() {
            Some(phase) => return self.enact(phase),
            None if ending.transaction.depth > ending.target => self.end_goes_on(),
            None => drop(self.endings.pop()),
        }
        None
    }

    /// The innermost level is over, and the next one ends. What a listener has opened in it meanwhile is
    /// part of it.
    fn end_goes_on(&mut self) {
        let Some(ending) = self.endings.last() else {
            return;
        };
        let depth = ending.transaction.depth - 1;
        self.pop_to(depth + 1);
        if let (Some(ending), Some(level)) = (self.endings.last_mut(), self.levels.last()) {
            ending.goes_on_with(level.transaction);
        }
    }

    fn enact(&mut self, phase: Phase) -> Option<Step> {
        let ending = self.endings.last()?;
        let transaction = ending.transaction;
        let is_root = transaction.depth == 0;
        let tell = |moment| Some(Step::Tell(moment, transaction));
        match phase {
            Phase::BeforeCommit => tell(Moment::BeforeCommit),
            Phase::AfterCommit => {
                self.is_committed = is_root;
                tell(Moment::AfterCommit)
            }
            Phase::AfterRollback => tell(Moment::AfterRollback),
            Phase::AfterSoftRollback => tell(Moment::AfterSoftRollback),
            Phase::Look => self.looks(),
            Phase::Identify => self.identify(),
            Phase::Send => self.end_to_send().map(|control| self.send(control)),
            Phase::Release if is_root => self.gives_back().then_some(Step::Release),
            Phase::Invalidate if is_root => self.gives_back().then_some(Step::Invalidate),
            Phase::Release | Phase::Invalidate => None,
            Phase::Prepared => {
                self.preparation = Preparation::Prepared;
                None
            }
            Phase::End => self.is_over(),
        }
    }

    /// What is to be sent for the innermost level, if it is there on the database.
    fn end_to_send(&self) -> Option<Control> {
        let ending = self.endings.last()?;
        let is_set = ending.transaction.depth < self.set;
        ending.control(self.root).filter(|_| is_set)
    }

    /// Also before a commit that is left to somebody else: it says that there is something to commit.
    fn looks(&self) -> Option<Step> {
        let ending = self.endings.last()?;
        let is_set = ending.transaction.depth < self.set;
        let looks = is_set && ending.is_looked_at(self.root);
        looks.then(|| Step::Look(self.root.number(self.set)))
    }

    fn identify(&mut self) -> Option<Step> {
        let is_asked = self.settings.tracks_outcome && self.end_to_send() == Some(Control::Commit);
        is_asked.then(|| {
            self.awaited = Some(Awaited::Identity);
            Step::Identify
        })
    }

    /// Whether there is a connection to be given back.
    fn gives_back(&mut self) -> bool {
        std::mem::take(&mut self.is_checked_out)
    }

    /// How the transaction stands that is to be committed.
    ///
    /// # Errors
    ///
    /// It cannot be committed. It stays open.
    pub fn saw(&mut self, standing: Standing) -> Result<(), Refused> {
        let refused = match standing {
            Standing::Sound => return Ok(()),
            Standing::Aborted => Refused::Aborted,
            Standing::Ended => Refused::State(StateError::EndedElsewhere),
            Standing::Lost { savepoint } => Refused::Lost(PendingRollback { savepoint }),
        };
        self.endings.pop();
        Err(refused)
    }

    /// Which transaction it is.
    pub fn identified(&mut self, id: TransactionId) {
        self.awaited = None;
        self.transaction_id = Some(id);
    }

    /// The innermost level was undone, and with it what stood in its way.
    pub(super) fn is_undone(&mut self) {
        let depth = self.endings.last().map(|ending| ending.transaction.depth);
        if let (Some(depth), Some((_, enough))) = (depth, self.inactive)
            && depth <= enough
            && !self.is_commit_abandoned()
        {
            self.inactive = None;
        }
    }

    pub(super) fn end_failed(&mut self, control: Control, failed: Failed) -> Verdict {
        if control == Control::Prepare || self.is_prepared() {
            return self.phase_failed(control, failed);
        }
        let (verdict, turn) = match (control, failed.is_lost) {
            (Control::Commit, true) => {
                self.may_have_committed = true;
                let unknown = Verdict::OutcomeUnknown(self.transaction_id.take());
                (unknown, Some(How::Unknown))
            }
            (Control::Commit, false) => (Verdict::Told, Some(How::Refused)),
            // What cannot be released is taken back, so that the rest is what it was.
            (Control::Release(_), false) => (Verdict::Told, Some(How::Rollback)),
            (Control::Release(_), true) => (Verdict::Told, Some(How::GivenUp)),
            (Control::RollbackTo(number), false) => {
                let around = self.root.depth(number).saturating_sub(1);
                self.inactive = Some((Cause::RollbackToFailed, around));
                (Verdict::Told, Some(How::GivenUp))
            }
            (Control::Rollback, false) => (Verdict::Told, Some(How::GivenUp)),
            // The server undoes what was done on a connection that is lost.
            _ => (Verdict::Forgiven, None),
        };
        if let (Some(ending), Some(how)) = (self.endings.last_mut(), turn) {
            ending.turns(how);
        }
        verdict
    }

    /// The innermost level is over.
    fn is_over(&mut self) -> Option<Step> {
        let Ending {
            how, transaction, ..
        } = *self.endings.last()?;
        match (how, transaction.depth) {
            (_, 0) => self.everything_is_over(how),
            (How::Commit | How::Prepare | How::GivenUp, depth) => self.callbacks.released(depth),
            (_, depth) => self.callbacks.rolled_back(depth),
        }
        self.levels.truncate(transaction.depth);
        self.set = self.set.min(transaction.depth);
        Some(Step::Tell(Moment::AfterTransactionEnd, transaction))
    }

    /// Nobody waits for the answer to COMMIT or PREPARE any more.
    fn is_commit_abandoned(&self) -> bool {
        use Cause::{CommitAbandoned, PrepareAbandoned};
        matches!(
            self.awaited,
            Some(Awaited::Sent(Control::Commit | Control::Prepare))
        ) || matches!(self.inactive, Some((CommitAbandoned | PrepareAbandoned, _)))
    }

    fn everything_is_over(&mut self, how: How) {
        let outcome = match how {
            How::Commit | How::CommitPrepared => Some(On::Commit),
            // It is prepared still.
            How::Invalidate if self.is_prepared() => None,
            _ if how == How::Unknown || self.is_commit_abandoned() => None,
            _ => Some(On::Rollback),
        };
        self.due.extend(self.callbacks.take(outcome));
        self.inactive = None;
        self.is_committed = false;
        self.transaction_id = None;
        self.preparation = Preparation::Missing;
        self.attempts = 0;
    }

    /// Whether a method was abandoned in the middle: by a panic, or by a task that does not wait any
    /// longer. [`resume`](Self::resume) is to follow, before anything else.
    pub fn is_interrupted(&self) -> bool {
        self.is_cut_short() || self.forsaken().is_some()
    }

    fn is_cut_short(&self) -> bool {
        self.tellings.is_empty()
            && (self.awaited.is_some() || !self.endings.is_empty() || !self.due.is_empty())
    }

    /// Goes on with what was abandoned, one thing after another. What was sent counts as lost, with its connection; a commit that
    /// was sent is waited for by nobody, and may have come true.
    pub fn resume(&mut self) -> EndingId {
        match self.forsaken() {
            Some(level) if !self.is_cut_short() => {
                self.forsaken = None;
                let method = match self.check_not_decided(Method::Rollback) {
                    Ok(()) => Method::Rollback,
                    Err(_) => Method::Invalidate,
                };
                self.push_ending(method, level.depth)
            }
            _ => self.take_up(),
        }
    }

    fn take_up(&mut self) -> EndingId {
        const LOST: Failed = Failed {
            is_lost: true,
            is_late: true,
        };
        match self.awaited.take() {
            Some(Awaited::Sent(Control::Commit)) => self.was_abandoned(Cause::CommitAbandoned),
            Some(Awaited::Sent(Control::Prepare)) => self.was_abandoned(Cause::PrepareAbandoned),
            Some(Awaited::Identity) => self.endings.clear(),
            Some(Awaited::Sent(Control::Begin)) => self.is_checked_out = false,
            Some(Awaited::Sent(control)) if !self.endings.is_empty() => {
                // Whoever was to be told has gone.
                let _: Verdict = self.end_failed(control, LOST);
            }
            Some(_) | None => {}
        }
        EndingId(self.endings.len())
    }

    /// Nobody waits for the answer to what cannot be undone.
    fn was_abandoned(&mut self, cause: Cause) {
        self.may_have_committed = true;
        self.preparation = Preparation::Missing;
        self.inactive = Some((cause, 0));
        self.endings.clear();
    }

    /// The session is dropped, and with its connection everything is undone. Gives what the program has left
    /// to be done after that; whatever is not known to be undone is not among it.
    pub fn abandon(&mut self) -> VecDeque<Callback> {
        let how = self.endings.first().map(|ending| ending.how);
        let outcome = match how {
            _ if self.is_commit_abandoned() || how == Some(How::Unknown) => None,
            // Unless its end was sent before.
            _ if self.is_prepared() && !self.is_committed => None,
            _ if self.is_committed => Some(On::Commit),
            _ => Some(On::Rollback),
        };
        let mut due = std::mem::take(&mut self.due);
        due.extend(self.callbacks.take(outcome));
        due
    }
}
