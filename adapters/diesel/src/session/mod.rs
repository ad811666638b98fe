mod diesel_traits;
mod join;
mod maker;
mod nested;
mod of_engine;
mod scoped;
mod transactional;
mod transactions;
mod two_phase;

use std::{fmt, sync::Arc};

use diesel::{QueryResult, result::Error};
use everpool_session::{
    Listeners, SessionSettings, SessionTransaction,
    blocking::{self, Participant},
    retry::Failure,
    stack::{Callback, Method, On, Stack},
};

pub use join::JoinedSession;
pub use maker::SessionMaker;
pub use nested::Nested;
pub use scoped::ScopedSession;
pub use transactions::SessionTransactions;

use two_phase::Name;

use crate::{
    connection::Connection, driver::Driver, engine::Engine, error::session_refused,
    nowhere::Nowhere,
};

/// Why a session could not do what it was told to.
pub type SessionError = everpool_session::SessionError<Error>;

/// Registers the listeners of a session.
pub type SessionEvents<'a, C> = blocking::SessionEvents<'a, Session<C>>;

/// A transaction scope, which is a Diesel connection.
///
/// Nothing is sent, and no connection taken, before the first statement. That one is preceded by
/// BEGIN; if BEGIN meets a connection that died in the pool, another is taken and the program does
/// not hear of it. After [`commit`](Self::commit) or [`rollback`](Self::rollback) the connection is
/// back in the pool, and the next statement begins another transaction. Dropped, it rolls back.
///
/// `transaction(…)` inside of a session is a savepoint, as [`nested`](Self::nested) is. A savepoint without a
/// statement sends nothing.
#[cfg_attr(
    feature = "sqlite",
    doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, Session, SessionError, create_engine};
let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let mut session = Session::begin(&engine)?;
diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(&mut session)?;
session.on_commit(|| println!("there it is"))?;

// What fails in a savepoint is undone alone.
let failed = session.nested(|session| {
    diesel::sql_query("INSERT INTO t VALUES (1)").execute(session)?;
    diesel::sql_query("INSERT INTO nowhere VALUES (1)").execute(session)?;
    Ok::<(), SessionError>(())
});
assert!(failed.is_err());
session.commit()?;
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
pub struct Session<C: Driver> {
    connection: Connection<C>,
    stack: Stack,
    listeners: Arc<Listeners<Participant<Self>>>,
    name: Option<Name>,
    /// What Diesel is shown of the transaction.
    shown: Nowhere<C::Backend>,
}

impl<C: Driver> Session<C> {
    /// A session that will take its connection from `engine`. Does not block: nothing is taken or sent
    /// before the first statement.
    ///
    /// # Errors
    ///
    /// None so far: what goes wrong with the connection or with BEGIN is the first statement's error.
    #[track_caller]
    pub fn begin(engine: &Engine<C>) -> Result<Self, SessionError> {
        Ok(Self::new(
            engine.clone(),
            SessionSettings::default(),
            Arc::default(),
        ))
    }

    #[track_caller]
    fn new(
        engine: Engine<C>,
        settings: SessionSettings,
        listeners: Arc<Listeners<Participant<Self>>>,
    ) -> Self {
        let connection = Connection::unconnected(engine);
        Self::on(connection, Stack::new(settings), listeners)
    }

    fn on(
        connection: Connection<C>,
        stack: Stack,
        listeners: Arc<Listeners<Participant<Self>>>,
    ) -> Self {
        Self {
            connection,
            stack,
            listeners,
            name: None,
            shown: Nowhere::default(),
        }
    }

    /// Begins a transaction, where [`autobegin`](everpool_session::SessionOptions::autobegin) is off. Nothing
    /// is sent before the first statement.
    ///
    /// # Errors
    ///
    /// [`AlreadyBegun`](everpool_session::StateError::AlreadyBegun); or the session is closed for good.
    pub fn begin_transaction(&mut self) -> Result<(), SessionError> {
        blocking::begin_transaction(self).map(drop)
    }

