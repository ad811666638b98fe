use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use everpool_core::{
    CheckoutError,
    blocking::{self, Lease},
};

use crate::{
    Builder, Error, ManageConnection, PooledConnection, State,
    config::Config,
    connector::Connector,
    event::{CheckoutEvent, TimeoutEvent},
};

/// For how long the end of a pool waits for its connections to be closed.
const FAREWELL: Duration = Duration::from_secs(5);

/// A pool of connections, for threads. Cloning gives another handle to the same pool.
pub struct Pool<M: ManageConnection>(Arc<Owner<M>>);

/// Ends the pool when the last handle and the last connection are gone.
struct Owner<M: ManageConnection>(blocking::Pool<Connector<M>>);

impl<M: ManageConnection> Pool<M> {
    /// A pool with all defaults. Blocks as [`Builder::build`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Builder::build`].
    pub fn new(manager: M) -> Result<Self, Error> {
        Self::builder().build(manager)
    }

    /// A builder with all defaults.
    pub fn builder() -> Builder<M> {
        Builder::new()
    }

    pub(crate) fn of(connector: Connector<M>) -> Self {
        let (options, timeout) = (
            connector.config.options(),
            connector.config.connection_timeout,
        );
        let pool = blocking::Pool::new(connector, options);
        let pool = pool.expect("the builder asserts what options are checked for");
        Self(Arc::new(Owner(pool.with_timeout(timeout))))
    }

    pub(crate) fn wait_for_initialization(&self) -> Result<(), Error> {
        let pool = self.everpool();
        match pool.wait_for_min_idle(pool.timeout()) {
            true => Ok(()),
            false => Err(Error::unfilled(pool.connector().last_failure())),
        }
    }

    /// Takes a connection; blocks until there is one, for at most `connection_timeout`.
    ///
    /// # Errors
    ///
    /// There was none in time.
    #[track_caller]
    pub fn get(&self) -> Result<PooledConnection<M>, Error> {
        self.get_timeout(self.connection_timeout())
    }

    /// Takes a connection; blocks until there is one, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// There was none in time.
    #[track_caller]
    pub fn get_timeout(&self, timeout: Duration) -> Result<PooledConnection<M>, Error> {
        let began = self.config().is_watched.then(Instant::now);
        // Without a test, or time for one by others, the caller needs nobody.
        let needs_nobody = timeout.is_zero() || !self.test_on_check_out();
        let at_once = if needs_nobody { self.tested() } else { None };
        let lease = match at_once {
            Some(lease) => Ok(lease),
            None => self.everpool().checkout_timeout(timeout),
        };
        let connection = match lease {
            Ok(lease) => PooledConnection::new(self, lease),
            Err(refusal) => return Err(self.refused(refusal, timeout)),
        };
        if let Some(began) = began {
            self.config().event_handler.handle_checkout(CheckoutEvent {
                id: connection.id(),
                duration: began.elapsed(),
            });
        }
        Ok(connection)
    }

    fn refused(&self, refusal: CheckoutError<crate::Failure>, timeout: Duration) -> Error {
        if matches!(refusal, CheckoutError::TimedOut(_)) {
            let timed_out = TimeoutEvent { timeout };
            self.config().event_handler.handle_timeout(timed_out);
        }
        Error::checkout(refusal)
    }

    /// Takes a connection if one is idle. Opens none, and blocks for nothing but the test
    /// (`test_on_check_out`), which the calling thread makes.
    #[track_caller]
    pub fn try_get(&self) -> Option<PooledConnection<M>> {
        let lease = self.tested()?;
        Some(PooledConnection::new(self, lease))
    }

    /// The first idle connection that passes the test.
    #[track_caller]
    fn tested(&self) -> Option<Lease<Connector<M>>> {
        let (pool, connector) = (self.everpool(), self.everpool().connector());
        loop {
            let mut lease = pool.try_checkout_untested()?;
            if !self.test_on_check_out() {
                return Some(lease);
            }
            // Until the manager has answered, in case it panics.
            lease.is_lost = true;
            match connector.test(&mut lease) {
                Ok(()) => {
                    lease.is_lost = false;
                    return Some(lease);
                }
                Err(failure) => {
                    connector.release(&mut lease);
                    lease.invalidate(failure.fault);
                }
            }
        }
    }

    /// How many connections there are. Does not block.
    pub fn state(&self) -> State {
        self.everpool().status().into()
    }

    /// How many connections there may be.
    pub fn max_size(&self) -> u32 {
        self.config().max_size
    }

    /// How many idle connections the pool tries to have; `None` is as many as there may be.
    pub fn min_idle(&self) -> Option<u32> {
        self.config().min_idle
    }

    /// Whether connections are tested before they are lent.
    pub fn test_on_check_out(&self) -> bool {
        self.config().test_on_check_out
    }

    /// For how long a connection may be open.
    pub fn max_lifetime(&self) -> Option<Duration> {
        self.config().max_lifetime
    }

    /// For how long a connection may be idle.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.config().idle_timeout
    }

    /// For how long [`get`](Self::get) waits.
    pub fn connection_timeout(&self) -> Duration {
        self.config().connection_timeout
    }

    /// The pool beneath (r2d2 has nothing like this), with all that it can do: `recreate`, `resize`,
    /// `suspend`, `close`, `holders`, `snapshot`. It is closed with the last [`Pool`].
    pub fn everpool(&self) -> &blocking::Pool<Connector<M>> {
        &self.0.0
    }

    pub(crate) fn config(&self) -> &Config<M::Connection, M::Error> {
        &self.everpool().connector().config
    }
}

/// What is idle is closed before this returns, so that a database can be dropped after its pool; but
/// nobody waits for a connect under way.
impl<M: ManageConnection> Drop for Owner<M> {
    fn drop(&mut self) {
        let Self(pool) = self;
        pool.connector().ends();
        let is_quiet = pool.status().connecting == 0;
        let _too_late_for_a_report = pool.close(if is_quiet { FAREWELL } else { Duration::ZERO });
    }
}

impl<M: ManageConnection> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: ManageConnection + fmt::Debug> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("state", &self.state())
            .field("config", &self.config())
            .field("manager", self.everpool().connector().manager())
            .finish()
    }
}
