//! The Connection, for threads.

use std::time::Duration;

use everpool_core::{CheckoutError, Connector, Threads, blocking::Pool};

use crate::{
    connection::{self, InUse},
    error::ConnectionError,
    state::Next,
};

pub use crate::sight::Observer;
pub use connection::Operation;

/// A [`Connection`](connection::Connection) whose checkouts block.
pub type Connection<K> = connection::Connection<K, Pool<K>, Threads>;

impl<K: Connector> Connection<K> {
    /// Takes a connection from the pool, unless there is one; blocks for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`Pool::checkout_from`].
    pub fn checkout(&mut self, timeout: Duration) -> Result<(), CheckoutError<K::Error>> {
        self.settle();
        if self.settled().is_none() {
            let lease = self.pool().checkout_from(self.place(), timeout)?;
            self.connected(lease);
        }
        Ok(())
    }

    /// The driver's connection, for one operation; called after [`settle`](Self::settle). `depth` says
    /// how many levels of transaction are open, on it or on the one that was lost. Blocks if a
    /// connection must be taken.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::PendingRollback`] if there is none, and a transaction was open on the last.
    #[inline]
    pub fn operate(&mut self, depth: u32) -> Result<InUse<'_, K>, ConnectionError<K::Error>> {
        if self.next(depth)? == Next::Checkout {
            self.checkout(self.pool().timeout())?;
        }
        Ok(self.start().expect("`next` says Use only if there is one"))
    }
}
