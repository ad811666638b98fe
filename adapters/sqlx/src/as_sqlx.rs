//! Our errors as SQLx's, because SQLx's traits return nothing else.

use std::io::{self, ErrorKind};

use everpool_engine::{ConnectionError, PendingRollback, handlers::Replacement};
use everpool_session::SessionError;
use sqlx::Error;

use crate::{connector::DriverError, engine::CheckoutError};

/// What a handler gave to be told instead.
pub(crate) fn replaced(error: Replacement) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<DriverError>() {
            Ok(error) => unwrapped(*error),
            Err(error) => Error::Configuration(error),
        },
    }
}

/// SQLx's error as it was, or as near as can be.
pub(crate) fn unwrapped(error: DriverError) -> Error {
    match error {
        DriverError::Connect(error)
        | DriverError::Query(error)
        | DriverError::Ping(error)
        | DriverError::AfterConnect(error) => error,
        other => Error::Configuration(Box::new(other)),
    }
}

/// A statement was not sent, because there is no connection to send it on. The source is a
/// [`CheckoutError`] or a [`PendingRollback`].
pub(crate) fn not_sent(error: ConnectionError<DriverError>) -> Error {
    match error {
        ConnectionError::Checkout(error) => no_connection(error),
        ConnectionError::PendingRollback(pending) => lost_before(pending),
        other => Error::Io(io::Error::other(other)),
    }
}

/// The connection was lost earlier in this transaction.
pub(crate) fn lost_before(pending: PendingRollback) -> Error {
    Error::Io(io::Error::new(ErrorKind::NotConnected, pending))
}

/// The pool gave none. That the pool is closed has a word of SQLx's, which tells all; that it timed out
/// has one too, which tells nothing.
pub(crate) fn no_connection(error: CheckoutError) -> Error {
    match error {
        CheckoutError::Closed => Error::PoolClosed,
        error => Error::Io(io::Error::new(kind(&error), error)),
    }
}

fn kind(error: &CheckoutError) -> ErrorKind {
    match error {
        CheckoutError::TimedOut(_) => ErrorKind::TimedOut,
        _ => ErrorKind::NotConnected,
    }
}

/// A commit was asked for, and the transaction was past saving.
pub(crate) fn rolled_back() -> Error {
    Error::Protocol(
        "a statement of this transaction failed, so it was rolled back instead of committed"
            .to_owned(),
    )
}

/// The connection is of no use any more.
pub(crate) fn out_of_step() -> Error {
    Error::Protocol(
        "the connection answers other statements than it is asked, since something was given up in \
         the middle; it was closed"
            .to_owned(),
    )
}

/// A statement was not sent, because the transaction of its scope is over.
pub(crate) fn scope_is_over() -> Error {
    Error::Protocol(
        "can't operate on a closed transaction inside its scope; leave the scope before emitting \
         further commands"
            .to_owned(),
    )
}

/// A session's error, where SQLx wants one of its own.
pub(crate) fn session_refused(error: SessionError<Error>) -> Error {
    match error {
        SessionError::Database(error) | SessionError::Listener { error, .. } => error,
        SessionError::PendingRollback(pending) => lost_before(pending),
        error => Error::Protocol(error.to_string()),
    }
}

/// What transactions begin with cannot change in one.
pub(crate) fn in_transaction() -> Error {
    Error::Protocol(
        "a transaction is open; isolation_level and the like may not be altered unless rollback() \
         or commit() is called first"
            .to_owned(),
    )
}

/// A transaction is asked for that cannot be within another.
pub(crate) fn is_open() -> Error {
    Error::Protocol(
        "a transaction is open; a two-phase transaction cannot begin before it is ended".to_owned(),
    )
}

/// A transaction is to be ended that was ended before.
pub(crate) fn not_in_transaction() -> Error {
    Error::Protocol("this transaction is over already; nothing is left to be committed".to_owned())
}

/// A two-phase transaction was to be begun where none is.
pub(crate) fn no_phases() -> Error {
    Error::Configuration(
        "a two-phase transaction cannot be begun in isolation_level AUTOCOMMIT; leave out one of the two"
            .into(),
    )
}

/// A two-phase transaction is open, and something else is to begin or end a transaction.
pub(crate) fn in_twophase() -> Error {
    Error::Protocol(
        "a two-phase transaction is open: it has no savepoints, and only its own prepare(), commit() \
         or rollback() end it"
            .to_owned(),
    )
}

/// The server has learned a word for what becomes of transactions.
pub(crate) fn unknown_status(answer: Option<String>) -> Error {
    let answer = answer.unwrap_or_default();
    Error::Protocol(format!(
        "no outcome of a transaction is known by the name {answer:?}"
    ))
}

/// An option cannot be so.
pub(crate) fn bad_option(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Configuration(Box::new(error))
}
