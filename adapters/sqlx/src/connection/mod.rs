mod as_trait;
mod driver_connection;
mod levels;
mod phases;
mod replicas;
mod retry;
mod stage;
mod statements;
mod transactional;
mod transactions;
mod twophase;

pub(crate) use statements::fetch_many;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use everpool_core::{Detached, Info, Residue, Tokio};
use everpool_engine::{DetachError, Watch, events::Event, future, isolation::Characteristics};
use everpool_session::RetryReason;
use sqlx::Error;

use crate::{
    as_sqlx::{not_sent, scope_is_over},
    connector::Connector,
    driver::Driver,
    engine::{CheckoutError, Engine},
    flags::{Flags, Noted},
    wire::Wire,
};

/// What statements run on: what a [`PoolConnection`](crate::PoolConnection) and a
/// [`Transaction`](crate::Transaction) deref to, and an executor of SQLx's.
///
/// An error that means a disconnect is seen before the program sees it: the connection is given up,
/// and the engine's pool replaces all that died with it. After that, the next statement takes
/// another connection. If a transaction was open, statements fail until it is rolled back, because
/// what was done in it is gone. Session state (`SET`, temporary tables) is lost with the connection it
/// was made on.
///
/// If the future of a statement is dropped before its end, nobody knows what the connection would
/// answer next. It counts as lost for whoever has it: outside of a transaction the next statement takes
/// another, and in one, statements fail until it is rolled back. The pool reads what is left, ends what is
/// open, and lends it again; or closes it, as on MySQL and MariaDB, where the driver would wait for ever.
/// A COMMIT that was given up may have been done. A stream of rows that is dropped after a row, and not
/// while it waits for one, costs nothing: the rest is read before the next statement.
///
/// It derefs to the driver's connection, for what needs its type. What is done with that is not seen,
/// so on its return the connection is asked whether it is in order.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineConnection, EngineOptions, Error, Sqlite, create_engine, query};
async fn insert(connection: &mut EngineConnection<Sqlite>) -> Result<(), Error> {
    query("INSERT INTO t VALUES (1)").execute(connection).await.map(drop)
}

# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut connection = engine.connect().await?;
query("CREATE TABLE t (x INTEGER)").execute(&mut *connection).await?;
insert(&mut connection).await?;
let mut transaction = connection.begin().await?;
insert(&mut transaction).await?;
transaction.commit().await?;
# Ok(())
# }
```
"#
)]
pub struct Connection<DB: Driver> {
    inner: future::Connection<Connector<DB>>,
    engine: Engine<DB>,
    /// The levels of transaction that were open when the connection was last seen alive.
    depth: usize,
    /// How many of them the innermost [`Transaction`](crate::Transaction) needs.
    scope: usize,
    /// What was asked for beyond what the engine has for all its connections.
    characteristics: Characteristics,
    /// How many levels of a two-phase transaction are open, which the driver does not count.
    twophase: usize,
    /// No BEGIN is sent, because the isolation level is `AUTOCOMMIT`; how many levels were begun so.
    omitted: Option<usize>,
    /// Whom its statements are told to.
    watch: Arc<Watch>,
    /// It has taken a connection before.
    was_connected: bool,
    /// What its transaction has met that another one may be spared.
    met: Option<RetryReason>,
    /// The program has ended a transaction in its own words, or tried to.
    has_ended: bool,
}

impl<DB: Driver> Connection<DB> {
    #[track_caller]
    pub(crate) fn unconnected(engine: Engine<DB>) -> Self {
        Self {
            inner: future::Connection::new(engine.pool().clone()),
            characteristics: Characteristics::default(),
            twophase: 0,
            omitted: None,
            watch: Arc::clone(engine.watch()),
            engine,
            depth: 0,
            scope: 0,
            was_connected: false,
            met: None,
            has_ended: false,
        }
    }

    pub(crate) async fn checkout(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        self.settle();
        if self.inner.settled().is_some() {
            return Ok(());
        }
        match self.engine.route().cloned() {
            None => self.checkout_here(timeout).await?,
            // Boxed, as below: the future of every other checkout would be as large.
            Some(replicas) => Box::pin(self.checkout_routed(&replicas, timeout)).await?,
        }
        if !std::mem::replace(&mut self.was_connected, true) {
            self.tell(Event::EngineConnect);
        }
        Ok(())
    }

    /// A connection as the engine's options ask for it.
    async fn checkout_here(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        match self.engine.checkout_characteristics() {
            None => self.take(timeout).await,
            Some(asked) => Box::pin(self.take_characterized(asked, timeout)).await,
        }
    }

    /// Takes one if one is idle, as it is; true if there is one now.
    pub(crate) fn try_checkout(&mut self) -> bool {
        let is_taken = self.inner.try_checkout();
        if is_taken {
            self.taken();
        }
        is_taken
    }

    /// A connection from the pool, as the engine has set them up.
    async fn take(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        match self.engine.hooks().callbacks().before_acquire {
            None => self.inner.checkout(timeout).await?,
            Some(_) => self.take_fit(timeout).await?,
        }
        self.taken();
        Ok(())
    }

    /// One after another, until `before_acquire` calls one fit.
    async fn take_fit(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        let began = Instant::now();
        loop {
            let left = timeout.saturating_sub(began.elapsed());
            self.inner.checkout(left).await?;
            let Some(wire) = self.inner.settled() else {
                continue;
            };
            let looking = self.engine.hooks().callbacks().is_fit(wire);
            let left = timeout.saturating_sub(began.elapsed());
            match tokio::time::timeout(left, looking).await {
                Ok(true) => return Ok(()),
                Ok(false) => self.inner.invalidate(),
                Err(_) => return Err(CheckoutError::Hook(Box::new(Error::PoolTimedOut))),
            };
        }
    }

    fn taken(&mut self) {
        self.forget_characteristics();
        if let Some(wire) = self.inner.settled() {
            let _of_others: Noted = wire.flags_mut().take_noted();
        }
        let hooks = self.engine.hooks();
        if hooks.callbacks().hear_returns() {
            let callbacks = hooks.callbacks().clone();
            self.inner.at_return_async(move |wire| {
                Box::pin(async move { callbacks.released(wire).await })
            });
        }
    }

    /// Whether the connection was lost or invalidated, and no other was taken yet.
    pub fn invalidated(&mut self) -> bool {
        self.settle();
        self.inner.settled().is_none()
    }

    /// Gives the connection up: it is closed and not lent again. A transaction that was open must be
    /// rolled back before the next statement. Does not block.
    pub fn invalidate(&mut self) {
        self.see_depth();
        self.leave_stage();
        self.inner.invalidate();
    }

    /// What the program keeps beside the connection; it is gone when the connection is. `None` if it
    /// is invalidated.
    pub fn info(&mut self) -> Option<&mut Info> {
        self.inner.info()
    }

    /// The engine that this was made by. If its connections are those of replicas, its
    /// [`url`](Engine::url) and pool are those of the database that was asked last.
    pub fn engine(&self) -> &Engine<DB> {
        &self.engine
    }

    /// Asks the server for a sign of life. Waits for a round trip.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn ping(&mut self) -> Result<(), Error> {
        let answer = self.ready().await?.ping().await;
        self.leave(answer, None)
    }

    /// Takes the connection out of the pool for good. It is used on, and closed at the end. Does not
    /// block.
    ///
    /// # Errors
    ///
    /// That it is invalidated.
    pub(crate) fn detach(&mut self) -> Result<(), DetachError> {
        self.inner.detach()
    }

    pub(crate) fn into_detached(mut self) -> Option<Detached<Connector<DB>, Tokio>> {
        self.inner.take_detached()
    }

    /// Has the connection closed when it returns.
    pub(crate) fn close_on_drop(&mut self) {
        self.inner.invalidate_soft();
    }

    /// The driver's connection, whose place in the pool stays taken.
    pub(crate) fn leak(&mut self) -> Option<Wire<DB>> {
        self.inner.take_leaked()
    }

    /// Returns the connection, and all levels of transaction are over.
    pub(crate) fn give_back(&mut self) {
        self.take_note();
        self.inner.release();
        (self.depth, self.twophase) = (0, 0);
    }

    #[inline]
    fn see_depth(&mut self) {
        self.settle();
        if let Some(wire) = self.inner.settled() {
            let depth = self.omitted.unwrap_or(wire.depth());
            self.depth = depth + self.twophase;
        }
    }

    /// How many levels of transaction are open, or were when the connection was lost.
    #[inline]
    pub(crate) fn levels(&mut self) -> usize {
        self.see_depth();
        self.depth
    }

    /// The connection for a statement. Waits if one must be taken.
    #[inline]
    pub(crate) async fn ready(&mut self) -> Result<&mut Wire<DB>, Error> {
        self.see_depth();
        if self.inner.settled().is_some_and(|wire| wire.is_behind()) {
            self.catch_up().await?;
        }
        let depth = self.levels();
        if depth < self.scope {
            return Err(scope_is_over());
        }
        if depth == 0 && self.inner.settled().is_none() {
            self.reconnect().await?;
        }
        if self.inner.settled().is_some_and(|wire| wire.is_unmarked()) {
            self.keep_stage(depth).await?;
        }
        let depth = u32::try_from(depth).unwrap_or(u32::MAX);
        let (wire, operation) = self.inner.operate(depth).await.map_err(not_sent)?;
        // How far it comes is written on the wire itself.
        operation.finished(None);
        Ok(wire)
    }

    /// What was left unread is read to its end before the next statement, so that its error is not told to
    /// that one. A connection that is lost by this is missed where it is needed.
    #[cold]
    pub(crate) async fn catch_up(&mut self) -> Result<(), Error> {
        let Some(wire) = self.inner.settled().filter(|wire| wire.is_behind()) else {
            return Ok(());
        };
        let answer = wire.catch_up().await;
        match self.leave(answer, None) {
            Err(error) if self.inner.settled().is_some() => Err(error),
            _ => Ok(()),
        }
    }

    /// Does now what the pool would do at the return.
    pub(crate) async fn put_in_order(&mut self) -> Result<(), Error> {
        self.see_depth();
        let engine = self.engine.clone();
        let connector = engine.pool().connector();
        let Some(wire) = self.inner.settled() else {
            return Ok(());
        };
        if connector.left(wire) == Residue::Clean {
            return Ok(());
        }
        let answer = connector.put_in_order(wire).await;
        let answer = self.leave(answer, None);
        if answer.is_err() {
            self.inner.invalidate();
        }
        answer
    }

    #[cold]
    async fn reconnect(&mut self) -> Result<(), Error> {
        let timeout = self.engine.pool_timeout();
        let engine = self.engine.clone();
        self.checkout(timeout)
            .await
            .map_err(|error| engine.told(error))
    }

    /// A statement was answered. `sql` is its text, if the program sent it.
    #[inline]
    pub(crate) fn leave<T>(
        &mut self,
        answer: Result<T, Error>,
        sql: Option<&str>,
    ) -> Result<T, Error> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.judge(error, sql)),
        }
    }

    #[cold]
    pub(crate) fn judge(&mut self, error: Error, sql: Option<&str>) -> Error {
        let all = self.characteristics.over(*self.engine.characteristics());
        let is_asked_to_read = all.is_read_only() == Some(true);
        let (error, fault) = self.engine.hooks().judge(error, sql, is_asked_to_read);
        self.inner.saw(fault);
        self.settle();
        error
    }

    pub(crate) fn tell(&mut self, event: Event<'_>) {
        self.tell_of(|watch| watch.board.tell(event));
    }

    /// A listener that panics leaves nobody who knows what becomes of the transaction.
    pub(crate) fn tell_of(&mut self, tell: impl FnOnce(&Watch)) {
        let told = catch_unwind(AssertUnwindSafe(|| tell(&self.watch)));
        if let Err(panic) = told {
            self.invalidate();
            resume_unwind(panic);
        }
    }

    pub(crate) fn flags(&mut self) -> Option<&Flags> {
        self.wire().map(|wire| wire.flags())
    }

    pub(crate) fn wire(&mut self) -> Option<&mut Wire<DB>> {
        self.inner.settled()
    }
}

impl<DB: Driver> fmt::Debug for Connection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("inner", &self.inner)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
