use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use everpool_core::{Capacity, Options, PoolClass};
use everpool_engine::{EngineOptions, Pools};
use futures_core::future::BoxFuture;
use log::LevelFilter;
use sqlx::Error;

use super::{Pool, PoolConnectionMetadata, slow::Levels, told::in_words_of_the_pool};
use crate::{
    callbacks::Callbacks,
    create::EngineError,
    driver::{ConnectOptionsOf, Driver},
    engine::Engine,
    manner::Manner,
};

/// What a pool is to be, in the words of SQLx's `PoolOptions` and with its defaults. Nothing waits here
/// but [`connect`](Self::connect) and [`connect_with`](Self::connect_with).
pub struct PoolOptions<DB: Driver> {
    max_connections: u32,
    min_connections: u32,
    levels: Levels,
    acquire_timeout: Duration,
    max_lifetime: Option<Duration>,
    idle_timeout: Option<Duration>,
    /// `None`: what has just been used is not tested.
    test_before_acquire: Option<bool>,
    callbacks: Callbacks<DB>,
}

/// What was used within this time is taken for alive, unless a test was asked for.
const JUST_USED: Duration = Duration::from_secs(1);

impl<DB: Driver> PoolOptions<DB> {
    /// All defaults.
    pub fn new() -> Self {
        Self {
            max_connections: 10,
            min_connections: 0,
            levels: Levels {
                time: LevelFilter::Off,
                slow: LevelFilter::Warn,
                threshold: Duration::from_secs(2),
            },
            acquire_timeout: Duration::from_secs(30),
            max_lifetime: Some(Duration::from_secs(30 * 60)),
            idle_timeout: Some(Duration::from_secs(10 * 60)),
            test_before_acquire: None,
            callbacks: Callbacks::default(),
        }
    }

    /// How many connections there may be at once; 10.
    #[must_use]
    pub fn max_connections(mut self, max: u32) -> Self {
        self.max_connections = max;
        self
    }

    /// How many connections there may be at once.
    pub fn get_max_connections(&self) -> u32 {
        self.max_connections
    }

    /// How many idle connections the pool tries to have, opening them ahead of demand; 0. SQLx counts
    /// those in use among them, so its pool has none to spare when they are needed.
    #[must_use]
    pub fn min_connections(mut self, min: u32) -> Self {
        self.min_connections = min;
        self
    }

    /// How many idle connections the pool tries to have.
    pub fn get_min_connections(&self) -> u32 {
        self.min_connections
    }

    /// At which level each wait for a connection is written; `Off`. Whoever finds one idle does not
    /// wait.
    #[must_use]
    pub fn acquire_time_level(mut self, level: LevelFilter) -> Self {
        self.levels.time = level;
        self
    }

    /// At which level a long wait for a connection is written; `Warn`.
    #[must_use]
    pub fn acquire_slow_level(mut self, level: LevelFilter) -> Self {
        self.levels.slow = level;
        self
    }

    /// Which wait is a long one; 2 seconds.
    #[must_use]
    pub fn acquire_slow_threshold(mut self, threshold: Duration) -> Self {
        self.levels.threshold = threshold;
        self
    }

    /// Which wait is a long one.
    pub fn get_acquire_slow_threshold(&self) -> Duration {
        self.levels.threshold
    }

    /// For how long [`Pool::acquire`] waits at most: in the queue, for a connect, for a test; 30
    /// seconds. For as long callers also wait for a server that accepts no connection; once that has
    /// lasted twice as long, they are told its error at once, until it accepts again.
    #[must_use]
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// For how long [`Pool::acquire`] waits at most.
    pub fn get_acquire_timeout(&self) -> Duration {
        self.acquire_timeout
    }

