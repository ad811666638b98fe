use std::{fmt, sync::Arc, time::Duration};

use everpool_session::{
    Listeners, SessionSettings, TransactionId,
    future::{self, Participant, Transactional},
    stack::{Control, Method, Stack, Standing},
};
use sqlx::Error;

use crate::{as_sqlx::session_refused, connection::Connection, driver::Driver, engine::Engine};

/// Why a session could not commit or roll back.
pub type SessionError = everpool_session::SessionError<Error>;

/// A transaction scope, which executes queries of SQLx's.
///
/// Nothing is sent, and no connection taken, before the first statement. That one is preceded by
/// BEGIN; if BEGIN meets a connection that died in the pool, another is taken and the program does
/// not hear of it. After [`commit`](Self::commit) or [`rollback`](Self::rollback) the connection is
/// back in the pool, and the next statement begins another transaction. Dropped, it rolls back.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, Session, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut session = Session::begin(&engine).await?;
query("CREATE TABLE t (x INTEGER)").execute(&mut session).await?;
assert!(session.in_transaction());
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
}

impl<DB: Driver> Session<DB> {
    /// A session that will take its connection from `engine`. Nothing is taken or sent before the first
    /// statement, so this is ready at once.
    ///
    /// # Errors
    ///
    /// None so far: what goes wrong with the connection or with BEGIN is the first statement's error.
    pub async fn begin(engine: &Engine<DB>) -> Result<Self, SessionError> {
        let connection = Connection::unconnected(engine.clone());
        Ok(Self {
            connection,
            stack: Stack::new(SessionSettings::default()),
            listeners: Arc::default(),
        })
    }

    /// Commits what was done since the first statement; if there was none, nothing is sent.
    ///
    /// # Errors
    ///
    /// - [`CommitOutcomeUnknown`](everpool_session::SessionError::CommitOutcomeUnknown) if the
    ///   connection was lost at COMMIT.
    /// - [`Aborted`](everpool_session::SessionError::Aborted) if a statement had failed and the
    ///   database will only roll back, and
    ///   [`PendingRollback`](everpool_session::SessionError::PendingRollback) if the connection had
    ///   been lost before: the session must be rolled back.
    /// - [`Database`](everpool_session::SessionError::Database) if the database said no: the
    ///   transaction is rolled back.
    pub async fn commit(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Commit).await
    }

    /// Undoes what was done since the first statement; if there was none, nothing is sent.
    ///
    /// # Errors
    ///
    /// The database's. A lost connection is none: what was done on it is undone.
    pub async fn rollback(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Rollback).await
    }

    /// The connection, in this session's transaction. Waits for a checkout and a BEGIN, if there is no
    /// transaction yet.
    ///
    /// # Errors
    ///
    /// The driver's, of BEGIN, or that there is no connection.
    pub async fn connection(&mut self) -> Result<&mut Connection<DB>, Error> {
        future::ready(self).await.map_err(session_refused)?;
        Ok(&mut self.connection)
    }

    /// Whether a transaction was begun by a statement, and not ended.
    pub fn in_transaction(&self) -> bool {
        self.stack.in_transaction()
    }
}

impl<DB: Driver> Transactional for Session<DB> {
    type Error = Error;

    #[inline]
    fn stack(&mut self) -> &mut Stack {
        &mut self.stack
    }

    fn listeners(&self) -> &Arc<Listeners<Participant<Self>>> {
        &self.listeners
    }

    #[inline]
    fn levels(&mut self) -> u32 {
        u32::try_from(self.connection.levels()).unwrap_or(u32::MAX)
    }

    fn standing(&mut self, levels: u32) -> Standing {
        self.connection.standing(levels)
    }

    fn is_connected(&mut self) -> bool {
        !self.connection.invalidated()
    }

    fn timeout(&self) -> Duration {
        self.connection.timeout()
    }

    async fn checkout(&mut self, timeout: Duration) -> Result<(), Error> {
        self.connection.checkout_for_session(timeout).await
    }

    async fn send(&mut self, control: Control) -> Result<(), Error> {
        self.connection.send_control(control).await
    }

    /// No session asks for it yet.
    async fn transaction_id(&mut self) -> Result<TransactionId, Error> {
        Ok(TransactionId::Unassigned)
    }

    fn release(&mut self) {
        self.connection.give_back();
    }

    fn invalidate(&mut self) {
        self.connection.invalidate();
        self.connection.give_back();
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
