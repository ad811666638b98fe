mod join;
mod maker;
mod nested;
mod of_engine;
mod scoped;
mod transactional;
mod two_phase;

use std::{fmt, sync::Arc};

use everpool_session::{
    Listeners, SessionSettings, SessionTransaction, blocking,
    future::{self, Participant, Transactional},
    retry::Failure,
    stack::{Callback, Method, On, Stack},
};
use futures_core::future::BoxFuture;
use sqlx::Error;

pub use join::JoinedSession;
pub use maker::SessionMaker;
pub use nested::Nested;
pub use scoped::ScopedSession;

use two_phase::Name;

use crate::{as_sqlx::session_refused, connection::Connection, driver::Driver, engine::Engine};

/// Why a session could not do what it was told to.
pub type SessionError = everpool_session::SessionError<Error>;

/// Registers the listeners of a session.
pub type SessionEvents<'a, DB> = future::SessionEvents<'a, Session<DB>>;

/// Work that is done in a session.
type Work<'s, T, E> = BoxFuture<'s, Result<T, E>>;

/// A transaction scope, which executes queries of SQLx's.
///
/// Nothing is sent, and no connection taken, before the first statement. That one is preceded by
/// BEGIN; if BEGIN meets a connection that died in the pool, another is taken and the program does
/// not hear of it. After [`commit`](Self::commit) or [`rollback`](Self::rollback) the connection is
/// back in the pool, and the next statement begins another transaction. Dropped, it rolls back.
///
/// A savepoint, of [`nested`](Self::nested) or [`begin_nested`](Self::begin_nested), is set with its first
/// statement; without one, it sends nothing.
///
/// Each future may be dropped at any wait. What was sent and not answered counts as lost, with its connection,
/// and the next method goes on with what is left; [`commit`](Self::commit) says what becomes of a COMMIT.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, Session, SessionError, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut session = Session::begin(&engine).await?;
query("CREATE TABLE t (x INTEGER)").execute(&mut session).await?;
session.on_commit(|| println!("there it is")).await?;

// What fails in a savepoint is undone alone.
let failed = session
    .nested(|session| {
        Box::pin(async move {
            query("INSERT INTO t VALUES (1)").execute(&mut *session).await?;
            query("INSERT INTO nowhere VALUES (1)").execute(session).await?;
            Ok::<(), SessionError>(())
        })
    })
    .await;
