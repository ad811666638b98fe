//! What the program does with each connection of a pool, as SQLx's `PoolOptions` have it.

use std::{fmt, sync::Arc, time::Duration};

use everpool_core::HookError;
use futures_core::future::BoxFuture;
use sqlx::{Database, Error};

use crate::{connector::DriverError, driver::Driver, wire::Wire};

/// What a callback is told of its connection.
#[derive(Debug)]
#[non_exhaustive]
pub struct PoolConnectionMetadata {
    /// How long ago the connection was opened.
    pub age: Duration,
    /// How long it has rested in the pool; zero for `after_connect` and `after_release`.
    pub idle_for: Duration,
}

type Called<DB, T> = dyn for<'c> Fn(
        &'c mut <DB as Database>::Connection,
        PoolConnectionMetadata,
    ) -> BoxFuture<'c, Result<T, Error>>
    + Send
    + Sync;
type Callback<DB, T> = Option<Arc<Called<DB, T>>>;

/// What is called at the borders of a connection's life, and of each use.
pub(crate) struct Callbacks<DB: Driver> {
    pub(crate) after_connect: Callback<DB, ()>,
    pub(crate) before_acquire: Callback<DB, bool>,
    pub(crate) after_release: Callback<DB, bool>,
}

impl<DB: Driver> Callbacks<DB> {
    /// Whether anything is to be done when a connection returns.
    pub(crate) fn hear_returns(&self) -> bool {
        self.before_acquire.is_some() || self.after_release.is_some()
    }

    /// A connection was opened.
    pub(crate) async fn connected(&self, wire: &mut Wire<DB>) -> Result<(), DriverError> {
        let Some(callback) = &self.after_connect else {
            return Ok(());
        };
        let metadata = PoolConnectionMetadata {
            age: wire.age(),
            idle_for: Duration::ZERO,
        };
        let answer = callback(wire.own(), metadata).await;
        answer.map_err(|error| {
            tracing::error!(target: "everpool::pool", %error, "error returned from after_connect");
            DriverError::AfterConnect(error)
        })
    }

    /// A connection that rested in the pool is to be lent: whether it is fit. If this is dropped in the
    /// middle, or fails, the connection counts as cut.
    pub(crate) async fn is_fit(&self, wire: &mut Wire<DB>) -> bool {
        let (Some(callback), Some(idle_for)) = (&self.before_acquire, wire.rested_for()) else {
            return true;
        };
        let age = wire.age();
        wire.flags_mut().asks();
        match callback(wire.own(), PoolConnectionMetadata { age, idle_for }).await {
            Ok(is_fit) => {
                wire.flags_mut().succeeded();
                is_fit
            }
            Err(error) => {
                tracing::warn!(target: "everpool::pool", %error, "error from `before_acquire`");
                false
            }
        }
    }

    /// A connection came back, and nothing is open on it.
    pub(crate) async fn released(&self, wire: &mut Wire<DB>) -> Result<(), HookError> {
        let metadata = PoolConnectionMetadata {
            age: wire.age(),
            idle_for: Duration::ZERO,
        };
        if let Some(callback) = &self.after_release
            && !callback(wire.own(), metadata).await?
        {
            return Err(HookError::Disconnection(REFUSED.into()));
        }
        wire.rests();
        Ok(())
    }
}

const REFUSED: &str = "`after_release` does not want it back";

impl<DB: Driver> Default for Callbacks<DB> {
    fn default() -> Self {
        Self {
            after_connect: None,
            before_acquire: None,
            after_release: None,
        }
    }
}

impl<DB: Driver> Clone for Callbacks<DB> {
    fn clone(&self) -> Self {
        Self {
            after_connect: self.after_connect.clone(),
            before_acquire: self.before_acquire.clone(),
            after_release: self.after_release.clone(),
        }
    }
}

impl<DB: Driver> fmt::Debug for Callbacks<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks").finish_non_exhaustive()
    }
}
