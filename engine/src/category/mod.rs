//! What kind of error it is, in the words of Python's DBAPI, which are SQLAlchemy's.

pub mod mysql;
pub mod postgresql;
pub mod sqlite;

use std::fmt;

/// The DBAPI's kinds of error, as SQLAlchemy's exceptions are named after them.
///
/// ```
/// use everpool_engine::category::{Category, postgresql};
///
/// let category = postgresql::by_sqlstate("23505");
/// assert_eq!(category, Category::Integrity);
/// assert_eq!(category.to_string(), "IntegrityError");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// `InterfaceError`: the driver was used wrongly.
    Interface,
    /// `DatabaseError`: the database's, of none of the kinds below.
    Database,
    /// `DataError`: a value is out of range, too long, or no such thing.
    Data,
    /// `OperationalError`: the database's operation, not the program: lost connections, locks, memory.
    Operational,
    /// `IntegrityError`: a constraint does not hold.
    Integrity,
    /// `InternalError`: the database or its transaction is not in a state for this.
    Internal,
    /// `ProgrammingError`: the statement is wrong: its syntax, a name, a right.
    Programming,
    /// `NotSupportedError`: the database has no such thing.
    NotSupported,
}

impl Category {
    /// The name of SQLAlchemy's exception.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interface => "InterfaceError",
            Self::Database => "DatabaseError",
            Self::Data => "DataError",
            Self::Operational => "OperationalError",
            Self::Integrity => "IntegrityError",
            Self::Internal => "InternalError",
            Self::Programming => "ProgrammingError",
            Self::NotSupported => "NotSupportedError",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
