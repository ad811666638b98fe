mod characteristics;
mod diesel_traits;
mod driver_connection;
mod levels;
mod multi;
mod phases;
#[cfg(feature = "postgres")]
mod postgres;
mod replicas;
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stage;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use diesel::{QueryResult, connection::CacheSize};
use everpool_core::Info;
use everpool_engine::{DetachError, blocking, events::Event, isolation::Characteristics};
use everpool_session::RetryReason;

use crate::{
    classify::is_conflict,
    connector::{self, Connector},
    driver::Driver,
    engine::{CheckoutError, Engine},
    error::{not_sent, scope_is_over},
    nowhere::Nowhere,
    status,
    tap::Tap,
    watch::Watch,
};

/// A connection from an [`Engine`](crate::Engine), which is a Diesel connection.
///
/// An error that means a disconnect is seen before the program sees it: the connection is given up,
/// and the engine's pool replaces all that died with it. After that, the next statement takes
/// another connection. If a transaction was open, statements fail until it is rolled back (by
/// leaving `transaction(…)`, or by [`rollback`](Self::rollback)), because what was done in it is
/// gone. Session state (`SET`, temporary tables) is lost with the connection it was made on.
///
/// It derefs to the driver's connection, for what needs its type; see
/// [`driver_connection`](Self::driver_connection).
///
/// Dropped, it returns to the pool; a transaction that is still open is rolled back first.
pub struct Connection<C: Driver> {
    inner: blocking::Connection<Connector<C>>,
    engine: Engine<C>,
    /// The levels of transaction that were open when the connection was last seen alive.
    depth: u32,
    /// How many of them the innermost [`Transaction`] needs.
    scope: u32,
    /// What was asked for beyond what the engine has for all its connections.
    characteristics: Characteristics,
    /// No BEGIN is sent, because the isolation level is `AUTOCOMMIT`.
    omits_begin: bool,
    /// It is a test's, whose transaction is around all others: they are savepoints, of which the driver's own count
    /// of levels says nothing.
    is_staged: bool,
    /// The database was asked to refuse what writes.
    is_read_only: bool,
    /// Whom its statements are told to.
    watch: Arc<Watch>,
    /// It has taken a connection before.
    was_connected: bool,
    /// The program has had the driver's connection, and nobody has looked what became of it.
    is_lent_out: bool,
    /// What its transaction has met that another one may be spared.
    met: Option<RetryReason>,
    /// What the program set for the prepared statements, on whatever connection.
    cache_size: Option<CacheSize>,
    /// What Diesel is shown while there is no connection, or no BEGIN is sent.
    spare: Nowhere<C::Backend>,
}

impl<C: Driver> Connection<C> {
    #[track_caller]
    pub(crate) fn unconnected(engine: Engine<C>) -> Self {
        Self {
            inner: blocking::Connection::new(engine.pool().clone()),
            characteristics: Characteristics::default(),
            omits_begin: false,
            is_staged: engine.is_staged(),
            is_read_only: false,
            watch: Arc::clone(engine.watch()),
            engine,
            depth: 0,
            scope: 0,
            was_connected: false,
            is_lent_out: false,
            met: None,
            cache_size: None,
            spare: Nowhere::default(),
        }
    }

    pub(crate) fn checkout(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        self.settle();
        if self.inner.settled().is_some() {
            return Ok(());
        }
        match self.engine.route().cloned() {
            None => self.checkout_here(timeout)?,
            Some(replicas) => self.checkout_routed(&replicas, timeout)?,
        }
        if !std::mem::replace(&mut self.was_connected, true) {
            self.tell(Event::EngineConnect);
        }
        Ok(())
    }

    /// A connection as the engine's options ask for it.
    fn checkout_here(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        match self.engine.checkout_characteristics() {
            None => self.take(timeout),
            Some(asked) => self.take_characterized(asked, timeout),
        }
    }

    /// A connection from the pool, as the engine has set them up.
    fn take(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        self.inner.checkout(timeout)?;
        self.set_cache_size();
        self.instrument();
        self.forget_characteristics();
        Ok(())
    }

    /// Whether the connection was lost or invalidated, and no other was taken yet. Does not block.
    pub fn invalidated(&mut self) -> bool {
        self.settle();
        !self.inner.is_connected()
    }

    /// Gives the connection up: it is closed and not lent again. A transaction that was open must be
    /// rolled back before the next statement. Does not block.
    pub fn invalidate(&mut self) {
        self.see_depth();
        self.keep_instrumentation();
        if self.is_staged {
            self.leave_stage();
        }
        if self.inner.invalidate() {
            status::set_lost(&mut self.spare, self.depth);
        }
    }

    /// Takes the connection out of the pool for good. It is used on, and closed at the end. Does not
    /// block.
    ///
    /// # Errors
    ///
    /// That it is invalidated.
    pub fn detach(&mut self) -> Result<(), DetachError> {
        self.inner.detach()
    }

    /// What the program keeps beside the connection; it is gone when the connection is. `None` if it
    /// is invalidated.
    pub fn info(&mut self) -> Option<&mut Info> {
        self.inner.info()
    }

