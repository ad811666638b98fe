use std::error::Error;

use everpool_engine::PendingRollback;

/// Why a session could not commit or roll back. `E` is the driver's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError<E: Error + 'static> {
    /// COMMIT was sent, and the connection was lost before the answer came. The database knows
    /// whether the transaction is committed; this program does not.
    #[error("the connection was lost at COMMIT; the transaction may or may not be committed: {0}")]
    CommitOutcomeUnknown(#[source] E),
    /// The connection was lost earlier in this transaction, so nothing of it is there to commit.
    #[error(transparent)]
    PendingRollback(#[from] PendingRollback),
    /// A statement of this transaction failed, and the database would answer a COMMIT by rolling
    /// back without an error.
    #[error(
        "a statement of this transaction failed, so it can only be rolled back; call rollback()"
    )]
    Aborted,
    /// The database said no. After a failed commit the transaction is rolled back.
    #[error(transparent)]
    Database(E),
}
