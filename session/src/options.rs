use everpool_engine::ExecutionOptions;

use crate::{JoinTransactionMode, SessionSettings};

/// How sessions are to be, and what their transactions begin with. Each option has SQLAlchemy's name and
/// default, where it has the option.
///
/// ```
/// use everpool_session::SessionOptions;
///
/// let options = SessionOptions::default()
///     .autobegin(false)
///     .isolation_level("SERIALIZABLE");
/// assert_eq!(options.execution().get("isolation_level"), Some("SERIALIZABLE"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    settings: SessionSettings,
    execution: ExecutionOptions,
}

impl SessionOptions {
    /// Whether the first statement begins a transaction; otherwise only `begin_transaction()` does. True by
    /// default.
    #[must_use]
    pub fn autobegin(mut self, autobegin: bool) -> Self {
        self.settings.autobegin = autobegin;
        self
    }

    /// Whether a session can be used again after `close()`. True by default.
    #[must_use]
    pub fn close_resets_only(mut self, close_resets_only: bool) -> Self {
        self.settings.close_resets_only = close_resets_only;
        self
    }

    /// Whether the server is asked before each COMMIT which transaction it is, which costs a round trip. If
    /// the answer to COMMIT is lost, the error has the number, by which the server can be asked what
    /// became of it. PostgreSQL's; false by default. Not in SQLAlchemy.
    #[must_use]
    pub fn track_outcome(mut self, track_outcome: bool) -> Self {
        self.settings.tracks_outcome = track_outcome;
        self
    }

    /// Whether transactions are two-phase transactions: `prepare()` may come before `commit()`. PostgreSQL's (with
    /// `max_prepared_transactions` above 0), MySQL's and MariaDB's; false by default.
    #[must_use]
    pub fn twophase(mut self, twophase: bool) -> Self {
        self.settings.twophase = twophase;
        self
    }

    /// What a session that is bound to a connection makes of a transaction that is open there.
    /// `ConditionalSavepoint` by default.
    #[must_use]
    pub fn join_transaction_mode(mut self, mode: JoinTransactionMode) -> Self {
        self.settings.join_transaction_mode = mode;
        self
    }

    /// The isolation level of each transaction, or `"AUTOCOMMIT"`. Taken back when the connection returns
    /// to the pool.
    #[must_use]
    pub fn isolation_level(self, level: &str) -> Self {
        self.execution_options(&[("isolation_level", level)].into_iter().collect())
    }

    /// Whether transactions may only read. PostgreSQL's; taken back when the connection returns to the
    /// pool.
    #[must_use]
    pub fn postgresql_readonly(self, read_only: bool) -> Self {
        let read_only = read_only.to_string();
        self.execution_options(&[("postgresql_readonly", read_only)].into_iter().collect())
    }

    /// Execution options, on top of the engine's.
    #[must_use]
    pub fn execution_options(mut self, options: &ExecutionOptions) -> Self {
        let all = self.execution.iter().chain(options.iter());
        self.execution = all.collect();
        self
    }

    /// What the stack is told of these.
    pub fn settings(&self) -> SessionSettings {
        self.settings
    }

    /// What the connection is told of these.
    pub fn execution(&self) -> &ExecutionOptions {
        &self.execution
    }
}
