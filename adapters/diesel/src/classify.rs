//! What Diesel's errors mean, where the tables of the databases need only their words.

use diesel::result::{DatabaseErrorKind as Kind, Error};
use everpool_engine::{
    Backend, Category,
    category::{mysql, postgresql, sqlite},
    fault,
};

use crate::driver::Driver;

/// The category that a database's error has in Python's DBAPI, and so in SQLAlchemy; `None` for an
/// error that did not come from a database. By Diesel's kind, and else by what the message says.
///
/// ```
/// use diesel::result::{DatabaseErrorKind, Error};
/// use everpool_diesel::{Backend, Category, category};
///
/// let said = Box::new("deadlock detected".to_owned());
/// let error = Error::DatabaseError(DatabaseErrorKind::Unknown, said);
/// assert_eq!(category(Backend::Postgresql, &error), Some(Category::Operational));
/// assert_eq!(category(Backend::Postgresql, &Error::NotFound), None);
/// ```
pub fn category(backend: Backend, error: &Error) -> Option<Category> {
    let Error::DatabaseError(kind, information) = error else {
        return None;
    };
    let message = information.message();
    Some(match kind {
        Kind::UniqueViolation
        | Kind::ForeignKeyViolation
        | Kind::NotNullViolation
        | Kind::CheckViolation => Category::Integrity,
        Kind::ClosedConnection | Kind::UnableToSendCommand => Category::Operational,
        _ => match backend {
            Backend::Postgresql => postgresql::by_message(message),
            Backend::Mysql => mysql::by_message(message),
            Backend::Sqlite => sqlite::by_message(message),
            _ => Category::Database,
        },
    })
}

/// Whether another transaction stood in the way, so that all of this one may succeed if it is done once more.
pub(crate) fn is_conflict(backend: Backend, error: &Error) -> bool {
    let Error::DatabaseError(kind, information) = error else {
        return false;
    };
    let message = information.message();
    let is_known = match backend {
        Backend::Postgresql => fault::postgresql::is_retryable_message(message),
        Backend::Mysql => fault::mysql::is_retryable_message(message),
        Backend::Sqlite => fault::sqlite::is_retryable_message(message),
        _ => false,
    };
    is_known || matches!(kind, Kind::SerializationFailure)
}

/// Whether the server takes no writes, as one does that was a primary before a failover.
pub(crate) fn is_read_only<C: Driver>(error: &Error) -> bool {
    let Error::DatabaseError(_, information) = error else {
        return false;
    };
    match C::BACKEND {
        Backend::Postgresql => fault::postgresql::is_read_only_message(information.message()),
        Backend::Mysql => fault::mysql::is_read_only_message(information.message()),
        _ => false,
    }
}
