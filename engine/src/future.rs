//! The Connection, for tasks.

use std::time::Duration;

use everpool_core::{CheckoutError, Connector, Tokio, future::Pool};

use crate::{
    connection::{self, InUse},
    error::ConnectionError,
    state::Next,
};

pub use crate::sight::Observer;
pub use connection::Operation;

/// A [`Connection`](connection::Connection) whose checkouts wait.
pub type Connection<K> = connection::Connection<K, Pool<K>, Tokio>;

impl<K: Connector> Connection<K> {
    /// Takes a connection from the pool, unless there is one; waits for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`Pool::checkout_from`].
    pub async fn checkout(&mut self, timeout: Duration) -> Result<(), CheckoutError<K::Error>> {
        self.settle();
        if self.settled().is_none() {
            let lease = self.pool().checkout_from(self.place(), timeout).await?;
            self.connected(lease);
        }
        Ok(())
    }

    /// Takes a connection from the pool if one is idle, without a ping; true if there is one now. Does
    /// not wait. Not if a hook of `checkout` is to be asked.
    pub fn try_checkout(&mut self) -> bool {
        self.settle();
        if self.settled().is_none()
            && let Some(lease) = self.pool().try_checkout_untested()
        {
            self.connected(lease);
        }
        self.settled().is_some()
    }

    /// The driver's connection, for one operation; called after [`settle`](Self::settle). `depth` says
    /// how many levels of transaction are open, on it or on the one that was lost. Waits if a
    /// connection must be taken.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::PendingRollback`] if there is none, and a transaction was open on the last.
    #[inline]
    pub async fn operate(
        &mut self,
        depth: u32,
    ) -> Result<InUse<'_, K, Tokio>, ConnectionError<K::Error>> {
        if self.next(depth)? == Next::Checkout {
            self.checkout(self.pool().timeout()).await?;
        }
        Ok(self.start().expect("`next` says Use only if there is one"))
    }
}
