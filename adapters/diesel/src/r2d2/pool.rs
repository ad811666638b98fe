use std::{fmt, time::Duration};

use everpool_core::blocking;

use super::{Builder, ManageConnection, PoolError, PooledConnection, State, watched::Watched};

type Inner<M> = everpool_r2d2::Pool<Watched<M>>;

/// A pool of connections, for threads. Cloning gives another handle to the same pool.
pub struct Pool<M: ManageConnection>(Inner<M>);

impl<M: ManageConnection> Pool<M> {
    /// A pool with all defaults. Blocks as [`Builder::build`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::build`].
    pub fn new(manager: M) -> Result<Self, PoolError> {
        Self::builder().build(manager)
    }

    /// A builder with all defaults.
    pub fn builder() -> Builder<M> {
        Builder::new()
    }

    pub(super) fn of(pool: Inner<M>) -> Self {
        Self(pool)
    }

    /// Takes a connection; blocks until there is one, for at most `connection_timeout`.
    ///
    /// # Errors
    ///
    /// There was none in time.
    #[track_caller]
    pub fn get(&self) -> Result<PooledConnection<M>, PoolError> {
        self.0.get().map(PooledConnection::of)
    }

    /// Takes a connection; blocks until there is one, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// There was none in time.
    #[track_caller]
    pub fn get_timeout(&self, timeout: Duration) -> Result<PooledConnection<M>, PoolError> {
        self.0.get_timeout(timeout).map(PooledConnection::of)
    }

    /// Takes a connection if one is idle. Opens none, and blocks for nothing but the test
    /// (`test_on_check_out`), which the calling thread makes.
    #[track_caller]
    pub fn try_get(&self) -> Option<PooledConnection<M>> {
        self.0.try_get().map(PooledConnection::of)
    }

    /// How many connections there are. Does not block.
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// How many connections there may be.
    pub fn max_size(&self) -> u32 {
        self.0.max_size()
    }

    /// How many idle connections the pool tries to have; `None` is as many as there may be.
    pub fn min_idle(&self) -> Option<u32> {
        self.0.min_idle()
    }

    /// Whether connections are tested before they are lent.
    pub fn test_on_check_out(&self) -> bool {
        self.0.test_on_check_out()
    }

    /// For how long a connection may be open.
    pub fn max_lifetime(&self) -> Option<Duration> {
        self.0.max_lifetime()
    }

    /// For how long a connection may be idle.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.0.idle_timeout()
    }

    /// For how long [`get`](Self::get) waits.
    pub fn connection_timeout(&self) -> Duration {
        self.0.connection_timeout()
    }

    /// The pool beneath (r2d2 has nothing like this), with all that it can do: `recreate`, `resize`,
    /// `suspend`, `close`, `holders`, `snapshot`. It is closed with the last [`Pool`].
    pub fn everpool(&self) -> &blocking::Pool<everpool_r2d2::Connector<Watched<M>>> {
        self.0.everpool()
    }
}

impl<M: ManageConnection> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: ManageConnection + fmt::Debug> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
