//! The pool for threads.

use std::{fmt, ops::Deref, panic::Location, sync::Arc, time::Duration};

use crate::{
    checkout::{Admission, Request},
    connector::Connector,
    crew::Threads,
    error::CheckoutError,
    future,
    handle::{Closed, Handle},
    machine::{Borrower, Options, OptionsError},
    mark::thread_mark,
    park::{block_on, block_until},
    runtime::Runtime,
    shared::{PoolMachine, Shared},
    sync::Guard,
    way::Way,
};

pub use crate::lease::Lease;

/// A pool of connections for threads. Cloning gives another handle to the same pool; when the last
/// handle and the last lease are gone, the idle connections are closed.
pub struct Pool<K: Connector, R: Runtime = Threads>(Handle<K, R>);

impl<K: Connector> Pool<K> {
    /// An empty pool, for a driver that blocks. Does not block: nothing is opened before the first
    /// checkout, unless `min_idle` says so.
    ///
    /// # Errors
    ///
    /// An option that is out of its range.
    pub fn new(connector: K, options: Options) -> Result<Self, OptionsError> {
        Self::in_runtime(connector, options, Threads::default())
    }
}

impl<K: Connector, R: Runtime> Pool<K, R> {
    /// As [`new`](Pool::new), for a driver that needs a runtime. A thread that takes or returns a
    /// connection blocks, so it must not be one that the runtime needs to go on.
    ///
    /// # Errors
    ///
    /// An option that is out of its range.
    pub fn in_runtime(connector: K, options: Options, runtime: R) -> Result<Self, OptionsError> {
        Handle::new(connector, options, runtime).map(Self)
    }

    /// This handle with another deadline for [`checkout`](Self::checkout), `pool_timeout`. It is 30
    /// seconds at first.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(Handle { timeout, ..self.0 })
    }

    /// A handle to the same pool, for tasks.
    ///
    /// # Errors
    ///
    /// A `SingletonThreadPool` has nothing for tasks.
    pub fn for_tasks(&self) -> Result<future::Pool<K, R>, OptionsError> {
        future::Pool::of(self.0.clone())
    }

    pub(crate) fn of(handle: Handle<K, R>) -> Self {
        Self(handle)
    }

    /// Takes a connection; blocks until there is one, for at most the pool's timeout.
    ///
    /// # Errors
    ///
    /// See [`checkout_timeout`](Self::checkout_timeout).
    #[inline]
    #[track_caller]
    pub fn checkout(&self) -> Result<Lease<K, R>, CheckoutError<K::Error>> {
        self.checkout_timeout(self.0.timeout)
    }

    /// Takes a connection; blocks until there is one, for at most `timeout`. That covers all of it:
    /// the queue, opening a connection, the ping, and the hooks, except that a hook that blocks runs
    /// to its end.
    ///
    /// # Errors
    ///
    /// - [`TimedOut`](CheckoutError::TimedOut) says what was waited for, and who has the connections.
    /// - [`Connect`](CheckoutError::Connect), at once, if waiting would not help.
    /// - [`Outage`](CheckoutError::Outage), at once, if the server has been away for longer than the
    ///   pool's `outage_grace`.
    /// - [`Ping`](CheckoutError::Ping) if the ping failed and the connection is not lost.
    /// - [`Hook`](CheckoutError::Hook) or [`Rejected`](CheckoutError::Rejected) if a hook refused it.
    /// - [`QueueFull`](CheckoutError::QueueFull), [`InUse`](CheckoutError::InUse) or
    ///   [`Closed`](CheckoutError::Closed), at once, as the pool's options and state say.
    #[inline]
    #[track_caller]
    pub fn checkout_timeout(
        &self,
        timeout: Duration,
    ) -> Result<Lease<K, R>, CheckoutError<K::Error>> {
        self.checkout_from(Location::caller(), timeout)
    }

    /// As [`checkout_timeout`](Self::checkout_timeout), in the name of another place in the code: that is
    /// where errors and reports say that the connection was taken.
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn checkout_from(
        &self,
        place: &'static Location<'static>,
        timeout: Duration,
    ) -> Result<Lease<K, R>, CheckoutError<K::Error>> {
        let borrower = Borrower {
            place,
            owner: thread_mark(),
        };
        let pool = self.0.shared.live();
        let Some(mut machine) = pool.try_lock() else {
            return lend_contended(&self.0, pool, borrower, timeout);
        };
        match pool.lend_plainly(&mut machine, borrower, true) {
            Some(lease) => Ok(lease),
            None => lend_otherwise(&self.0, pool, machine, borrower, timeout),
        }
    }

    /// Takes a connection if one is idle that needs neither a ping nor a wait, and no hook of
    /// `checkout` is to be asked. Does not block.
    #[track_caller]
    pub fn try_checkout(&self) -> Option<Lease<K, R>> {
        let borrower = Borrower {
            place: Location::caller(),
            owner: thread_mark(),
        };
        let pool = self.0.mine();
        try_checkout(&pool, borrower, true)
    }

    /// Closes the pool: nothing is lent any more, who waits is told so, and idle connections are
    /// closed. Blocks until all others have come back, for at most `grace`; those that come later
    /// are closed then.
    pub fn close(&self, grace: Duration) -> Closed {
        self.0.shut_down();
        let pool = self.0.shared.live();
        let drained = pool.bounded(grace, self.0.drained());
        let _in_time = block_on(drained);
        self.0.closed()
    }
}

