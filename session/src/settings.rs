use crate::JoinTransactionMode;

/// How a session is to be; SQLAlchemy's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// The first statement begins a transaction. Without this, only `begin_transaction()` does.
    pub autobegin: bool,
    /// A closed session can be used again.
    pub close_resets_only: bool,
    /// Before COMMIT the server is asked which transaction it is, so that it can be asked afterwards what
    /// became of it, should its answer be lost. Costs a round trip for each commit. PostgreSQL's.
    pub tracks_outcome: bool,
    /// Transactions are two-phase transactions, which can be prepared.
    pub twophase: bool,
    /// What a session that is bound to a connection makes of a transaction that is open there.
    pub join_transaction_mode: JoinTransactionMode,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            autobegin: true,
            close_resets_only: true,
            tracks_outcome: false,
            twophase: false,
            join_transaction_mode: JoinTransactionMode::default(),
        }
    }
}