    /// For how long a connection may be open; 30 minutes. It is replaced up to a tenth earlier, so that
    /// those that were opened together are not replaced together. `None`: for ever, and so for a SQLite
    /// database in memory.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.max_lifetime = lifetime.into();
        self
    }

    /// For how long a connection may be open.
    pub fn get_max_lifetime(&self) -> Option<Duration> {
        self.max_lifetime
    }

    /// For how long a connection may rest; 10 minutes. `None`: for ever, and so for a SQLite database in
    /// memory.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// For how long a connection may rest.
    pub fn get_idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Whether a connection is asked for a sign of life before it is lent, which costs a round trip.
    /// Unless this is said, one that was in use within the last second is not.
    #[must_use]
    pub fn test_before_acquire(mut self, test: bool) -> Self {
        self.test_before_acquire = Some(test);
        self
    }

    /// Whether a connection may be asked for a sign of life before it is lent.
    pub fn get_test_before_acquire(&self) -> bool {
        self.test_before_acquire.unwrap_or(true)
    }

    /// Has something done with each connection that is opened, before anybody gets it. After an error,
    /// which is written, another is opened, in time and again, while callers wait.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")] {
    /// use everpool_sqlx::{Executor, postgres::PgPoolOptions};
    ///
    /// let options = PgPoolOptions::new().after_connect(|connection, _metadata| {
    ///     Box::pin(async move {
    ///         connection.execute("SET application_name = 'shop'").await?;
    ///         Ok(())
    ///     })
    /// });
    /// # drop(options);
    /// # }
    /// ```
    #[must_use]
    pub fn after_connect<F>(mut self, callback: F) -> Self
    where
        for<'c> F: Fn(&'c mut DB::Connection, PoolConnectionMetadata) -> BoxFuture<'c, Result<(), Error>>
            + 'static
            + Send
            + Sync,
    {
        self.callbacks.after_connect = Some(Arc::new(callback));
        self
    }

    /// Has each connection that was in use before looked at when it is to be lent again: whether it is
    /// fit. One that is not is closed, and another taken; after an error, which is written, too.
    #[must_use]
    pub fn before_acquire<F>(mut self, callback: F) -> Self
    where
        for<'c> F: Fn(&'c mut DB::Connection, PoolConnectionMetadata) -> BoxFuture<'c, Result<bool, Error>>
            + 'static
            + Send
            + Sync,
    {
        self.callbacks.before_acquire = Some(Arc::new(callback));
        self
    }

    /// Has something done with each connection that comes back, when nothing is open on it any more:
    /// whether the pool keeps it. After an error, which is written, it does not. In the background, for
    /// at most 5 seconds.
    #[must_use]
    pub fn after_release<F>(mut self, callback: F) -> Self
    where
        for<'c> F: Fn(&'c mut DB::Connection, PoolConnectionMetadata) -> BoxFuture<'c, Result<bool, Error>>
            + 'static
            + Send
            + Sync,
    {
        self.callbacks.after_release = Some(Arc::new(callback));
        self
    }

    /// A pool with a connection opened, and as many as `min_connections` says. Waits for at most
    /// `acquire_timeout`.
    ///
    /// # Errors
    ///
    /// A URL that does not parse, or that no connection was to be had.
    pub async fn connect(self, url: &str) -> Result<Pool<DB>, Error> {
        self.connect_with(parsed::<DB>(url)?).await
    }

    /// As [`connect`](Self::connect), with the driver's options.
    ///
    /// # Errors
    ///
    /// No connection was to be had.
    pub async fn connect_with(self, options: ConnectOptionsOf<DB>) -> Result<Pool<DB>, Error> {
        let pool = self.pool(options)?;
        drop(pool.acquire().await?);
        let timeout = pool.options().acquire_timeout;
        // If they are not there in time, the pool goes on opening them: one was.
        let _in_time = pool.engine().pool().wait_for_min_idle(timeout).await;
        Ok(pool)
    }

    /// A pool, at once: the first use opens a connection; `min_connections` of them are opened in the
    /// background, if this is called in a runtime.
    ///
    /// # Errors
    ///
    /// A URL that does not parse; a `max_connections` of 0.
    pub fn connect_lazy(self, url: &str) -> Result<Pool<DB>, Error> {
        self.pool(parsed::<DB>(url)?)
    }

    /// As [`connect_lazy`](Self::connect_lazy), with the driver's options.
    ///
    /// # Panics
    ///
    /// If `max_connections` is 0.
    pub fn connect_lazy_with(self, options: ConnectOptionsOf<DB>) -> Pool<DB> {
        match self.pool(options) {
            Ok(pool) => pool,
            Err(error) => panic!("{error}"),
        }
    }

    fn pool(self, options: ConnectOptionsOf<DB>) -> Result<Pool<DB>, Error> {
        let is_memory = DB::is_memory(&options);
        let said =
            EngineOptions::default().with_pool(self.in_core_words(is_memory), self.acquire_timeout);
        let manner = Manner {
            tells: in_words_of_the_pool,
            callbacks: self.callbacks.clone(),
        };
        let engine = Engine::new(None, &options, &Pools::one(said), manner).map_err(unfit)?;
        self.levels.install(engine.pool());
        Ok(Pool::new(engine, Arc::new(self)))
    }

    /// The same in the words of everpool. A database in memory is lost with its connections, so none is
    /// closed for its age.
    fn in_core_words(&self, is_memory: bool) -> Options {
        const SHORTEST: Duration = Duration::from_nanos(1);
        let retired = |limit: Option<Duration>| limit.filter(|_| !is_memory);
        let mut options = Options::default();
        options.class = PoolClass::QueuePool;
        options.capacity = Capacity::Bounded {
            size: self.max_connections,
            overflow: 0,
        };
        options.min_idle = self.min_connections.min(self.max_connections);
        options.pre_ping = self.get_test_before_acquire();
        options.ping_after_idle = self.test_before_acquire.is_none().then_some(JUST_USED);
        options.recycle = retired(self.max_lifetime);
        options.max_idle_time = retired(self.idle_timeout).map(|rest| rest.max(SHORTEST));
        options.renew_at_rest = true;
        // Whoever met the beginning of an outage has timed out by then, as with SQLx.
        options.outage_grace = self.acquire_timeout.saturating_mul(2);
        options.connect_timeout = options.connect_timeout.max(self.acquire_timeout);
        options
    }
}

/// What SQLx makes of a URL.
fn parsed<DB: Driver>(url: &str) -> Result<ConnectOptionsOf<DB>, Error> {
    ConnectOptionsOf::<DB>::from_str(url)
}

fn unfit(error: EngineError) -> Error {
    Error::Configuration(Box::new(error))
}

impl<DB: Driver> Default for PoolOptions<DB> {
    fn default() -> Self {
        Self::new()
    }
}

impl<DB: Driver> Clone for PoolOptions<DB> {
    fn clone(&self) -> Self {
        Self {
            callbacks: self.callbacks.clone(),
            ..*self
        }
    }
}

impl<DB: Driver> fmt::Debug for PoolOptions<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolOptions")
            .field("max_connections", &self.max_connections)
            .field("min_connections", &self.min_connections)
            .field("connect_timeout", &self.acquire_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("idle_timeout", &self.idle_timeout)
            .field("test_before_acquire", &self.get_test_before_acquire())
            .finish()
    }
}
