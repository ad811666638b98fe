//! SQLx's `Acquire`, whose users get the driver's own connection: nobody looks at what they do with it
//! before it returns to the pool.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use futures_core::future::BoxFuture;
use sqlx::{Acquire, Error};

use crate::{
    connection::Connection, driver::Driver, engine::Engine, lent::PoolConnection, native::stand_in,
    pool::Pool, transaction::Transaction,
};

/// The driver's own connection, which returns to its pool when this is dropped: what SQLx's
/// [`Acquire`](sqlx::Acquire) takes from an [`Engine`] or a [`Pool`].
pub struct Acquired<DB: Driver>(PoolConnection<DB>);

impl<DB: Driver> Deref for Acquired<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.0
    }
}

impl<DB: Driver> DerefMut for Acquired<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.0
    }
}

impl<DB: Driver> fmt::Debug for Acquired<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'c, DB: Driver> Acquire<'c> for &'_ Engine<DB> {
    type Database = DB;
    type Connection = Acquired<DB>;

    fn acquire(self) -> BoxFuture<'c, Result<Acquired<DB>, Error>> {
        let engine = self.clone();
        Box::pin(async move { engine.lend().await.map(Acquired) })
    }

    /// SQLx's transaction that owns its connection can own none but one of SQLx's pool, so one is opened
    /// for it, while a connection of the engine's is held back: the server sees one more for as long.
    /// [`Engine::begin`] does without.
    fn begin(self) -> BoxFuture<'c, Result<sqlx::Transaction<'c, DB>, Error>> {
        let engine = self.clone();
        Box::pin(async move { stand_in(engine).await?.begin().await })
    }
}

impl<'c, DB: Driver> Acquire<'c> for &'_ Pool<DB> {
    type Database = DB;
    type Connection = Acquired<DB>;

    fn acquire(self) -> BoxFuture<'c, Result<Acquired<DB>, Error>> {
        Acquire::acquire(self.engine())
    }

    /// As an [`Engine`]'s. [`Pool::begin`] does without.
    fn begin(self) -> BoxFuture<'c, Result<sqlx::Transaction<'c, DB>, Error>> {
        Acquire::begin(self.engine())
    }
}

/// An executor of this crate that has a connection, for SQLx's `Acquire`.
macro_rules! acquire {
    ($source:ty) => {
        impl<'c, DB: Driver> Acquire<'c> for $source {
            type Database = DB;
            type Connection = &'c mut DB::Connection;

            fn acquire(self) -> BoxFuture<'c, Result<&'c mut DB::Connection, Error>> {
                Box::pin(self.driver_connection())
            }

            fn begin(self) -> BoxFuture<'c, Result<sqlx::Transaction<'c, DB>, Error>> {
                Box::pin(
                    async move { sqlx::Connection::begin(self.driver_connection().await?).await },
                )
            }
        }
    };
}

acquire!(&'c mut Connection<DB>);
acquire!(&'c mut PoolConnection<DB>);
acquire!(&'c mut Transaction<'_, DB>);