    /// The engine that this was made by. If its connections are those of replicas, its
    /// [`url`](Engine::url) and pool are those of the database that was asked last.
    pub fn engine(&self) -> &Engine<C> {
        &self.engine
    }

    /// Returns the connection to the pool, as dropping this does; but what goes wrong with the
    /// ROLLBACK of an open transaction is told. Blocks for it.
    ///
    /// # Errors
    ///
    /// The driver's. The connection is closed then.
    pub fn close(mut self) -> QueryResult<()> {
        self.rollback().inspect_err(|_| self.invalidate())
    }

    /// Takes note of a connection that was lost.
    #[inline(always)]
    fn settle(&mut self) {
        if self.is_lent_out {
            self.look_back();
        }
        let Self { inner, spare, .. } = self;
        if inner.settle_after(|connection| keep_instrumentation(connection, spare)) {
            self.lost();
        }
    }

    #[cold]
    fn lost(&mut self) {
        self.met = Some(RetryReason::Disconnect);
        status::set_lost(&mut self.spare, self.depth);
    }

    #[inline(always)]
    fn see_depth(&mut self) {
        self.settle();
        let known = match self.inner.settled() {
            Some(connection) if !(self.omits_begin || self.is_staged) => status::depth(connection),
            _ => status::depth(&mut self.spare),
        };
        // If Diesel has lost count, what was open is open still.
        self.depth = known.unwrap_or(self.depth.max(1));
    }

    #[inline(always)]
    fn depth(&mut self) -> u32 {
        self.see_depth();
        self.depth
    }

    /// An option engine, and a Connection with a token, have others watch than the pool.
    #[cold]
    fn be_watched(&mut self) {
        let Self { inner, watch, .. } = self;
        if let Some(tap) = inner.settled().and_then(Tap::of) {
            tap.is_watched_by(watch);
        }
    }

    /// There is a connection for a statement, and nothing stands in its way. Blocks if one must be
    /// taken.
    #[inline(always)]
    fn prepare(&mut self) -> QueryResult<u32> {
        let depth = self.depth();
        if depth < self.scope {
            return Err(scope_is_over());
        }
        if depth == 0 && self.inner.settled().is_none() {
            self.reconnect()?;
        }
        if self.is_staged {
            self.keep_stage(depth)?;
        }
        Ok(depth)
    }

    #[cold]
    fn reconnect(&mut self) -> QueryResult<()> {
        let timeout = self.engine.pool_timeout();
        self.checkout(timeout)
            .map_err(|error| not_sent(error.into()))
    }

    /// A listener that panics leaves nobody who knows what becomes of the transaction.
    pub(crate) fn tell(&mut self, event: Event<'_>) {
        let told = catch_unwind(AssertUnwindSafe(|| self.watch.board.tell(event)));
        if let Err(panic) = told {
            self.invalidate();
            resume_unwind(panic);
        }
    }

    fn set_cache_size(&mut self) {
        if let (Some(size), Some(connection)) = (self.cache_size, self.inner.settled()) {
            connection.set_prepared_statement_cache_size(size);
            if let Some(seen) = Tap::seen(connection) {
                seen.has_cache_size_of_its_user = true;
            }
        }
    }

    /// What the program has set for its statements is for those on the next connection too.
    fn instrument(&mut self) {
        let Self { inner, spare, .. } = self;
        if let Some(connection) = inner.settled()
            && let Some(instrumentation) = spare.take_instrumentation()
        {
            Tap::install(connection, instrumentation, &self.watch);
        }
    }

    fn keep_instrumentation(&mut self) {
        let Self { inner, spare, .. } = self;
        if let Some(connection) = inner.settled() {
            keep_instrumentation(connection, spare);
        }
    }

    /// Every statement but `load` passes here. `sql` is asked for its text if it fails.
    pub(crate) fn run<T>(
        &mut self,
        statement: impl FnOnce(&mut C) -> QueryResult<T>,
        sql: impl FnOnce() -> String,
    ) -> QueryResult<T> {
        let depth = self.prepare()?;
        let (connection, operation) = self.inner.operate(depth).map_err(not_sent)?;
        let result = match statement(connection) {
            Ok(answer) => {
                operation.finished(None);
                Ok(answer)
            }
            Err(error) => {
                let by_tables = connector::fault(&error, connection);
                if is_conflict(C::BACKEND, &error) {
                    self.met = Some(RetryReason::Conflict);
                }
                let hooks = self.engine.hooks();
                let (error, fault) = hooks.judge(error, by_tables, Some(&sql()), self.is_read_only);
                operation.finished(Some(fault));
                Err(error)
            }
        };
        self.settle();
        result
    }
}

fn keep_instrumentation<C: Driver>(connection: &mut C, spare: &mut Nowhere<C::Backend>) {
    if let Some(instrumentation) = Tap::of(connection).and_then(Tap::take_user) {
        spare.keep_instrumentation(instrumentation);
    }
}

impl<C: Driver> Drop for Connection<C> {
    fn drop(&mut self) {
        self.end_transaction();
    }
}

impl<C: Driver> std::fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("inner", &self.inner)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
