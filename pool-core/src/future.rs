//! The pool for tasks.

use std::{
    fmt,
    future::Future,
    ops::Deref,
    panic::Location,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use crate::{
    blocking::{self, try_checkout},
    checkout::{Admission, Request},
    connector::Connector,
    error::CheckoutError,
    handle::{Closed, Handle},
    machine::{Borrower, Options, OptionsError, PoolClass},
    runtime::Runtime,
    shared::{PoolMachine, Shared},
    sync::Guard,
    way::Way,
};

pub use crate::lease::Lease;

#[cfg(feature = "tokio")]
type DefaultRuntime = crate::tokio::Tokio;
#[cfg(not(feature = "tokio"))]
type DefaultRuntime = crate::crew::Threads;

/// A pool of connections for tasks. Cloning gives another handle to the same pool; when the last
/// handle and the last lease are gone, the idle connections are closed.
///
/// With the feature `tokio`, connections are opened in the runtime that the caller is in.
pub struct Pool<K: Connector, R: Runtime = DefaultRuntime>(Handle<K, R>);

impl<K: Connector> Pool<K> {
    /// An empty pool. Nothing is opened before the first checkout, unless `min_idle` says so and
    /// this is called in a runtime.
    ///
    /// # Errors
    ///
    /// An option that is out of its range, or a `SingletonThreadPool`: tasks move between threads.
    pub fn new(connector: K, options: Options) -> Result<Self, OptionsError> {
        Self::in_runtime(connector, options, DefaultRuntime::default())
    }
}

impl<K: Connector, R: Runtime> Pool<K, R> {
    /// As [`new`](Pool::new), in another runtime; [`Threads`](crate::Threads) if the driver blocks.
    ///
    /// # Errors
    ///
    /// As `new`.
    pub fn in_runtime(connector: K, options: Options, runtime: R) -> Result<Self, OptionsError> {
        Handle::new(connector, options, runtime).and_then(Self::of)
    }

    pub(crate) fn of(handle: Handle<K, R>) -> Result<Self, OptionsError> {
        match handle.family {
            Some(_) => Err(OptionsError::not_for_tasks(PoolClass::SingletonThreadPool)),
            None => Ok(Self(handle)),
        }
    }

    /// This handle with another deadline for [`checkout`](Self::checkout), `pool_timeout`. It is 30
    /// seconds at first.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(Handle { timeout, ..self.0 })
    }

    /// A handle to the same pool, for threads.
    pub fn for_threads(&self) -> blocking::Pool<K, R> {
        blocking::Pool::of(self.0.clone())
    }

    /// Takes a connection; waits until there is one, for at most the pool's timeout. Dropped, it
    /// costs nothing but its place in the queue.
    ///
    /// # Errors
    ///
    /// Those of [`blocking::Pool::checkout_timeout`].
    #[inline]
    #[track_caller]
    pub fn checkout(&self) -> Checkout<'_, K, R> {
        self.checkout_timeout(self.0.timeout)
    }

    /// Takes a connection; waits until there is one, for at most `timeout`. That covers all of it:
    /// the queue, opening a connection, the ping, the hooks.
    ///
    /// # Errors
    ///
    /// Those of [`blocking::Pool::checkout_timeout`].
    #[inline]
    #[track_caller]
    pub fn checkout_timeout(&self, timeout: Duration) -> Checkout<'_, K, R> {
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
    ) -> Checkout<'_, K, R> {
        Checkout {
            pool: &self.0.shared,
            place,
            timeout,
            waiting: None,
        }
    }

    /// Takes a connection if one is idle that needs neither a ping nor a wait, and no hook of
    /// `checkout` is to be asked.
    #[track_caller]
    pub fn try_checkout(&self) -> Option<Lease<K, R>> {
        let borrower = Borrower {
            place: Location::caller(),
            owner: 0,
        };
        try_checkout(self.0.shared.live(), borrower, false)
    }

    /// Closes the pool: nothing is lent any more, who waits is told so, and idle connections are
    /// closed; at once, even if nobody awaits this. Waits until all others have come back, for at most
    /// `grace`; those that come later are closed then.
    pub fn close(&self, grace: Duration) -> impl Future<Output = Closed> + Send + '_ {
        self.0.shut_down();
        async move {
            let pool = self.0.shared.live();
            let _in_time = pool.bounded(grace, self.0.drained()).await;
            self.0.closed()
        }
    }
}

/// A checkout under way.
#[must_use = "futures do nothing unless polled"]
pub struct Checkout<'a, K: Connector, R: Runtime> {
    pool: &'a Arc<Shared<K, R>>,
    place: &'static Location<'static>,
    timeout: Duration,
    waiting: Option<Admission<'a, K, R>>,
}

type Outcome<K, R> = Result<Lease<K, R>, CheckoutError<<K as Connector>::Error>>;
impl<'a, K: Connector, R: Runtime> Checkout<'a, K, R> {
    #[cold]
    #[inline(never)]
    fn lend_contended(
        &mut self,
        borrower: Borrower,
        context: &mut Context<'_>,
    ) -> Poll<Outcome<K, R>> {
        let pool = self.pool.live();
        if pool.nests.signpost().shows(Way::Queue) {
            return self.wait(borrower, context);
        }
        if let Some(lease) = pool.lend_from_nest(borrower, false) {
            return Poll::Ready(Ok(lease));
        }
        let mut machine = pool.contended();
        match pool.lend_plainly(&mut machine, borrower, false) {
            Some(lease) => Poll::Ready(Ok(lease)),
            None => self.lend_otherwise(machine, borrower, context),
        }
    }

    #[inline(never)]
    fn lend_otherwise(
        &mut self,
        machine: Guard<'a, PoolMachine<K, R>>,
        borrower: Borrower,
        context: &mut Context<'_>,
    ) -> Poll<Outcome<K, R>> {
        match self.pool.live().lend_by_age(machine, borrower, false) {
            Some(lease) => Poll::Ready(Ok(lease)),
            None => self.wait(borrower, context),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&mut self, borrower: Borrower, context: &mut Context<'_>) -> Poll<Outcome<K, R>> {
        let pool = self.pool.live();
        let request = Request::new(borrower, self.timeout);
        self.waiting = Some(Admission::new(pool, request));
        self.poll_waiting(context)
    }

    #[cold]
    #[inline(never)]
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Outcome<K, R>> {
        let Some(waiting) = &mut self.waiting else {
            return Poll::Pending;
        };
        let entry = ready!(Pin::new(waiting).poll(context));
        Poll::Ready(entry.map(|entry| Lease::new(self.pool.live(), entry, false)))
    }
}

impl<K: Connector, R: Runtime> Future for Checkout<'_, K, R> {
    type Output = Outcome<K, R>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.waiting.is_some() {
            return self.poll_waiting(context);
        }
        let pool = self.pool.live();
        ready!(pool.homes.prototype().poll_proceed(context));
        let borrower = Borrower {
            place: self.place,
            // The task's own waker has one address for as long as the task lives.
            owner: context.waker().data() as usize,
        };
        let Some(mut machine) = pool.try_lock() else {
            return self.lend_contended(borrower, context);
        };
        match pool.lend_plainly(&mut machine, borrower, false) {
            Some(lease) => Poll::Ready(Ok(lease)),
            None => self.lend_otherwise(machine, borrower, context),
        }
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Checkout<'_, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkout")
            .field("place", &self.place)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
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