assert!(failed.is_err());
session.commit().await?;
# Ok(())
# }
```
"#
)]
pub struct Session<DB: Driver> {
    connection: Connection<DB>,
    stack: Stack,
    listeners: Arc<Listeners<Participant<Self>>>,
    name: Option<Name>,
}

impl<DB: Driver> Session<DB> {
    /// A session that will take its connection from `engine`. Nothing is taken or sent before the first
    /// statement, so this is ready at once.
    ///
    /// # Errors
    ///
    /// None so far: what goes wrong with the connection or with BEGIN is the first statement's error.
    pub async fn begin(engine: &Engine<DB>) -> Result<Self, SessionError> {
        Ok(Self::new(
            engine.clone(),
            SessionSettings::default(),
            Arc::default(),
        ))
    }

    fn new(
        engine: Engine<DB>,
        settings: SessionSettings,
        listeners: Arc<Listeners<Participant<Self>>>,
    ) -> Self {
        let connection = Connection::unconnected(engine);
        Self::on(connection, Stack::new(settings), listeners)
    }

    fn on(
        connection: Connection<DB>,
        stack: Stack,
        listeners: Arc<Listeners<Participant<Self>>>,
    ) -> Self {
        Self {
            connection,
            stack,
            listeners,
            name: None,
        }
    }

    /// Begins a transaction, where [`autobegin`](everpool_session::SessionOptions::autobegin) is off. Nothing
    /// is sent before the first statement.
    ///
    /// # Errors
    ///
    /// [`AlreadyBegun`](everpool_session::StateError::AlreadyBegun); or the session is closed for good.
    pub async fn begin_transaction(&mut self) -> Result<(), SessionError> {
        future::begin_transaction(self).await.map(drop)
    }

    /// Begins a savepoint, rolled back if it is dropped before it is committed. It is set with its first
    /// statement; if there is no transaction, one is begun, and stays open after the savepoint's end.
    ///
    /// # Errors
    ///
    /// The transaction takes nothing but a rollback; or the session is closed for good.
    pub async fn begin_nested(&mut self) -> Result<Nested<'_, DB>, SessionError> {
        let level = future::begin_nested(self).await?;
        Ok(Nested::enter(self, level))
    }

    /// Does some work in a savepoint: keeps it if the work succeeds, and takes it back if it fails, panics
    /// or is given up. If the work has ended the transaction itself, nothing is kept or taken back.
    ///
    /// # Errors
    ///
    /// The work's, or those of [`Nested::commit`].
    pub async fn nested<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: for<'s> FnOnce(&'s mut Self) -> Work<'s, T, E> + Send,
        T: Send,
        E: From<SessionError> + Send,
    {
        let nested = self.begin_nested().await?;
        do_in(nested, work).await
    }

    /// Does some work in a transaction of its own and commits it, if the work succeeds; if it fails,
    /// panics or is given up, rolls it back. Whatever calls this knows afterwards that the work is committed, because it is
    /// refused inside of another transaction, with which it could still be undone (Django's
    /// `atomic(durable=True)`).
    ///
    /// # Errors
    ///
    /// The work's, or those of [`commit`](Self::commit);
    /// [`NotDurable`](everpool_session::StateError::NotDurable) if a transaction is open.
    pub async fn durable<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: for<'s> FnOnce(&'s mut Self) -> Work<'s, T, E> + Send,
        T: Send,
        E: From<SessionError> + Send,
    {
        let level = future::begin_durable(self).await?;
        do_in(Nested::enter(self, level), work).await
    }

    /// Commits what was done since the first statement, with all savepoints; if there was none, nothing is
    /// sent. If nobody waits for the answer, nothing but a rollback can follow, and the transaction may be committed.
    /// The driver releases each savepoint that is open by itself before it sends COMMIT.
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
    pub async fn commit(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Commit).await
    }

    /// Undoes what was done since the first statement, with all savepoints; if there was none, nothing is
    /// sent.
    ///
    /// # Errors
    ///
    /// The database's; the connection is closed then, which undoes it, too. A lost connection is none: what
    /// was done on it is undone. But what is prepared stays so after an error, and is
    /// [`InDoubt`](everpool_session::SessionError::InDoubt) if the connection was lost by this.
    pub async fn rollback(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Rollback).await
    }

    /// As [`rollback`](Self::rollback), but listeners of rollbacks are not told. The session can be used again,
    /// unless [`close_resets_only`](everpool_session::SessionOptions::close_resets_only) is off.
    ///
    /// # Errors
    ///
    /// Those of `rollback`.
    pub async fn close(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Close).await
    }

    /// As [`close`](Self::close), and the session can always be used again.
    ///
    /// # Errors
    ///
    /// Those of `rollback`.
    pub async fn reset(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Reset).await
    }

    /// Gives the connection up, if there is one: it is closed and not lent again, and the transaction is
    /// undone with it. The session can be used again.
    ///
    /// # Errors
    ///
    /// A listener calls this that is told of the transaction's end.
    pub async fn invalidate(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Invalidate).await
    }

    /// Has something done after the transaction is committed and the connection back in the pool. What is
    /// registered in a savepoint that is rolled back is not done, nor anything if it is not known whether the
    /// transaction is committed. If there is no transaction, one is begun.
    ///
    /// If a callback panics, the rest of them are called when the session is used next or dropped.
    ///
    /// # Errors
    ///
    /// There is no transaction that could be committed.
    pub async fn on_commit(
        &mut self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<(), SessionError> {
        future::add_callback(self, On::Commit, Callback::new(callback)).await
    }

    /// Has something done after the transaction is over, if what was done in it so far is undone: because it was
    /// rolled back, or the savepoint that this is registered in. Otherwise as [`on_commit`](Self::on_commit).
    ///
    /// # Errors
    ///
    /// There is no transaction that could be rolled back.
    pub async fn on_rollback(
        &mut self,
        callback: impl FnOnce() + Send + 'static,
    ) -> Result<(), SessionError> {
        future::add_callback(self, On::Rollback, Callback::new(callback)).await
    }

    /// The connection, in this session's transaction. Waits for a checkout and a BEGIN, if there is no
    /// transaction yet.
    ///
    /// # Errors
    ///
    /// The driver's, of BEGIN, or that there is no connection.
    pub async fn connection(&mut self) -> Result<&mut Connection<DB>, Error> {
        future::ready(self).await.map_err(session_refused)?;
        if self.connection.met().is_some() {
            let levels = self.levels();
            self.connection.overcomes(levels);
        }
        Ok(&mut self.connection)
    }

    /// The driver's own connection, in this session's transaction, for what needs its type; see
    /// [`Connection::driver_connection`]. Waits for a checkout and a BEGIN, if there is no transaction yet.
    ///
    /// # Errors
    ///
    /// The driver's, of BEGIN, or that there is no connection.
    pub async fn driver_connection(&mut self) -> Result<&mut DB::Connection, Error> {
        self.connection().await?.driver_connection().await
    }

    /// Whether a transaction was begun, by a statement or by the program, and not ended.
    pub fn in_transaction(&self) -> bool {
        self.stack.in_transaction()
    }

    /// Whether a savepoint was begun in it, and not ended.
    pub fn in_nested_transaction(&self) -> bool {
        self.stack.in_nested_transaction()
    }

    /// Whether statements are taken: not while nothing but a rollback can follow, nor after it was closed for
    /// good. A transaction whose connection was lost is active all the same, as in SQLAlchemy.
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
    pub fn events(&mut self) -> SessionEvents<'_, DB> {
        SessionEvents::new(Arc::make_mut(&mut self.listeners))
    }

    /// The engine that its connections come from.
    pub fn engine(&self) -> &Engine<DB> {
        self.connection.engine()
    }
}

impl<DB: Driver> Session<DB> {
    /// What is left of an attempt that gave this error.
    fn failure<E>(&mut self, error: E) -> Failure<E> {
        let is_known = self.stack.may_have_committed();
        Failure {
            error,
            met: self.connection.met(),
            may_be_committed: is_known || self.connection.may_have_committed(),
        }
    }
}

/// What the work has ended itself is left alone.
async fn do_in<DB, T, E, F>(mut scope: Nested<'_, DB>, work: F) -> Result<T, E>
where
    DB: Driver,
    F: for<'s> FnOnce(&'s mut Session<DB>) -> Work<'s, T, E> + Send,
    T: Send,
    E: From<SessionError> + Send,
{
    let done = work(&mut scope).await;
    let ended = match (scope.is_open(), &done) {
        (false, _) => Ok(()),
        (true, Ok(_)) => scope.commit().await,
        // The work's error is the one to be told; if this fails too, the stack knows it.
        (true, Err(_)) => scope.rollback().await.or(Ok(())),
    };
    ended?;
    done
}

impl<DB: Driver> Drop for Session<DB> {
    fn drop(&mut self) {
        self.undo_phases();
        self.connection.give_back();
        blocking::abandon(&mut self.stack);
    }
}

impl<DB: Driver> fmt::Debug for Session<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("connection", &self.connection)
            .field("stack", &self.stack)
            .finish_non_exhaustive()
    }
}
