use everpool_engine::PendingRollback;

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A statement of the transaction failed, and the database would answer COMMIT by rolling back.
    Aborted,
    /// The connection was lost with the transaction.
    Lost(PendingRollback),
    /// The session is in no state for it.
    State(StateError),
}

/// The session is in no state for what was asked of it. The words are SQLAlchemy's, where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// `autobegin` is off, and no transaction was begun.
    #[error(
        "autobegin is disabled on this Session; please call session.begin_transaction() to start a new transaction"
    )]
    AutobeginDisabled,
    /// A second transaction was to be begun.
    #[error("a transaction is already begun on this Session")]
    AlreadyBegun,
    /// A durable transaction was to be begun inside of another, with which it could still be undone.
    #[error(
        "a durable transaction cannot be nested within another; commit() or rollback() that one first"
    )]
    NotDurable,
    /// It was ended before.
    #[error("this transaction is closed")]
    Closed,
    /// The session was closed with `close_resets_only` off.
    #[error(
        "this Session has been permanently closed and is unable to handle any more transaction requests"
    )]
    PermanentlyClosed,
    /// The transaction of a scope was ended inside of it.
    #[error(
        "can't operate on a closed transaction inside its scope; leave the scope before emitting further commands"
    )]
    ScopeIsOver,
    /// The transaction was ended past the session: by a COMMIT that the program has sent itself, or by
    /// the database.
    #[error("this transaction was ended, and not by its Session; call rollback()")]
    EndedElsewhere,
    /// Nothing but a rollback can follow.
    #[error(
        "this session is in 'inactive' state, {0}; no further SQL can be emitted within this transaction; call rollback()"
    )]
    Inactive(Cause),
    /// It is prepared, and takes nothing but its end.
    #[error(
        "this session is in 'prepared' state; no further SQL can be emitted within this transaction"
    )]
    Prepared,
    /// It was to be prepared, and is no two-phase transaction.
    #[error("'twophase' mode not enabled, or not root transaction; can't prepare")]
    NotTwoPhase,
    /// It is prepared, and its [group](crate::Group) is committed: what it has done cannot be undone alone.
    #[error(
        "this session is in 'prepared' state and what it is part of is committed; call commit(), or invalidate() to leave it to recover_twophase()"
    )]
    Decided,
    /// A listener called for the end of the transaction that it was told of.
    #[error(
        "method '{method}()' can't be called here; method '{in_progress}()' is already in progress and this would cause an unexpected state change"
    )]
    IllegalStateChange {
        /// What was called.
        method: &'static str,
        /// What told the listener.
        in_progress: &'static str,
    },
}

/// Why nothing but a rollback can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// What was done in a savepoint could not be undone.
    #[error("because a savepoint of it could not be rolled back")]
    RollbackToFailed,
    /// So the transaction may not be what the listener was to make it.
    #[error("because a listener of after_begin failed")]
    AfterBeginFailed,
    /// The program did not wait for the answer.
    #[error(
        "because commit() was abandoned before it was answered, and the transaction may or may not be committed"
    )]
    CommitAbandoned,
    /// The program did not wait for the answer.
    #[error(
        "because prepare() was abandoned before it was answered, and the transaction may be prepared, with its locks, until it is ended by its xid: see recover_twophase()"
    )]
    PrepareAbandoned,
}
