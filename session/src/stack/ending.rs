//! In which order a level ends, as values: the rows of SQLAlchemy's events.

use super::{Control, Method, SessionTransaction, root::Root};

/// One step of an end, in the words of the whole. Some have nothing to do for a savepoint, or for a level
/// for which nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    BeforeCommit,
    Look,
    Identify,
    Send,
    AfterCommit,
    AfterRollback,
    Release,
    Invalidate,
    End,
    AfterSoftRollback,
    /// It counts as prepared.
    Prepared,
}

/// How a level ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// → Unknown or Refused, by the answer to COMMIT; → Rollback, by that to RELEASE
    Commit,
    /// The outermost level is prepared, and stays; those inside of it end. → Unknown or Refused, by the answer
    Prepare,
    /// Of what is prepared. → Unknown, if the answer is missing
    CommitPrepared,
    /// → GivenUp, if ROLLBACK fails; → Unknown, if it was prepared
    Rollback,
    /// As a rollback, of which no listener is told.
    Close,
    Invalidate,
    /// The database has rolled it back instead.
    Refused,
    /// The answer to COMMIT is missing.
    Unknown,
    /// The answer to ROLLBACK was an error.
    GivenUp,
}

impl How {
    const fn of(method: Method, is_prepared: bool) -> Self {
        match method {
            Method::Commit if is_prepared => Self::CommitPrepared,
            Method::Commit => Self::Commit,
            Method::Prepare => Self::Prepare,
            Method::Close | Method::Reset => Self::Close,
            Method::Invalidate => Self::Invalidate,
            _ => Self::Rollback,
        }
    }

    /// What is done for one level, in this order.
    const fn phases(self, is_root: bool) -> &'static [Phase] {
        use Phase::*;
        match self {
            Self::Prepare if is_root => &[BeforeCommit, Look, Send, Prepared],
            Self::CommitPrepared => &[Send, AfterCommit, Release, End],
            Self::Commit | Self::Prepare => &[
                BeforeCommit,
                Look,
                Identify,
                Send,
                AfterCommit,
                Release,
                End,
            ],
            Self::Rollback => &[Send, AfterRollback, Release, End, AfterSoftRollback],
            Self::Close => &[Send, Release, End],
            Self::Invalidate | Self::GivenUp => &[Invalidate, End],
            Self::Refused => &[AfterRollback, Release, End, AfterSoftRollback],
            Self::Unknown => &[Release, End],
        }
    }
}

/// An end that is under way.
#[derive(Debug)]
pub(super) struct Ending {
    /// What the program called.
    pub(super) method: Method,
    pub(super) how: How,
    /// The depth of the outermost level that ends.
    pub(super) target: usize,
    /// The level that ends now.
    pub(super) transaction: SessionTransaction,
    /// What is left to be done for it.
    rest: &'static [Phase],
}

impl Ending {
    /// From the innermost level on.
    pub(super) fn new(
        method: Method,
        innermost: SessionTransaction,
        target: usize,
        is_prepared: bool,
    ) -> Self {
        let how = How::of(method, is_prepared);
        Self {
            method,
            how,
            target,
            transaction: innermost,
            rest: how.phases(innermost.depth == 0),
        }
    }

    /// The next phase. It counts as done.
    pub(super) fn next(&mut self) -> Option<Phase> {
        let (phase, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*phase)
    }

    /// The end of this level begins.
    pub(super) fn goes_on_with(&mut self, transaction: SessionTransaction) {
        self.transaction = transaction;
        self.rest = self.how.phases(transaction.depth == 0);
    }

    /// It ends in another way than it was to.
    pub(super) fn turns(&mut self, how: How) {
        self.how = how;
        self.rest = how.phases(self.transaction.depth == 0);
    }

    /// What is sent for the level, if something is: the end of the outermost is that of all inside of it.
    pub(super) fn control(&self, root: Root) -> Option<Control> {
        let depth = self.transaction.depth;
        let is_sent = depth == self.outermost(root) && (depth > 0 || root.ends(self.how));
        let number = root.number(depth);
        match (self.how, number) {
            _ if !is_sent => None,
            (How::Prepare, 0) => Some(Control::Prepare),
            (How::Commit | How::CommitPrepared, 0) => Some(Control::Commit),
            (How::Commit, _) => Some(Control::Release(number)),
            (How::Rollback | How::Close, 0) => Some(Control::Rollback),
            (How::Rollback | How::Close, _) => Some(Control::RollbackTo(number)),
            _ => None,
        }
    }

    /// Whether the transaction must be sound for this.
    pub(super) fn is_looked_at(&self, root: Root) -> bool {
        self.transaction.depth <= self.outermost(root)
    }

    /// The depth of the outermost level that ends on the database. Where the session's own stays open, its
    /// savepoints do not.
    fn outermost(&self, root: Root) -> usize {
        match self.target {
            0 if !root.ends(self.how) => 1,
            target => target,
        }
    }
}
