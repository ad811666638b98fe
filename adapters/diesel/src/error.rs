//! Our errors as Diesel's, because Diesel's traits return nothing else.

use std::fmt;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use everpool_engine::{ConnectionError, handlers::Replacement, stage::StageError};
use everpool_session::SessionError;

use crate::connector::DriverError;

struct Message(String);

impl DatabaseErrorInformation for Message {
    fn message(&self) -> &str {
        &self.0
    }
    fn details(&self) -> Option<&str> {
        None
    }
    fn hint(&self) -> Option<&str> {
        None
    }
    fn table_name(&self) -> Option<&str> {
        None
    }
    fn column_name(&self) -> Option<&str> {
        None
    }
    fn constraint_name(&self) -> Option<&str> {
        None
    }
    fn statement_position(&self) -> Option<i32> {
        None
    }
}

fn database_error(kind: DatabaseErrorKind, error: &dyn fmt::Display) -> Error {
    Error::DatabaseError(kind, Box::new(Message(error.to_string())))
}

/// A commit was asked for, and the transaction was past saving.
pub(crate) fn rolled_back() -> Error {
    let said = "a statement of this transaction failed, so it was rolled back instead of committed";
    database_error(DatabaseErrorKind::Unknown, &said)
}

/// What a handler gave to be told instead.
pub(crate) fn replaced(error: Replacement) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<DriverError>() {
            Ok(error) => unwrapped(*error),
            Err(error) => Error::QueryBuilderError(error),
        },
    }
}

/// Diesel's error as it was, or as near as can be.
pub(crate) fn unwrapped(error: DriverError) -> Error {
    match error {
        DriverError::Query(error) | DriverError::Ping(error) => error,
        other => Error::QueryBuilderError(Box::new(other)),
    }
}

/// An execution option cannot be so, or not now.
pub(crate) fn bad_option(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::QueryBuilderError(Box::new(error))
}

/// What transactions begin with cannot change in one.
pub(crate) fn in_transaction() -> Error {
    let said = "a transaction is open; isolation_level and the like may not be altered unless \
        rollback() or commit() is called first";
    database_error(DatabaseErrorKind::UnableToSendCommand, &said)
}

/// A two-phase transaction was to be begun where none is.
pub(crate) fn no_phases() -> Error {
    let said = "a two-phase transaction cannot be begun in isolation_level AUTOCOMMIT; leave out one of the two";
    database_error(DatabaseErrorKind::UnableToSendCommand, &said)
}

/// A statement was not sent, because the transaction of its scope is over.
pub(crate) fn scope_is_over() -> Error {
    let said = "can't operate on a closed transaction inside its scope; leave the scope before emitting further commands";
    database_error(DatabaseErrorKind::UnableToSendCommand, &said)
}

/// The connection of a test is not in its transaction any more, and was given up.
pub(crate) fn test_is_over() -> Error {
    database_error(DatabaseErrorKind::ClosedConnection, &StageError::Ended)
}

/// A session's error, where Diesel wants one of its own.
pub(crate) fn session_refused(error: SessionError<Error>) -> Error {
    let kind = match error {
        SessionError::Database(error) | SessionError::Listener { error, .. } => return error,
        SessionError::PendingRollback(_) => DatabaseErrorKind::ClosedConnection,
        _ => DatabaseErrorKind::UnableToSendCommand,
    };
    database_error(kind, &error)
}

/// A statement was not sent, because there is no connection to send it on.
pub(crate) fn not_sent(error: ConnectionError<DriverError>) -> Error {
    let kind = match error {
        ConnectionError::PendingRollback(_) => DatabaseErrorKind::ClosedConnection,
        _ => DatabaseErrorKind::UnableToSendCommand,
    };
    database_error(kind, &error)
}
