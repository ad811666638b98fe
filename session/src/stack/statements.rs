//! What comes before a statement.

use super::{
    Awaited, Control, Failed, Moment, Origin, Refused, Stack, StateError, Step, Telling, Verdict,
};

/// How often BEGIN is tried: on a connection that died while it rested, on one that met the server as
/// it went down, and once more.
const BEGIN_ATTEMPTS: u32 = 3;

impl Stack {
    /// Whether a statement may be sent at once. `levels` is how many levels of transaction the connection
    /// has, or had when it was lost. Asked before every statement.
    #[inline]
    pub fn is_ready(&self, levels: u32) -> bool {
        let set = self.set;
        set > 0
            && set == self.levels.len()
            && self.levels[set - 1].is_begin_told
            && self.root.is_within(levels, set)
            && self.inactive.is_none()
            && !self.is_interrupted()
            && self.check_scope().is_ok()
    }

    /// What comes before the next statement; asked until it is `Done`. `levels` as in
    /// [`is_ready`](Self::is_ready).
    ///
    /// # Errors
    ///
    /// The statement is not to be sent.
    pub fn before_statement(&mut self, levels: u32) -> Result<Step, Refused> {
        self.check_open()?;
        self.check_usable()?;
        if !self.in_transaction() {
            self.check_autobegin()?;
            self.push(Origin::Autobegin);
        }
        if self.set == 0 {
            // A session without a connection of its own finds nothing open on those that it takes.
            let joined = self.joins.map(|mode| mode.root(levels as usize));
            self.root = joined.unwrap_or_default();
        } else if !self.root.is_within(levels, self.set) {
            return Err(Refused::State(StateError::EndedElsewhere));
        }
        let step = match self.announce() {
            Step::Done => self.next_level(),
            step => step,
        };
        Ok(step)
    }

    /// The next level is set on the database, and told.
    fn next_level(&mut self) -> Step {
        let wanted = self.wanted();
        for depth in 0..wanted {
            if depth == self.set
                && let Some(step) = self.set_level(depth)
            {
                return step;
            }
            let level = &mut self.levels[depth];
            if !level.is_begin_told {
                level.is_begin_told = true;
                return Step::Tell(Moment::AfterBegin, level.transaction);
            }
        }
        Step::Done
    }

    /// What a listener of `after_begin` does belongs to the level that has begun, not to those that wait
    /// to be begun inside of it.
    fn wanted(&self) -> usize {
        let all = self.levels.len();
        match self.tellings.last() {
            Some(Telling {
                moment: Moment::AfterBegin,
                floor,
                levels,
                ..
            }) if all == *levels => *floor,
            _ => all,
        }
    }

    /// What is to be done first. Nothing, if the level is there.
    fn set_level(&mut self, depth: usize) -> Option<Step> {
        if depth == 0 && !self.is_checked_out {
            return Some(Step::Checkout);
        }
        match self.root.begin(depth) {
            Some(control) => Some(self.send(control)),
            None => {
                self.set = 1;
                None
            }
        }
    }

    pub(super) fn send(&mut self, control: Control) -> Step {
        self.awaited = Some(Awaited::Sent(control));
        Step::Send(control)
    }

    /// There is a connection.
    pub fn checked_out(&mut self) {
        self.is_checked_out = true;
    }

    /// What was sent was answered.
    pub fn succeeded(&mut self) {
        match self.awaited.take() {
            Some(Awaited::Sent(Control::Begin)) => {
                self.attempts = 0;
                self.set = 1;
            }
            Some(Awaited::Sent(Control::Savepoint(_))) => self.set += 1,
            Some(Awaited::Sent(Control::RollbackTo(_) | Control::Rollback)) => self.is_undone(),
            Some(Awaited::Sent(Control::Commit | Control::Prepare)) => {
                self.may_have_committed = true;
            }
            _ => {}
        }
    }

    /// What was sent was answered by an error, or not at all.
    pub fn failed(&mut self, failed: Failed) -> Verdict {
        match self.awaited.take() {
            Some(Awaited::Sent(Control::Begin)) => self.begin_failed(failed),
            Some(Awaited::Sent(Control::Savepoint(_))) | None => Verdict::Told,
            Some(Awaited::Sent(control)) => self.end_failed(control, failed),
            Some(Awaited::Identity) => {
                self.endings.pop();
                Verdict::Told
            }
        }
    }

    fn begin_failed(&mut self, failed: Failed) -> Verdict {
        self.is_checked_out = false;
        self.attempts += 1;
        // What was set on somebody else's connection is not to be missed in silence.
        if self.joins.is_none() && begins_again(self.attempts, failed) {
            return Verdict::Again;
        }
        self.attempts = 0;
        Verdict::ToldAfterRelease
    }
}

/// Whether a BEGIN that has failed so often is sent again on another connection: if it met a dead one.
/// Nothing can be lost by that: no statement of the program was sent.
pub fn begins_again(attempts: u32, failed: Failed) -> bool {
    failed.is_lost && !failed.is_late && attempts < BEGIN_ATTEMPTS
}
