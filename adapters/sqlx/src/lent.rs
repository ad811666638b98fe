use std::{
    fmt,
    future::{Future, ready},
    ops::{Deref, DerefMut},
};

use everpool_core::Detached;
use sqlx::{Connection as _, Error};

use crate::{
    connection::Connection, driver::Driver, transaction::Transaction, version::BeginStatement,
};

/// A [`Connection`] that was taken from a pool, to which it returns when this is dropped. A transaction
/// that is still open is rolled back first, in the background: the drop neither waits nor needs a
/// runtime.
pub struct PoolConnection<DB: Driver>(Connection<DB>);

const PRESENT: &str = "the connection was lost, and no statement took another";

impl<DB: Driver> PoolConnection<DB> {
    pub(crate) fn new(connection: Connection<DB>) -> Self {
        Self(connection)
    }

    /// Returns it, as the drop does, but does here what the drop has done in the background: what is open
    /// is rolled back, and what is left unread is read. Waits for the server, unless nothing was left
    /// behind. If this is given up, the pool does the rest.
    ///
    /// # Errors
    ///
    /// The driver's, of the ROLLBACK. Then the connection is closed.
    pub async fn release(mut self) -> Result<(), Error> {
        self.0.put_in_order().await
    }

    /// Begins a transaction, or sets a savepoint if one is open: [`Connection::begin`].
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        self.0.begin().await
    }

    /// As [`begin`](Self::begin), with another statement than `BEGIN`: [`Connection::begin_with`].
    ///
    /// # Errors
    ///
    /// The driver's; that a transaction is open, or that the statement has begun none.
    pub async fn begin_with(
        &mut self,
        statement: impl BeginStatement,
    ) -> Result<Transaction<'_, DB>, Error> {
        self.0.begin_with(statement).await
    }

    /// The driver's connection, which leaves the pool for good; its place is free at once. Does not
    /// block.
    ///
    /// # Panics
    ///
    /// If it was lost, and no statement has taken another.
    pub fn detach(self) -> DB::Connection {
        let wire = self.left().map(Detached::into_connection);
        wire.expect(PRESENT).into_inner()
    }

    fn left(mut self) -> Option<Detached<crate::Connector<DB>, everpool_core::Tokio>> {
        self.0.detach().ok()?;
        self.0.into_detached()
    }

    /// The driver's connection, which keeps its place in the pool for ever: the pool is smaller by one
    /// from now on, and a close of it waits for it. Does not block.
    ///
    /// # Panics
    ///
    /// If it was lost, and no statement has taken another.
    pub fn leak(mut self) -> DB::Connection {
        self.0.leak().expect(PRESENT).into_inner()
    }

    /// Closes the connection, and waits for that; the pool opens another when it needs one. Its place is
    /// free at once, while SQLx's pool keeps it until the end.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn close(self) -> Result<(), Error> {
        match self.left().map(Detached::into_connection) {
            Some(wire) if !wire.is_cut() => wire.into_inner().close().await,
            // It is closed by being dropped.
            _ => Ok(()),
        }
    }

    /// Has the connection closed when this is dropped, instead of returned. In the background, with a
    /// word to the server, for at most 5 seconds.
    pub fn close_on_drop(&mut self) {
        self.0.close_on_drop();
    }

    /// Returns the connection now. What must be sent before it can be lent again is sent in the
    /// background, whether this is awaited or not.
    #[doc(hidden)]
    pub fn return_to_pool(&mut self) -> impl Future<Output = ()> + Send + 'static + use<DB> {
        self.0.give_back();
        ready(())
    }
}

impl<DB: Driver> Deref for PoolConnection<DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        &self.0
    }
}

impl<DB: Driver> DerefMut for PoolConnection<DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        &mut self.0
    }
}

/// The driver's own connection: see [`Connection`].
impl<DB: Driver> AsRef<DB::Connection> for PoolConnection<DB> {
    fn as_ref(&self) -> &DB::Connection {
        self
    }
}

/// The driver's own connection: see [`Connection`].
impl<DB: Driver> AsMut<DB::Connection> for PoolConnection<DB> {
    fn as_mut(&mut self) -> &mut DB::Connection {
        self
    }
}

impl<DB: Driver> fmt::Debug for PoolConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
