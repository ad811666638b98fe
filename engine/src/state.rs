//! What a Connection may do, as a value.

/// "Can't reconnect until the invalid transaction is rolled back": SQLAlchemy's
/// `PendingRollbackError`, code `8s2b`.
///
/// The connection was lost while a transaction was open. What was done in it is gone, so nothing may
/// follow as if it were not, until the program says that it knows: by a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "can't reconnect until the invalid {}transaction is rolled back; please rollback() fully before proceeding",
    if *.savepoint { "savepoint " } else { "" }
)]
pub struct PendingRollback {
    /// Whether a savepoint was open in the transaction.
    pub savepoint: bool,
}

/// What comes before the next statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: there is a connection.
    Use,
    /// A checkout.
    Checkout,
}

/// `connected`: a connection is there, not known to be lost. `depth`: how many levels of transaction
/// were open, on it or on the one that was lost.
pub(crate) fn next(connected: bool, depth: u32) -> Result<Next, PendingRollback> {
    match (connected, depth) {
        (true, _) => Ok(Next::Use),
        (false, 0) => Ok(Next::Checkout),
        (false, depth) => Err(PendingRollback {
            savepoint: depth > 1,
        }),
    }
}
