use std::{error::Error, fmt};

use everpool_engine::{PendingRollback, twophase::Xid};

use crate::{
    ScopeError, TransactionId,
    stack::{Moment, Refused, StateError},
};

/// Why a session could not do what it was told to. `E` is the driver's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError<E: Error + 'static> {
    /// COMMIT was sent, and the connection was lost before the answer came. The database knows
    /// whether the transaction is committed; this program does not.
    #[error(transparent)]
    CommitOutcomeUnknown(LostCommit<E>),
    /// The connection was lost at PREPARE, or at the rollback of what was prepared. The transaction may be
    /// prepared, with its locks, until somebody ends it by its xid.
    #[error(transparent)]
    InDoubt(InDoubt<E>),
    /// The connection was lost earlier in this transaction, so nothing of it is there to commit.
    #[error(transparent)]
    PendingRollback(PendingRollback),
    /// A statement of this transaction failed, and the database would answer a COMMIT by rolling
    /// back without an error.
    #[error(
        "a statement of this transaction failed, so it can only be rolled back; call rollback()"
    )]
    Aborted,
    /// The session is in no state for it.
    #[error(transparent)]
    State(StateError),
    /// A listener of the session failed. One of `before_commit` has prevented the commit, and the transaction
    /// is open still; after one of `after_begin` it must be rolled back; one of `after_soft_rollback`
    /// changes nothing.
    #[error("a listener of {} failed: {error}", moment.name())]
    Listener {
        /// What it was told of.
        moment: Moment,
        /// What it says.
        #[source]
        error: E,
    },
    /// A [`ScopedSession`](crate::scope::ScopedSession) gave no session.
    #[error(transparent)]
    Scope(ScopeError),
    /// The driver's: there was no connection, or the database said no. After a failed commit the
    /// transaction is rolled back.
    #[error(transparent)]
    Database(E),
}

/// The driver's error, so that `?` gives it on.
impl<E: Error + 'static> From<E> for SessionError<E> {
    fn from(error: E) -> Self {
        Self::Database(error)
    }
}

impl<E: Error + 'static> From<Refused> for SessionError<E> {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Aborted => Self::Aborted,
            Refused::Lost(pending) => Self::PendingRollback(pending),
            Refused::State(error) => Self::State(error),
        }
    }
}

/// A commit of which the answer is missing.
#[derive(Debug)]
pub struct LostCommit<E> {
    /// How the connection was lost.
    pub error: E,
    /// Which transaction it was, if the session [asks for that](crate::SessionSettings::tracks_outcome):
    /// then the server knows what became of it.
    pub transaction: Option<TransactionId>,
    /// Its name, if it was prepared: then it is committed, or prepared still.
    pub xid: Option<Xid>,
}

impl<E: fmt::Display> fmt::Display for LostCommit<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            error,
            transaction,
            xid,
        } = self;
        write!(
            f,
            "the connection was lost at COMMIT; the transaction may or may not be committed"
        )?;
        if let Some(xid) = xid {
            write!(
                f,
                " (if it is not, {xid} is prepared still: see recover_twophase)"
            )?;
        }
        match transaction {
            Some(id) => write!(f, " ({id}): {error}"),
            None => write!(f, ": {error}"),
        }
    }
}

impl<E: Error + 'static> Error for LostCommit<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// A two-phase transaction that may be prepared, and that nobody has any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "the connection was lost, and {xid} may be prepared still, with its locks, until it is committed or rolled back by its xid: see recover_twophase: {error}"
)]
pub struct InDoubt<E: Error + 'static> {
    /// How the connection was lost.
    #[source]
    pub error: E,
    /// Its name.
    pub xid: Xid,
}
