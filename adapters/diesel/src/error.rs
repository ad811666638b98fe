//! Our errors as Diesel's, because Diesel's traits return nothing else.

use std::fmt;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
use everpool_engine::ConnectionError;

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

/// A statement was not sent, because the transaction of its scope is over.
pub(crate) fn scope_is_over() -> Error {
    let said = "can't operate on a closed transaction inside its scope; leave the scope before emitting further commands";
    database_error(DatabaseErrorKind::UnableToSendCommand, &said)
}

/// A statement was not sent, because there is no connection to send it on.
pub(crate) fn not_sent(error: ConnectionError<DriverError>) -> Error {
    let kind = match error {
        ConnectionError::PendingRollback(_) => DatabaseErrorKind::ClosedConnection,
        _ => DatabaseErrorKind::UnableToSendCommand,
    };
    database_error(kind, &error)
}
