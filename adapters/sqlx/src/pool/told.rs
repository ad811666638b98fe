//! Why a checkout failed, in the words of SQLx's pool, which apps match on.

use std::{
    error::Error as StdError,
    fmt,
    io::{self, ErrorKind},
    sync::Arc,
};

use everpool_core::ConnectFailure;
use sqlx::{Error, error::DatabaseError};

use crate::{connector::DriverError, engine::CheckoutError};

type Failure = ConnectFailure<DriverError>;

/// SQLx's word for it. `PoolTimedOut` does not say why, so that is written.
pub(super) fn in_words_of_the_pool(error: CheckoutError) -> Error {
    match error {
        CheckoutError::Closed => Error::PoolClosed,
        CheckoutError::Connect(failure) | CheckoutError::Ping(failure) => of_connect(failure),
        CheckoutError::Outage(outage) => of_connect(outage.failure),
        CheckoutError::Hook(error) | CheckoutError::Rejected(error) => {
            match error.downcast::<Error>() {
                Ok(error) => *error,
                Err(error) => Error::Configuration(error),
            }
        }
        error => {
            tracing::warn!(target: "everpool::pool", %error, "pool timed out");
            Error::PoolTimedOut
        }
    }
}

/// The driver's own error, or if others are told of the same one, its like.
fn of_connect(failure: Arc<Failure>) -> Error {
    match Arc::try_unwrap(failure) {
        Ok(ConnectFailure::Driver(error)) => crate::as_sqlx::unwrapped(error),
        Ok(failure) => of_pool(Arc::new(failure)),
        Err(shared) => of_pool(shared),
    }
}

fn of_pool(failure: Arc<Failure>) -> Error {
    let shared = Shared(failure);
    match shared.sqlx_error() {
        Some(Error::Io(error)) => Error::Io(io::Error::new(error.kind(), shared)),
        Some(Error::Database(_)) => Error::Database(Box::new(shared)),
        Some(Error::Tls(_)) => Error::Tls(Box::new(shared)),
        Some(Error::Protocol(message)) => Error::Protocol(message.clone()),
        Some(_) => Error::Configuration(Box::new(shared)),
        None => Error::Io(io::Error::new(kind(&shared.0), shared)),
    }
}

fn kind(failure: &Failure) -> ErrorKind {
    match failure {
        ConnectFailure::Unanswered(_) => ErrorKind::TimedOut,
        _ => ErrorKind::NotConnected,
    }
}

/// An error that several callers are told of.
#[derive(Debug)]
struct Shared(Arc<Failure>);

impl Shared {
    fn sqlx_error(&self) -> Option<&Error> {
        match &*self.0 {
            ConnectFailure::Driver(error) => error.sqlx_error(),
            _ => None,
        }
    }

    /// The database's error, of which alone this is a [`DatabaseError`].
    fn database_error(&self) -> &dyn DatabaseError {
        let error = self.sqlx_error().and_then(Error::as_database_error);
        error.expect("`of_pool` makes a database's error of nothing else")
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sqlx_error() {
            Some(Error::Database(error)) => error.fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

impl StdError for Shared {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

/// It downcasts to the driver's type by reference; not by value, since it belongs to others too.
impl DatabaseError for Shared {
    fn message(&self) -> &str {
        self.database_error().message()
    }

    fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.database_error().code()
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.database_error().as_error()
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn constraint(&self) -> Option<&str> {
        self.database_error().constraint()
    }

    fn table(&self) -> Option<&str> {
        self.database_error().table()
    }

    fn kind(&self) -> sqlx::error::ErrorKind {
        self.database_error().kind()
    }
}
