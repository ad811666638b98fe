use std::{
    fmt, mem,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use everpool_session::{
    JoinTransactionMode, Listeners, SessionOptions, SessionSettings, blocking, future::Participant,
    stack::Stack,
};

use super::{Session, SessionMaker};
use crate::{connection::Connection, driver::Driver};

/// A [`Session`] on a connection that somebody else has, and gets back as soon as this is dropped: from
/// [`Session::join`]. It derefs to the session, on which statements run: `.execute(&mut *session)`.
///
/// What the session makes of a transaction that is open there is its [`JoinTransactionMode`]. Dropped, it ends as
/// [`Session::close`] ends it; a drop cannot wait, so what is to be rolled back is so with the connection's next
/// statement, or at its return.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, JoinTransactionMode, Session, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut connection = engine.connect().await?;
let mut transaction = connection.begin().await?;

let mut session = Session::join(&mut transaction, JoinTransactionMode::CreateSavepoint);
query("CREATE TABLE t (x INTEGER)").execute(&mut *session).await?;
session.commit().await?; // of a savepoint
drop(session);

transaction.rollback().await?;
assert!(query("SELECT * FROM t").execute(&mut *connection).await.is_err());
# Ok(())
# }
```
"#
)]
pub struct JoinedSession<'a, DB: Driver> {
    session: Session<DB>,
    /// Where its connection is to be again. Until then, and if this is forgotten, there is one that has lost it.
    owner: &'a mut Connection<DB>,
}

impl<'a, DB: Driver> JoinedSession<'a, DB> {
    fn new(
        owner: &'a mut Connection<DB>,
        settings: SessionSettings,
        listeners: Arc<Listeners<Participant<Session<DB>>>>,
    ) -> Self {
        owner.trust_the_driver();
        let connection = owner.lend_out();
        let session = Session::on(connection, Stack::joined(settings), listeners);
        Self { session, owner }
    }
}

impl<DB: Driver> Session<DB> {
    /// A session on this connection, of which it is told by `mode` what to make of a transaction that is open
    /// there. Where none is, it begins its own and ends it, and the connection stays where it is. Does not wait.
    ///
    /// What was lost on the connection is not replaced for the session while a transaction is open there: it
    /// answers as the connection does, until whoever has begun that has rolled it back.
    pub fn join(
        connection: &mut Connection<DB>,
        mode: JoinTransactionMode,
    ) -> JoinedSession<'_, DB> {
        let settings = SessionOptions::default()
            .join_transaction_mode(mode)
            .settings();
        JoinedSession::new(connection, settings, Arc::default())
    }

    /// Gives the connection back to who has it: what is left open there is theirs.
    pub(super) fn leave(&mut self) {
        let levels = u32::try_from(self.connection.levels()).unwrap_or(u32::MAX);
        match self.stack.outside(levels) {
            None => self.connection.give_back(),
            Some(outside) => self.connection.lower_to(outside as usize),
        }
    }
}

impl<DB: Driver> SessionMaker<DB> {
    /// A session on this connection; see [`Session::join`]. It has the options and listeners of all that are made
    /// here, [`join_transaction_mode`](SessionOptions::join_transaction_mode) among them. Transactions begin there
    /// with what the connection has: `isolation_level` and its like are not asked of it. Does not wait.
    pub fn join<'a>(&self, connection: &'a mut Connection<DB>) -> JoinedSession<'a, DB> {
        JoinedSession::new(connection, self.settings, Arc::clone(&self.listeners))
    }
}

impl<DB: Driver> Drop for JoinedSession<'_, DB> {
    fn drop(&mut self) {
        self.session.leave();
        mem::swap(&mut self.session.connection, self.owner);
        blocking::abandon(&mut self.session.stack);
    }
}

impl<DB: Driver> Deref for JoinedSession<'_, DB> {
    type Target = Session<DB>;

    fn deref(&self) -> &Session<DB> {
        &self.session
    }
}

impl<DB: Driver> DerefMut for JoinedSession<'_, DB> {
    fn deref_mut(&mut self) -> &mut Session<DB> {
        &mut self.session
    }
}

impl<DB: Driver> fmt::Debug for JoinedSession<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinedSession").field(&self.session).finish()
    }
}
