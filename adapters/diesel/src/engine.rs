use std::time::Duration;

use everpool_core::{OptionsError, Status, blocking::Pool};
use everpool_engine::{Backend, EngineOptions, Url, UrlError};

use crate::{
    connection::Connection,
    connector::{Connector, DriverError},
    driver::Driver,
};

/// Why a checkout gave no connection.
pub type CheckoutError = everpool_core::CheckoutError<DriverError>;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The URL does not say where the database is.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The pool cannot be as the options say.
    #[error(transparent)]
    Options(#[from] OptionsError),
}

/// A pool of connections to one database, with its options. Cloning gives another handle to the same
/// pool. Make one per database, at the start of the program.
pub struct Engine<C: Driver> {
    url: Url,
    pool: Pool<Connector<C>>,
}

/// An engine for the database at `url`. Never connects: the first checkout does. Does not block.
///
/// A SQLite database in memory lives and dies with its connection, so its engine has exactly one,
/// whatever `pool_size` says, and users wait in line for it.
///
/// # Errors
///
/// [`EngineError::Url`] if the URL does not parse, or names another database than `C`.
pub fn create_engine<C: Driver>(
    url: &str,
    options: EngineOptions,
) -> Result<Engine<C>, EngineError> {
    let url: Url = url.parse()?;
    let (named, engine): (Backend, Backend) = (url.backend(), C::BACKEND);
    if named != engine {
        let (url, engine) = (named.name(), engine.name());
        return Err(UrlError::WrongBackend { url, engine }.into());
    }
    let options = if url.is_memory() {
        options.with_one_connection()
    } else {
        options
    };
    let pool = Pool::new(Connector::new(url.clone()), options.pool())?;
    Ok(Engine {
        url,
        pool: pool.with_timeout(options.pool_timeout()),
    })
}

impl<C: Driver> Engine<C> {
    /// Takes a connection; blocks until there is one, for at most `pool_timeout`.
    ///
    /// # Errors
    ///
    /// See [`CheckoutError`].
    pub fn connect(&self) -> Result<Connection<C>, CheckoutError> {
        let mut connection = Connection::unconnected(self.pool.clone());
        connection.checkout(self.pool.timeout())?;
        Ok(connection)
    }

    /// Replaces all connections: idle ones are closed at once, those in use when they come back. The
    /// engine works on. Does not block.
    pub fn dispose(&self) {
        self.pool.recreate();
    }

    /// The pool's numbers at this moment; its `Display` is SQLAlchemy's status line.
    pub fn status(&self) -> Status {
        self.pool.status()
    }

    /// Where the database is. Its `Display` hides the password.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How long a checkout waits.
    pub fn pool_timeout(&self) -> Duration {
        self.pool.timeout()
    }

    pub(crate) fn pool(&self) -> &Pool<Connector<C>> {
        &self.pool
    }
}

impl<C: Driver> Clone for Engine<C> {
    fn clone(&self) -> Self {
        Self {
            url: self.url.clone(),
            pool: self.pool.clone(),
        }
    }
}

/// `Engine(postgresql://scott:***@localhost/test)`, as SQLAlchemy prints it.
impl<C: Driver> std::fmt::Debug for Engine<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({})", self.url)
    }
}