    /// Begins a savepoint, rolled back if it is dropped before it is committed. It is set with its first
    /// statement; if there is no transaction, one is begun, and stays open after the savepoint's end.
    ///
    /// # Errors
    ///
    /// The transaction takes nothing but a rollback; or the session is closed for good.
    pub fn begin_nested(&mut self) -> Result<Nested<'_, C>, SessionError> {
        let level = blocking::begin_nested(self)?;
        Ok(Nested::enter(self, level))
    }

    /// Does some work in a savepoint: keeps it if the work succeeds, and takes it back if it fails or panics.
    /// If the work has ended the transaction itself, nothing is kept or taken back. Blocks for what is sent.
    ///
    /// # Errors
    ///
    /// The work's, or those of [`Nested::commit`].
    pub fn nested<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        let nested = self.begin_nested()?;
        do_in(nested, work)
    }

    /// Does some work in a transaction of its own and commits it, if the work succeeds; if it fails or
    /// panics, rolls it back. Whatever calls this knows afterwards that the work is committed, because it is
    /// refused inside of another transaction, with which it could still be undone (Django's
    /// `atomic(durable=True)`). Blocks for what is sent.
    ///
    /// # Errors
    ///
    /// The work's, or those of [`commit`](Self::commit);
    /// [`NotDurable`](everpool_session::StateError::NotDurable) if a transaction is open.
    pub fn durable<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        let level = blocking::begin_durable(self)?;
        do_in(Nested::enter(self, level), work)
    }

    /// Commits what was done since the first statement, with all savepoints; if there was none, nothing is
    /// sent. Blocks for COMMIT.
    ///
    /// # Errors
    ///
    /// - [`CommitOutcomeUnknown`](everpool_session::SessionError::CommitOutcomeUnknown) if the
    ///   connection was lost at COMMIT.
    /// - [`Database`](everpool_session::SessionError::Database) if the database said no: the
    ///   transaction is rolled back.
    /// - All others leave it open, and nothing but a rollback can follow:
    ///   [`Aborted`](everpool_session::SessionError::Aborted) if a statement had failed and the
    ///   database will only roll back,
    ///   [`PendingRollback`](everpool_session::SessionError::PendingRollback) if the connection had
    ///   been lost before, [`State`](everpool_session::SessionError::State) if a savepoint could not be
    ///   undone. Only a [`Listener`](everpool_session::SessionError::Listener) of `before_commit` that
    ///   fails leaves it as it was.
    pub fn commit(&mut self) -> Result<(), SessionError> {
        blocking::end(self, Method::Commit)
    }

    /// Undoes what was done since the first statement, with all savepoints; if there was none, nothing is
    /// sent. Blocks for ROLLBACK.
    ///
    /// # Errors
    ///
    /// The database's; the connection is closed then, which undoes it, too. A lost connection is none: what
    /// was done on it is undone. But what is prepared stays so after an error, and is
    /// [`InDoubt`](everpool_session::SessionError::InDoubt) if the connection was lost by this.
    pub fn rollback(&mut self) -> Result<(), SessionError> {
        blocking::end(self, Method::Rollback)
    }

    /// As [`rollback`](Self::rollback), but listeners of rollbacks are not told. The session can be used again,
    /// unless [`close_resets_only`](everpool_session::SessionOptions::close_resets_only) is off.
    ///
    /// # Errors
    ///
    /// Those of `rollback`.
    pub fn close(&mut self) -> Result<(), SessionError> {
        blocking::end(self, Method::Close)
    }

    /// As [`close`](Self::close), and the session can always be used again.
    ///
    /// # Errors
    ///
    /// Those of `rollback`.
    pub fn reset(&mut self) -> Result<(), SessionError> {
        blocking::end(self, Method::Reset)
    }

    /// Gives the connection up, if there is one: it is closed and not lent again, and the transaction is
    /// undone with it. The session can be used again. Does not block.
    ///
    /// # Errors
    ///
    /// A listener calls this that is told of the transaction's end.
    pub fn invalidate(&mut self) -> Result<(), SessionError> {
        blocking::end(self, Method::Invalidate)
    }

    /// Has something done after the transaction is committed and the connection back in the pool. What is
    /// registered in a savepoint that is rolled back is not done, nor anything if it is not known whether the
    /// transaction is committed. If there is no transaction, one is begun. Does not block.
    ///
    /// If a callback panics, the rest of them are called when the session is used next or dropped.
    ///
    /// # Errors
    ///
    /// There is no transaction that could be committed.
    pub fn on_commit(
        &mut self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<(), SessionError> {
        blocking::add_callback(self, On::Commit, Callback::new(callback))
    }

    /// Has something done after the transaction is over, if what was done in it so far is undone: because it was
    /// rolled back, or the savepoint that this is registered in. Otherwise as [`on_commit`](Self::on_commit).
    ///
    /// # Errors
    ///
    /// There is no transaction that could be rolled back.
    pub fn on_rollback(
        &mut self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<(), SessionError> {
        blocking::add_callback(self, On::Rollback, Callback::new(callback))
    }

    /// The driver's own connection, in this session's transaction, for what needs its type; see
    /// [`Connection::driver_connection`]. Blocks for a checkout and a BEGIN, if there is no transaction yet.
    ///
    /// # Errors
    ///
    /// The driver's, of BEGIN, or that there is no connection.
    pub fn driver_connection(&mut self) -> QueryResult<&mut C> {
        self.ready()?.driver_connection()
    }

    /// Whether a transaction was begun, by a statement or by the program, and not ended. Does not block.
    pub fn in_transaction(&self) -> bool {
        self.stack.in_transaction()
    }

    /// Whether a savepoint was begun in it, and not ended. Does not block.
    pub fn in_nested_transaction(&self) -> bool {
        self.stack.in_nested_transaction()
    }

    /// Whether statements are taken: not while nothing but a rollback can follow, nor after it was closed for
    /// good. A transaction whose connection was lost is active all the same, as in SQLAlchemy. Does not block.
    pub fn is_active(&self) -> bool {
        self.stack.is_active()
    }

    /// The transaction, if one was begun (SQLAlchemy's `get_transaction()`).
    pub fn current_transaction(&self) -> Option<SessionTransaction> {
        self.stack.transaction()
    }

    /// The innermost savepoint, if one was begun (SQLAlchemy's `get_nested_transaction()`).
    pub fn nested_transaction(&self) -> Option<SessionTransaction> {
        self.stack.nested_transaction()
    }

    /// Registers listeners of this session.
    pub fn events(&mut self) -> SessionEvents<'_, C> {
        SessionEvents::new(Arc::make_mut(&mut self.listeners))
    }

    /// The engine that its connections come from.
    pub fn engine(&self) -> &Engine<C> {
        self.connection.engine()
    }

    /// The connection for the next statement, with BEGIN sent.
    #[inline]
    fn ready(&mut self) -> QueryResult<&mut Connection<C>> {
        blocking::ready(self).map_err(session_refused)?;
        if self.connection.met().is_some() {
            let levels = self.connection.levels();
            self.connection.overcomes(levels);
        }
        Ok(&mut self.connection)
    }
}

impl<C: Driver> Session<C> {
    /// What is left of an attempt that gave this error.
    fn failure<E>(&mut self, error: E) -> Failure<E> {
        let may_be_committed = self.stack.may_have_committed() || self.connection.is_autocommit();
        Failure {
            error,
            met: self.connection.met(),
            may_be_committed,
        }
    }
}

/// What the work has ended itself is left alone.
fn do_in<C: Driver, T, E: From<SessionError>>(
    mut scope: Nested<'_, C>,
    work: impl FnOnce(&mut Session<C>) -> Result<T, E>,
) -> Result<T, E> {
    let done = work(&mut scope)?;
    if scope.is_open() {
        scope.commit()?;
    }
    Ok(done)
}

impl<C: Driver> Drop for Session<C> {
    fn drop(&mut self) {
        self.undo_phases();
        self.connection.release();
        blocking::abandon(&mut self.stack);
    }
}

impl<C: Driver> fmt::Debug for Session<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("connection", &self.connection)
            .field("stack", &self.stack)
            .finish_non_exhaustive()
    }
}