#[cold]
#[inline(never)]
fn lend_contended<K: Connector, R: Runtime>(
    handle: &Handle<K, R>,
    pool: &Arc<Shared<K, R>>,
    borrower: Borrower,
    timeout: Duration,
) -> Result<Lease<K, R>, CheckoutError<K::Error>> {
    if pool.nests.signpost().shows(Way::Queue) {
        return wait(handle, borrower, timeout);
    }
    if let Some(lease) = pool.lend_from_nest(borrower, true) {
        return Ok(lease);
    }
    let mut machine = pool.contended();
    match pool.lend_plainly(&mut machine, borrower, true) {
        Some(lease) => Ok(lease),
        None => lend_otherwise(handle, pool, machine, borrower, timeout),
    }
}

#[inline(never)]
fn lend_otherwise<K: Connector, R: Runtime>(
    handle: &Handle<K, R>,
    pool: &Arc<Shared<K, R>>,
    machine: Guard<'_, PoolMachine<K, R>>,
    borrower: Borrower,
    timeout: Duration,
) -> Result<Lease<K, R>, CheckoutError<K::Error>> {
    match pool.lend_by_age(machine, borrower, true) {
        Some(lease) => Ok(lease),
        None => wait(handle, borrower, timeout),
    }
}

#[cold]
#[inline(never)]
fn wait<K: Connector, R: Runtime>(
    handle: &Handle<K, R>,
    borrower: Borrower,
    timeout: Duration,
) -> Result<Lease<K, R>, CheckoutError<K::Error>> {
    let request = Request::new(borrower, timeout);
    let deadline = request.deadline();
    // The pool of all threads has nothing at rest if each has its own.
    let pool = &handle.mine();
    let admission = Admission::new(pool, request);
    let entry = block_until(admission, deadline, || pool.tick())?;
    Ok(Lease::new(pool, entry, true))
}

/// What is idle, unless a hook is to be asked first.
pub(crate) fn try_checkout<K: Connector, R: Runtime>(
    pool: &Arc<Shared<K, R>>,
    borrower: Borrower,
    waits: bool,
) -> Option<Lease<K, R>> {
    if !pool.needs_no_hook() {
        return None;
    }
    let entry = pool.report(|machine, now| machine.try_checkout(borrower, now))?;
    Some(Lease::new(pool, entry, waits))
}

impl<K: Connector, R: Runtime> Clone for Pool<K, R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Connector, R: Runtime> Deref for Pool<K, R> {
    type Target = Handle<K, R>;

    fn deref(&self) -> &Handle<K, R> {
        &self.0
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Pool<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
