use std::{fmt, sync::Arc, time::Duration};

use scheduled_thread_pool::ScheduledThreadPool;

use super::{
    CustomizeConnection, HandleError, HandleEvent, ManageConnection, Pool, PoolError, known,
    watched::Watched,
};

type Inner<M> = everpool_r2d2::Builder<Watched<M>>;

/// What a pool is to be. Nothing here blocks but [`build`](Self::build).
pub struct Builder<M: ManageConnection>(Inner<M>);

impl<M: ManageConnection> Default for Builder<M> {
    fn default() -> Self {
        Self(Inner::default())
    }
}

impl<M: ManageConnection> Builder<M> {
    /// A builder with all defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many connections there may be at once; 10.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn max_size(self, max_size: u32) -> Self {
        Self(self.0.max_size(max_size))
    }

    /// How many idle connections the pool tries to have, opening them ahead of demand. `None`, the
    /// default: `max_size`, so all are opened at once and kept.
    #[must_use]
    pub fn min_idle(self, min_idle: Option<u32>) -> Self {
        Self(self.0.min_idle(min_idle))
    }

    /// Does nothing: the pool starts threads of its own when it needs them. See
    /// [`everpool_r2d2::Builder::thread_pool`].
    #[must_use]
    pub fn thread_pool(self, thread_pool: Arc<ScheduledThreadPool>) -> Self {
        Self(self.0.thread_pool(thread_pool))
    }

    /// Whether a connection is tested before it is lent, by a round trip; yes. One that was just
    /// opened for the caller is not.
    #[must_use]
    pub fn test_on_check_out(self, test_on_check_out: bool) -> Self {
        Self(self.0.test_on_check_out(test_on_check_out))
    }

    /// For how long a connection may be open; 30 minutes. It is replaced up to a tenth earlier, or
    /// when it comes back. `None`: for ever.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn max_lifetime(self, max_lifetime: Option<Duration>) -> Self {
        Self(self.0.max_lifetime(max_lifetime))
    }

    /// For how long a connection may be idle; 10 minutes. Then it is closed, and another opened if
    /// `min_idle` wants it. `None`: for ever.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: Option<Duration>) -> Self {
        Self(self.0.idle_timeout(idle_timeout))
    }

    /// For how long [`Pool::get`] waits, and [`build`](Self::build); 30 seconds.
    ///
    /// # Panics
    ///
    /// If it is zero.
    #[must_use]
    pub fn connection_timeout(self, connection_timeout: Duration) -> Self {
        Self(self.0.connection_timeout(connection_timeout))
    }

    /// Who is told the errors of connects, customizers and pings, in the thread that met them;
    /// [`LoggingErrorHandler`](super::LoggingErrorHandler).
    #[must_use]
    pub fn error_handler(self, error_handler: Box<dyn HandleError<M::Error>>) -> Self {
        Self(self.0.error_handler(error_handler))
    }

    /// Who is told what happens in the pool; [`NopEventHandler`](super::NopEventHandler).
    #[must_use]
    pub fn event_handler(self, event_handler: Box<dyn HandleEvent>) -> Self {
        Self(self.0.event_handler(event_handler))
    }

    /// Who prepares new connections and takes those that leave the pool;
    /// [`NopConnectionCustomizer`](super::NopConnectionCustomizer).
    #[must_use]
    pub fn connection_customizer(
        self,
        connection_customizer: Box<dyn CustomizeConnection<M::Connection, M::Error>>,
    ) -> Self {
        Self(self.0.connection_customizer(connection_customizer))
    }

    fn watching(self) -> Inner<M> {
        self.0.fault_of(|_, connection| known::report(connection))
    }

    /// A pool, once `min_idle` connections are open. Blocks for at most `connection_timeout`.
    ///
    /// # Errors
    ///
    /// They were not in time; the driver's last error says why.
    ///
    /// # Panics
    ///
    /// If `min_idle` is more than `max_size`.
    pub fn build(self, manager: M) -> Result<Pool<M>, PoolError> {
        let pool = self.watching().build(Watched(manager))?;
        Ok(Pool::of(pool))
    }

    /// A pool, at once; it opens `min_idle` connections in the background.
    ///
    /// # Panics
    ///
    /// If `min_idle` is more than `max_size`.
    pub fn build_unchecked(self, manager: M) -> Pool<M> {
        let pool = self.watching().build_unchecked(Watched(manager));
        Pool::of(pool)
    }
}

impl<M: ManageConnection> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
