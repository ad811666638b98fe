use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use async_stream::stream;
use futures_core::stream::Stream;
use sqlx::{
    Error,
    postgres::{PgConnectOptions, PgNotification, PgPoolOptions},
};

use super::PgPool;
use crate::pool::CloseEvent;

type Inner = sqlx::postgres::PgListener;

/// Notifications of PostgreSQL's: SQLx's listener, to which this derefs.
///
/// It has a connection of its own, beside those of the pool it was made with, and reconnects by itself.
/// So a pool that is closed does not wait for it, and `max_connections` does not count it.
pub struct PgListener {
    inner: Inner,
    closed: Option<CloseEvent>,
}

impl PgListener {
    /// Opens a connection. Waits for it for at most 30 seconds.
    ///
    /// # Errors
    ///
    /// A URL that does not parse, and the driver's.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Ok(Self {
            inner: listener(url.parse()?).await?,
            closed: None,
        })
    }

    /// Opens a connection with the options of a pool. Waits for it for at most 30 seconds.
    ///
    /// # Errors
    ///
    /// [`Error::PoolClosed`], and the driver's.
    pub async fn connect_with(pool: &PgPool) -> Result<Self, Error> {
        let mut closed = pool.close_event();
        let options = (*pool.connect_options()).clone();
        let inner = closed.do_until(listener(options)).await??;
        Ok(Self {
            inner,
            closed: Some(closed),
        })
    }

    /// Whether it goes on listening when the pool is closed; no.
    pub fn ignore_pool_close_event(&mut self, ignored: bool) {
        self.inner.ignore_pool_close_event(ignored);
        if ignored {
            self.closed = None;
        }
    }

    /// The next notification. Waits for it; a connection that was lost is replaced meanwhile, and what
    /// was notified until then is missed.
    ///
    /// # Errors
    ///
    /// [`Error::PoolClosed`], and the driver's.
    pub async fn recv(&mut self) -> Result<PgNotification, Error> {
        loop {
            if let Some(notification) = self.try_recv().await? {
                return Ok(notification);
            }
        }
    }

    /// The next notification, or `None` if the connection was lost, and with it what was notified
    /// meanwhile. Waits for either.
    ///
    /// # Errors
    ///
    /// [`Error::PoolClosed`], and the driver's.
    pub async fn try_recv(&mut self) -> Result<Option<PgNotification>, Error> {
        let Self { inner, closed } = self;
        match closed {
            Some(closed) => closed.do_until(inner.try_recv()).await?,
            None => inner.try_recv().await,
        }
    }

    /// All notifications from now on.
    pub fn into_stream(mut self) -> impl Stream<Item = Result<PgNotification, Error>> + Unpin {
        Box::pin(stream! {
            loop {
                let notification = self.recv().await;
                let is_over = notification.is_err();
                yield notification;
                if is_over {
                    return;
                }
            }
        })
    }
}

/// A pool of SQLx's with one connection is what its listener reconnects by.
async fn listener(options: PgConnectOptions) -> Result<Inner, Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_with(options)
        .await?;
    Inner::connect_with(&pool).await
}

impl Deref for PgListener {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl DerefMut for PgListener {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl fmt::Debug for PgListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
