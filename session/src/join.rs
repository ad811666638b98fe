use std::{fmt, str::FromStr};

/// What a session makes of a transaction that is open on the connection that it is bound to: SQLAlchemy's
/// `join_transaction_mode`. Where none is open, all are alike: the session begins its own and ends it.
///
/// | | a transaction is open: commit / rollback / close | a savepoint is open in it |
/// |---|---|---|
/// | `ConditionalSavepoint` | nothing / ROLLBACK / nothing | as `CreateSavepoint` |
/// | `RollbackOnly` | nothing / ROLLBACK / nothing | nothing / ROLLBACK TO that savepoint / nothing |
/// | `CreateSavepoint` | RELEASE / ROLLBACK TO / ROLLBACK TO a savepoint of its own | the same |
/// | `ControlFully` | COMMIT / ROLLBACK / ROLLBACK | RELEASE / ROLLBACK TO / ROLLBACK TO that savepoint |
///
/// ```
/// use everpool_session::JoinTransactionMode;
///
/// let mode: JoinTransactionMode = "create_savepoint".parse()?;
/// assert_eq!(mode, JoinTransactionMode::CreateSavepoint);
/// # Ok::<(), everpool_session::UnknownJoinTransactionMode>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JoinTransactionMode {
    /// `"conditional_savepoint"`: in a savepoint the session has one of its own, and in a transaction it does as
    /// `RollbackOnly`.
    #[default]
    ConditionalSavepoint,
    /// `"rollback_only"`: the session's rollback is that of what was open; its commit is left to whoever has begun
    /// that.
    RollbackOnly,
    /// `"create_savepoint"`: the session has a savepoint of its own, and ends no more than that. For tests, each in
    /// a transaction that is rolled back.
    CreateSavepoint,
    /// `"control_fully"`: the session ends what was open as if it had begun it.
    ControlFully,
}

impl JoinTransactionMode {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ConditionalSavepoint,
        Self::RollbackOnly,
        Self::CreateSavepoint,
        Self::ControlFully,
    ];

    /// SQLAlchemy's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConditionalSavepoint => "conditional_savepoint",
            Self::RollbackOnly => "rollback_only",
            Self::CreateSavepoint => "create_savepoint",
            Self::ControlFully => "control_fully",
        }
    }
}

/// SQLAlchemy's name of it.
impl fmt::Display for JoinTransactionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid selection for join_transaction_mode: {0:?}; there are conditional_savepoint, rollback_only, \
     create_savepoint and control_fully"
)]
pub struct UnknownJoinTransactionMode(
    /// What was asked for.
    pub String,
);

/// By SQLAlchemy's name.
impl FromStr for JoinTransactionMode {
    type Err = UnknownJoinTransactionMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mode = Self::ALL.into_iter().find(|mode| mode.name() == name);
        mode.ok_or_else(|| UnknownJoinTransactionMode(name.to_owned()))
    }
}
