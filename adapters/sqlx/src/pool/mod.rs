//! SQLx's `pool`, name for name and meaning for meaning, over an [`Engine`].

mod close_event;
mod options;
mod slow;
mod told;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use sqlx::Error;

use crate::{
    connection::Connection,
    driver::{ConnectOptionsOf, Driver},
    engine::Engine,
    transaction::Transaction,
    version::BeginStatement,
};

pub use crate::{callbacks::PoolConnectionMetadata, lent::PoolConnection};
pub use close_event::CloseEvent;
pub use options::PoolOptions;

pub(crate) use close_event::Ending;

/// A pool of connections, as SQLx's. Cloning gives another handle to the same pool.
///
/// A reference to it executes queries. What is different from SQLx's pool: all connections that died
/// with a server are replaced at the first error that says so; whoever waits is served in the order of
/// arrival; a connection that may have something open is cleaned before it is lent again; and no round
/// trip is made for its own sake unless it is asked for. The pool is an [`Engine`] in SQLx's words:
/// [`engine`](Self::engine) has what those have no words for.
pub struct Pool<DB: Driver> {
    engine: Engine<DB>,
    options: Arc<PoolOptions<DB>>,
}

impl<DB: Driver> Pool<DB> {
    /// A pool with all defaults, and one connection opened. Waits for it for at most `acquire_timeout`.
    ///
    /// # Errors
    ///
    /// A URL that does not parse, or that no connection was to be had.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        PoolOptions::new().connect(url).await
    }

    /// As [`connect`](Self::connect), with the driver's options.
    ///
    /// # Errors
    ///
    /// No connection was to be had.
    pub async fn connect_with(options: ConnectOptionsOf<DB>) -> Result<Self, Error> {
        PoolOptions::new().connect_with(options).await
    }

    /// A pool with all defaults, at once: the first use opens a connection.
    ///
    /// # Errors
    ///
    /// A URL that does not parse.
    pub fn connect_lazy(url: &str) -> Result<Self, Error> {
        PoolOptions::new().connect_lazy(url)
    }

    /// As [`connect_lazy`](Self::connect_lazy), with the driver's options.
    pub fn connect_lazy_with(options: ConnectOptionsOf<DB>) -> Self {
        PoolOptions::new().connect_lazy_with(options)
    }

    pub(crate) fn new(engine: Engine<DB>, options: Arc<PoolOptions<DB>>) -> Self {
        Self { engine, options }
    }

    /// Takes a connection; waits until there is one, for at most `acquire_timeout`. Keeps no borrow of
    /// the pool.
    ///
    /// # Errors
    ///
    /// [`Error::PoolTimedOut`], [`Error::PoolClosed`], or the driver's error of a connect that waiting
    /// does not mend. What is known of a timeout beyond SQLx's word is written through `tracing`.
    #[track_caller]
    pub fn acquire(
        &self,
    ) -> impl Future<Output = Result<PoolConnection<DB>, Error>> + Send + 'static + use<DB> {
        self.engine.lend()
    }

    /// Takes a connection if one is idle, without a test. Does not wait.
    #[track_caller]
    pub fn try_acquire(&self) -> Option<PoolConnection<DB>> {
        let mut connection = Connection::unconnected(self.engine.clone());
        let is_taken = connection.try_checkout();
        is_taken.then(|| PoolConnection::new(connection))
    }

    /// Takes a connection and begins a transaction on it, which is rolled back if it is dropped. A
    /// connection that turns out dead at BEGIN is replaced, and the caller does not hear of it.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire), and the driver's.
    #[track_caller]
    pub fn begin(
        &self,
    ) -> impl Future<Output = Result<Transaction<'static, DB>, Error>> + Send + use<DB> {
        self.engine.begin()
    }

    /// As [`begin`](Self::begin), if a connection is idle.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn try_begin(&self) -> Result<Option<Transaction<'static, DB>>, Error> {
        match self.try_acquire() {
            Some(connection) => Transaction::begin_first(connection, None).await.map(Some),
            None => Ok(None),
        }
    }

    /// As [`begin`](Self::begin), with another statement than `BEGIN`.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire), the driver's, or that the statement has begun nothing.
    #[track_caller]
    pub fn begin_with<S: BeginStatement>(
        &self,
        statement: S,
    ) -> impl Future<Output = Result<Transaction<'static, DB>, Error>> + Send + use<DB, S> {
        self.engine.begin_with(statement)
    }

    /// As [`begin_with`](Self::begin_with), if a connection is idle.
    ///
    /// # Errors
    ///
    /// The driver's, or that the statement has begun nothing.
    pub async fn try_begin_with(
        &self,
        statement: impl BeginStatement,
    ) -> Result<Option<Transaction<'static, DB>>, Error> {
        let statement = statement.into_begin();
        match self.try_acquire() {
            Some(connection) => Transaction::begin_first(connection, Some(statement))
                .await
                .map(Some),
            None => Ok(None),
        }
    }

    /// Lends nothing any more, from now on, also if nobody awaits this; then waits until all
    /// connections have come back and are closed.
    pub fn close(&self) -> impl Future<Output = ()> + Send + '_ {
        let closing = self.engine.close(Duration::MAX);
        async move {
            // Nothing is out any more, whatever it says.
            let _closed = closing.await;
        }
    }

    /// Whether [`close`](Self::close) was called, on whichever handle.
    pub fn is_closed(&self) -> bool {
        self.engine.ending().is_over()
    }

    /// Is ready when the pool is closed.
    pub fn close_event(&self) -> CloseEvent {
        self.engine.ending().event()
    }

    /// How many connections there are, with those that are being opened or closed.
    pub fn size(&self) -> u32 {
        let status = self.engine.status();
        let in_use = status.checked_out + status.checking + status.resetting;
        let all = status.idle + in_use + status.connecting + status.closing;
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    /// How many connections rest.
    pub fn num_idle(&self) -> usize {
        self.engine.status().idle
    }

    /// What connections are opened with.
    pub fn connect_options(&self) -> Arc<ConnectOptionsOf<DB>> {
        Arc::new(self.engine.connect_options())
    }

    /// Has those that are opened from now on opened with other options, such as a new password.
    pub fn set_connect_options(&self, connect_options: ConnectOptionsOf<DB>) {
        self.engine.pool().connector().set_options(connect_options);
    }

    /// What the pool was told to be.
    pub fn options(&self) -> &PoolOptions<DB> {
        &self.options
    }

    /// The engine that this is: events, status, `dispose`, sessions.
    pub fn engine(&self) -> &Engine<DB> {
        &self.engine
    }
}

impl<DB: Driver> Clone for Pool<DB> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            options: Arc::clone(&self.options),
        }
    }
}

impl<DB: Driver> fmt::Debug for Pool<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size())
            .field("num_idle", &self.num_idle())
            .field("is_closed", &self.is_closed())
            .field("options", &self.options)
            .finish()
    }
}
