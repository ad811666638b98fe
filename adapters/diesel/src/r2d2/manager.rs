use std::{any::type_name, fmt, marker::PhantomData, thread};

use diesel::{ConnectionError, result};

use super::{ManageConnection, connection::R2D2Connection};

/// Opens connections of Diesel's for a pool, at a URL in the driver's own form.
///
/// A connection that is returned by a thread that panics, or with a transaction open, is released.
pub struct ConnectionManager<T> {
    database_url: String,
    connection: PhantomData<fn() -> T>,
}

impl<T> ConnectionManager<T> {
    /// A manager for the database at a URL. Connects to nothing.
    pub fn new<S: Into<String>>(database_url: S) -> Self {
        Self {
            database_url: database_url.into(),
            connection: PhantomData,
        }
    }

    /// Another URL, for connections that are opened from now on.
    pub fn update_database_url<S: Into<String>>(&mut self, database_url: S) {
        self.database_url = database_url.into();
    }
}

impl<T> Clone for ConnectionManager<T> {
    fn clone(&self) -> Self {
        Self::new(&*self.database_url)
    }
}

/// Without the URL, which may contain a password.
impl<T> fmt::Debug for ConnectionManager<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionManager<{}>", type_name::<T>())
    }
}

impl<T> ManageConnection for ConnectionManager<T>
where
    T: R2D2Connection + Send + 'static,
{
    type Connection = T;
    type Error = Error;

    fn connect(&self) -> Result<T, Error> {
        Ok(T::establish(&self.database_url)?)
    }

    fn is_valid(&self, conn: &mut T) -> Result<(), Error> {
        Ok(conn.ping()?)
    }

    fn has_broken(&self, conn: &mut T) -> bool {
        thread::panicking() || conn.is_broken()
    }
}

/// What goes wrong with a connection that a pool manages.
#[derive(Debug)]
pub enum Error {
    /// No connection was established.
    ConnectionError(ConnectionError),
    /// A ping failed, or what a customizer sent.
    QueryError(result::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionError(error) => error.fmt(f),
            Self::QueryError(error) => error.fmt(f),
        }
    }
}

/// Its text is that of the error within, which is therefore not its source.
impl std::error::Error for Error {}

impl From<result::Error> for Error {
    fn from(error: result::Error) -> Self {
        Self::QueryError(error)
    }
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        Self::ConnectionError(error)
    }
}
