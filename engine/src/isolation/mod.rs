//! Isolation levels, and what else a connection's transactions begin with.

mod characteristics;

pub use characteristics::{Begin, Characteristics, CharacteristicsError};

use std::{fmt, str::FromStr};

use crate::Backend;

/// How much a transaction sees of others. The names are SQLAlchemy's.
///
/// ```
/// use everpool_engine::{Backend, isolation::IsolationLevel};
///
/// let level: IsolationLevel = "repeatable_read".parse()?;
/// assert_eq!(level, IsolationLevel::RepeatableRead);
/// assert_eq!(level.to_string(), "REPEATABLE READ");
/// let error = level.checked(Backend::Sqlite).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "invalid value `REPEATABLE READ` for isolation_level; valid isolation levels for sqlite are \
///      READ UNCOMMITTED, SERIALIZABLE, AUTOCOMMIT"
/// );
/// # Ok::<(), everpool_engine::isolation::IsolationLevelError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// `SERIALIZABLE`
    Serializable,
    /// `READ UNCOMMITTED`
    ReadUncommitted,
    /// `READ COMMITTED`
    ReadCommitted,
    /// `REPEATABLE READ`
    RepeatableRead,
    /// `AUTOCOMMIT`: no transaction is begun, and every statement is its own. COMMIT and ROLLBACK
    /// have nothing to do then.
    Autocommit,
}

const ALL: [IsolationLevel; 5] = [
    IsolationLevel::Serializable,
    IsolationLevel::ReadUncommitted,
    IsolationLevel::ReadCommitted,
    IsolationLevel::RepeatableRead,
    IsolationLevel::Autocommit,
];

impl IsolationLevel {
    /// Those that a database has, in SQLAlchemy's order.
    pub const fn valid(backend: Backend) -> &'static [Self] {
        match backend {
            Backend::Postgresql | Backend::Mysql => &ALL,
            Backend::Sqlite => &[Self::ReadUncommitted, Self::Serializable, Self::Autocommit],
        }
    }

    /// This level, if the database has it. SQLAlchemy checks it when the first connection is opened.
    ///
    /// # Errors
    ///
    /// The level, and those that the database has.
    pub fn checked(self, backend: Backend) -> Result<Self, IsolationLevelError> {
        if Self::valid(backend).contains(&self) {
            return Ok(self);
        }
        Err(IsolationLevelError {
            value: self.name().to_owned(),
            backend: Some(backend),
        })
    }

    /// The level's name, as SQL and SQLAlchemy write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serializable => "SERIALIZABLE",
            Self::ReadUncommitted => "READ UNCOMMITTED",
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Autocommit => "AUTOCOMMIT",
        }
    }

    /// The statement that asks for a session's level. Its answer is for [`Self::from_answer`].
    ///
    /// MySQL and MariaDB do not agree on the variable's name and refuse one that they do not know, so
    /// they are asked for a list; each row of it is a name and a value, and any row's value is good.
    pub const fn query(backend: Backend) -> &'static str {
        match backend {
            Backend::Postgresql => "SHOW transaction_isolation",
            Backend::Mysql => {
                "SHOW SESSION VARIABLES \
                 WHERE Variable_name IN ('transaction_isolation', 'tx_isolation')"
            }
            Backend::Sqlite => "PRAGMA read_uncommitted",
        }
    }

    /// The level that a database names in its answer to [`Self::query`]; SQLite answers with a
    /// number, here as text. Never [`Self::Autocommit`], because a database does not know of it.
    ///
    /// ```
    /// use everpool_engine::{Backend, isolation::IsolationLevel};
    ///
    /// let level = IsolationLevel::from_answer(Backend::Mysql, "REPEATABLE-READ")?;
    /// assert_eq!(level, IsolationLevel::RepeatableRead);
    /// # Ok::<(), everpool_engine::isolation::IsolationLevelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The answer, if it names no level.
    pub fn from_answer(backend: Backend, answer: &str) -> Result<Self, IsolationLevelError> {
        let level = match backend {
            Backend::Postgresql => named(answer),
            Backend::Mysql => named(&answer.replace('-', " ")),
            Backend::Sqlite => match answer {
                "0" => Some(Self::Serializable),
                "1" => Some(Self::ReadUncommitted),
                _ => None,
            },
        };
        let answered = level.filter(|level| *level != Self::Autocommit);
        answered.ok_or_else(|| IsolationLevelError {
            value: answer.to_owned(),
            backend: Some(backend),
        })
    }
}

fn named(name: &str) -> Option<IsolationLevel> {
    let name = name.replace('_', " ").to_uppercase();
    ALL.into_iter().find(|level| level.name() == name)
}

impl FromStr for IsolationLevel {
    type Err = IsolationLevelError;

    /// In any case, with spaces or underscores, as SQLAlchemy reads it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        named(text).ok_or_else(|| IsolationLevelError {
            value: text.to_owned(),
            backend: None,
        })
    }
}

impl fmt::Display for IsolationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A level that there is not, or not on this database. It names the valid ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value `{value}` for isolation_level; valid isolation levels {}", self.valid())]
pub struct IsolationLevelError {
    value: String,
    /// The database, if the level is known but not there.
    backend: Option<Backend>,
}

impl IsolationLevelError {
    fn valid(&self) -> String {
        let (of, levels) = match self.backend {
            Some(backend) => (
                format!("for {} are", backend.name()),
                IsolationLevel::valid(backend),
            ),
            None => ("are".to_owned(), &ALL[..]),
        };
        let names: Vec<_> = levels.iter().map(|level| level.name()).collect();
        format!("{of} {}", names.join(", "))
    }
}
