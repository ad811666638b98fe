//! What SQLx's errors mean. An error of the database is known by what the driver makes it of, so that
//! `Any` is served too.

use everpool_engine::{
    Backend, Category,
    fault::{self, ConnectFault, Fault},
};
use sqlx::{Error, error::DatabaseError};

/// Whose fault an error on an open connection is. No I/O.
///
/// What was lost on the way is the server's: who closed the connection is not told. What is out of
/// step, or of no use to TLS, is the connection's.
pub(crate) fn fault(error: &Error) -> Fault {
    match error {
        Error::Database(error) => of_database(error.as_ref()),
        Error::Io(_) => Fault::Server,
        Error::Protocol(_) | Error::Tls(_) | Error::WorkerCrashed => Fault::Connection,
        _ => Fault::Statement,
    }
}

fn of_database(error: &dyn DatabaseError) -> Fault {
    match Code::of(error) {
        Some(Code::Postgresql { severity, sqlstate }) => {
            fault::postgresql::by_report(severity, sqlstate, error.message())
        }
        Some(Code::Mysql(number)) => fault::mysql::by_code(number),
        Some(Code::Sqlite(code)) => fault::sqlite::by_code(code),
        None => Fault::Statement,
    }
}

/// Whether a failed connect may succeed soon. No I/O.
pub(crate) fn connect_fault(error: &Error) -> ConnectFault {
    match error {
        Error::Io(error) => fault::io::connect_by_error(error),
        Error::Database(error) => connect_of_database(error.as_ref()),
        _ => ConnectFault::Permanent,
    }
}

fn connect_of_database(error: &dyn DatabaseError) -> ConnectFault {
    let message = error.message();
    match Code::of(error) {
        Some(Code::Postgresql { sqlstate, .. }) => {
            fault::postgresql::connect_by_sqlstate(sqlstate, message)
        }
        Some(Code::Mysql(number)) => fault::mysql::connect_by_code(number, message),
        Some(Code::Sqlite(code)) => fault::sqlite::connect_by_code(code),
        None => ConnectFault::Permanent,
    }
}

/// Whether another transaction stood in the way, so that all of this one may succeed if it is done once more.
pub(crate) fn is_conflict(error: &Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    match Code::of(error) {
        Some(Code::Postgresql { sqlstate, .. }) => fault::postgresql::is_retryable(sqlstate),
        Some(Code::Mysql(number)) => fault::mysql::is_retryable(number),
        Some(Code::Sqlite(code)) => fault::sqlite::is_retryable(code),
        None => false,
    }
}

/// Whether the server takes no writes, as one does that was a primary before a failover.
pub(crate) fn is_read_only(error: &Error) -> bool {
    let Some(error) = error.as_database_error() else {
        return false;
    };
    match Code::of(error) {
        Some(Code::Postgresql { sqlstate, .. }) => fault::postgresql::is_read_only(sqlstate),
        Some(Code::Mysql(number)) => fault::mysql::is_read_only(number, error.message()),
        _ => false,
    }
}

/// The category that a database's error has in Python's DBAPI, and so in SQLAlchemy; `None` for an
/// error that did not come from a database.
///
/// ```
/// use everpool_sqlx::{Error, category};
///
/// assert_eq!(category(&Error::RowNotFound), None);
/// ```
pub fn category(error: &Error) -> Option<Category> {
    use everpool_engine::category::{mysql, postgresql, sqlite};

    match error {
        Error::Database(error) => Some(match Code::of(error.as_ref()) {
            Some(Code::Postgresql { sqlstate, .. }) => postgresql::by_sqlstate(sqlstate),
            Some(Code::Mysql(number)) => mysql::by_code(number),
            Some(Code::Sqlite(code)) => sqlite::by_code(code),
            None => Category::Database,
        }),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) => Some(Category::Operational),
        _ => None,
    }
}

/// What an error of a database is known by.
enum Code<'a> {
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "nothing else makes one")
    )]
    Postgresql {
        severity: fault::postgresql::Severity,
        sqlstate: &'a str,
    },
    #[cfg_attr(
        not(feature = "mysql"),
        expect(dead_code, reason = "nothing else makes one")
    )]
    Mysql(u16),
    #[cfg_attr(
        not(feature = "_sqlite"),
        expect(dead_code, reason = "nothing else makes one")
    )]
    Sqlite(i32),
}

impl<'a> Code<'a> {
    fn of(error: &'a dyn DatabaseError) -> Option<Self> {
        postgresql(error)
            .or_else(|| mysql(error))
            .or_else(|| sqlite(error))
    }
}

#[cfg(feature = "postgres")]
fn postgresql(error: &dyn DatabaseError) -> Option<Code<'_>> {
    use fault::postgresql::Severity;
    use sqlx::postgres::{PgDatabaseError, PgSeverity};

    let error = error.try_downcast_ref::<PgDatabaseError>()?;
    let severity = match error.severity() {
        PgSeverity::Fatal | PgSeverity::Panic => Severity::Fatal,
        _ => Severity::Error,
    };
    let sqlstate = error.code();
    Some(Code::Postgresql { severity, sqlstate })
}

#[cfg(feature = "mysql")]
fn mysql(error: &dyn DatabaseError) -> Option<Code<'_>> {
    let error = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?;
    Some(Code::Mysql(error.number()))
}

#[cfg(feature = "_sqlite")]
fn sqlite(error: &dyn DatabaseError) -> Option<Code<'_>> {
    let error = error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    // SQLx shows the extended code as a text only.
    let code = error.code()?.parse().ok()?;
    Some(Code::Sqlite(code))
}

#[cfg(not(feature = "postgres"))]
fn postgresql(_: &dyn DatabaseError) -> Option<Code<'_>> {
    None
}

#[cfg(not(feature = "mysql"))]
fn mysql(_: &dyn DatabaseError) -> Option<Code<'_>> {
    None
}

#[cfg(not(feature = "_sqlite"))]
fn sqlite(_: &dyn DatabaseError) -> Option<Code<'_>> {
    None
}

/// Whether an operation that was given up in the middle leaves a connection of which something can
/// still be made: on MySQL the driver loses step, and waits for ever for an answer that was given.
pub(crate) fn survives_a_cut(backend: Backend) -> bool {
    backend != Backend::Mysql
}
