use std::{fmt, sync::Arc, time::Duration};

use everpool_core::Fault;
use scheduled_thread_pool::ScheduledThreadPool;

use crate::{
    CustomizeConnection, Error, HandleError, HandleEvent, ManageConnection, Pool, config::Config,
    connector::Connector,
};

/// What a pool is to be. Nothing here blocks but [`build`](Self::build).
pub struct Builder<M: ManageConnection>(Config<M::Connection, M::Error>);

impl<M: ManageConnection> Default for Builder<M> {
    fn default() -> Self {
        Self(Config::default())
    }
}

impl<M: ManageConnection> Builder<M> {
    /// A builder with all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, change: impl FnOnce(&mut Config<M::Connection, M::Error>)) -> Self {
        change(&mut self.0);
        self
    }

    /// How many connections there may be at once; 10.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn max_size(self, max_size: u32) -> Self {
        assert!(max_size > 0, "max_size must be positive");
        self.with(|config| config.max_size = max_size)
    }

    /// How many idle connections the pool tries to have, opening them ahead of demand. `None`, the
    /// default: `max_size`, so all are opened at once and kept.
    #[must_use]
    pub fn min_idle(self, min_idle: Option<u32>) -> Self {
        self.with(|config| config.min_idle = min_idle)
    }

    /// Does nothing, and is here for programs written for r2d2. Connections are opened, tested and
    /// closed by threads that the pool starts when it needs them and that leave after ten idle
    /// seconds, so that one that hangs does not keep the others waiting.
    #[must_use]
    pub fn thread_pool(self, thread_pool: Arc<ScheduledThreadPool>) -> Self {
        drop(thread_pool);
        self
    }

    /// Whether a connection is tested by [`ManageConnection::is_valid`] before it is lent; yes. One
    /// that was just opened for the caller is not.
    #[must_use]
    pub fn test_on_check_out(self, test_on_check_out: bool) -> Self {
        self.with(|config| config.test_on_check_out = test_on_check_out)
    }

    /// For how long a connection may be open; 30 minutes. It is replaced up to a tenth earlier, or
    /// when it comes back. `None`: for ever.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn max_lifetime(self, max_lifetime: Option<Duration>) -> Self {
        let is_zero = max_lifetime == Some(Duration::ZERO);
        assert!(!is_zero, "max_lifetime must be positive");
        self.with(|config| config.max_lifetime = max_lifetime)
    }

    /// For how long a connection may be idle; 10 minutes. Then it is closed, and another opened if
    /// `min_idle` wants it. `None`: for ever.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: Option<Duration>) -> Self {
        let is_zero = idle_timeout == Some(Duration::ZERO);
        assert!(!is_zero, "idle_timeout must be positive");
        self.with(|config| config.idle_timeout = idle_timeout)
    }

    /// For how long [`Pool::get`] waits, and [`build`](Self::build); 30 seconds.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn connection_timeout(self, connection_timeout: Duration) -> Self {
        let is_zero = connection_timeout.is_zero();
        assert!(!is_zero, "connection_timeout must be positive");
        self.with(|config| config.connection_timeout = connection_timeout)
    }

    /// Who is told the errors of connects, customizers and tests, in the thread that met them;
    /// [`LoggingErrorHandler`](crate::LoggingErrorHandler).
    #[must_use]
    pub fn error_handler(self, error_handler: Box<dyn HandleError<M::Error>>) -> Self {
        self.with(|config| config.error_handler = error_handler)
    }

    /// Who is told what happens in the pool; [`NopEventHandler`](crate::NopEventHandler).
    #[must_use]
    pub fn event_handler(self, event_handler: Box<dyn HandleEvent>) -> Self {
        self.with(|config| (config.event_handler, config.is_watched) = (event_handler, true))
    }

    /// Who prepares new connections and takes those that leave the pool;
    /// [`NopConnectionCustomizer`](crate::NopConnectionCustomizer).
    #[must_use]
    pub fn connection_customizer(
        self,
        connection_customizer: Box<dyn CustomizeConnection<M::Connection, M::Error>>,
    ) -> Self {
        self.with(|config| config.connection_customizer = connection_customizer)
    }

    /// Whose fault a failed test is (r2d2 has nothing like this): the connection's, which is the
    /// default, or the server's. Then all connections of its generation are replaced at once, instead
    /// of one by one as each fails its test. Must not block.
    #[must_use]
    pub fn fault_of<F>(self, fault_of: F) -> Self
    where
        F: Fn(&M::Error, &mut M::Connection) -> Fault + Send + Sync + 'static,
    {
        self.with(|config| config.fault_of = Box::new(fault_of))
    }

    /// A pool, once `min_idle` connections are open. Blocks for at most `connection_timeout`.
    ///
    /// # Errors
    ///
    /// They were not in time; the last error of the manager says why.
    ///
    /// # Panics
    ///
    /// If `min_idle` is more than `max_size`.
    pub fn build(self, manager: M) -> Result<Pool<M>, Error> {
        let pool = self.build_unchecked(manager);
        pool.wait_for_initialization()?;
        Ok(pool)
    }

    /// A pool, at once; it opens `min_idle` connections in the background.
    ///
    /// # Panics
    ///
    /// If `min_idle` is more than `max_size`.
    pub fn build_unchecked(self, manager: M) -> Pool<M> {
        let Self(config) = self;
        let min_idle = config.min_idle.unwrap_or_default();
        let is_enough = config.max_size >= min_idle;
        assert!(is_enough, "min_idle must be no larger than max_size");
        Pool::of(Connector::with_config(manager, config))
    }
}

impl<M: ManageConnection> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.debug("Builder", f)
    }
}
