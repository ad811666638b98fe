//! What SQLx's trait `Connection` has, for who has one that is not the driver's.

use futures_core::future::BoxFuture;
use sqlx::{Connection as _, Error, database::HasStatementCache};

use super::Connection;
use crate::{driver::Driver, transaction::Transaction};

impl<DB: Driver> Connection<DB> {
    /// Whether a transaction is open that was begun by a method, not by a statement's text.
    pub fn is_in_transaction(&self) -> bool {
        match (self.omitted, self.inner.peek()) {
            (Some(begun), _) => begun > 0,
            (None, Some(wire)) => wire.depth() > 0,
            (None, None) => self.depth > 0,
        }
    }

    /// Does something in a transaction, or after a savepoint: commits it, or rolls it back if `callback`
    /// returns an error.
    ///
    /// # Errors
    ///
    /// The callback's, and the driver's.
    pub async fn transaction<'a, F, R, E>(&'a mut self, callback: F) -> Result<R, E>
    where
        for<'c> F:
            FnOnce(&'c mut Transaction<'_, DB>) -> BoxFuture<'c, Result<R, E>> + 'a + Send + Sync,
        R: Send,
        E: From<Error> + Send,
    {
        let mut transaction = self.begin().await?;
        match callback(&mut transaction).await {
            Ok(answer) => {
                transaction.commit().await?;
                Ok(answer)
            }
            Err(error) => {
                transaction.rollback().await?;
                Err(error)
            }
        }
    }

    /// How many prepared statements the connection keeps.
    pub fn cached_statements_size(&self) -> usize
    where
        DB: HasStatementCache,
    {
        let wire = self.inner.peek();
        wire.map_or(0, |wire| wire.cached_statements_size())
    }

    /// Forgets all prepared statements. Waits for the server, if it is told.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn clear_cached_statements(&mut self) -> Result<(), Error>
    where
        DB: HasStatementCache,
    {
        let answer = self.ready().await?.clear_cached_statements().await;
        self.leave(answer, None)
    }

    /// Gives back memory that long statements and rows took.
    pub fn shrink_buffers(&mut self) {
        if let Some(wire) = self.wire() {
            wire.own().shrink_buffers();
        }
    }
}
