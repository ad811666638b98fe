use std::{
    fmt, mem,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use everpool_session::{
    JoinTransactionMode, Listeners, SessionOptions, SessionSettings, blocking,
    blocking::Participant, stack::Stack,
};

use super::{Session, SessionMaker};
use crate::{connection::Connection, driver::Driver};

/// A [`Session`] on a connection that somebody else has, and gets back as soon as this is dropped: from
/// [`Session::join`]. It derefs to the session, on which statements run: `.execute(&mut *session)`.
///
/// What the session makes of a transaction that is open there is its [`JoinTransactionMode`]. Dropped, it ends as
/// [`Session::close`] ends it.
#[cfg_attr(
    feature = "sqlite",
    doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, JoinTransactionMode, Session, create_engine};
# let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let mut connection = engine.connect()?;
let mut transaction = connection.begin()?;

let mut session = Session::join(&mut transaction, JoinTransactionMode::CreateSavepoint);
diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(&mut *session)?;
session.commit()?; // of a savepoint
drop(session);

transaction.rollback()?;
assert!(diesel::sql_query("SELECT * FROM t").execute(&mut connection).is_err());
# Ok::<(), Box<dyn std::error::Error>>(())
```

The connection is the session's alone for as long as that lives:

```compile_fail,E0499
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, JoinTransactionMode, Session, create_engine};
# let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let mut connection = engine.connect()?;
let mut session = Session::join(&mut connection, JoinTransactionMode::default());
diesel::sql_query("SELECT 1").execute(&mut connection)?;
session.commit()?;
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
pub struct JoinedSession<'a, C: Driver> {
    session: Session<C>,
    /// Where its connection is to be again. Until then, and if this is forgotten, there is one that has lost it.
    owner: &'a mut Connection<C>,
}

impl<'a, C: Driver> JoinedSession<'a, C> {
    fn new(
        owner: &'a mut Connection<C>,
        settings: SessionSettings,
        listeners: Arc<Listeners<Participant<Session<C>>>>,
    ) -> Self {
        let connection = owner.lend_out();
        let session = Session::on(connection, Stack::joined(settings), listeners);
        Self { session, owner }
    }
}

impl<C: Driver> Session<C> {
    /// A session on this connection, of which it is told by `mode` what to make of a transaction that is open
    /// there. Where none is, it begins its own and ends it, and the connection stays where it is. Does not block.
    ///
    /// What was lost on the connection is not replaced for the session while a transaction is open there: it
    /// answers as the connection does, until whoever has begun that has rolled it back.
    pub fn join(connection: &mut Connection<C>, mode: JoinTransactionMode) -> JoinedSession<'_, C> {
        let settings = SessionOptions::default()
            .join_transaction_mode(mode)
            .settings();
        JoinedSession::new(connection, settings, Arc::default())
    }

    /// Gives the connection back to who has it: what is left open there is theirs.
    pub(super) fn leave(&mut self) {
        let levels = self.connection.levels();
        match self.stack.outside(levels) {
            None => self.connection.release(),
            Some(outside) => self.connection.lower_to(outside),
        }
    }
}

impl<C: Driver> SessionMaker<C> {
    /// A session on this connection; see [`Session::join`]. It has the options and listeners of all that are made
    /// here, [`join_transaction_mode`](SessionOptions::join_transaction_mode) among them. Transactions begin there
    /// with what the connection has: `isolation_level` and its like are not asked of it. Does not block.
    pub fn join<'a>(&self, connection: &'a mut Connection<C>) -> JoinedSession<'a, C> {
        JoinedSession::new(connection, self.settings, Arc::clone(&self.listeners))
    }
}

impl<C: Driver> Drop for JoinedSession<'_, C> {
    fn drop(&mut self) {
        self.session.leave();
        mem::swap(&mut self.session.connection, self.owner);
        blocking::abandon(&mut self.session.stack);
    }
}

impl<C: Driver> Deref for JoinedSession<'_, C> {
    type Target = Session<C>;

    fn deref(&self) -> &Session<C> {
        &self.session
    }
}

impl<C: Driver> DerefMut for JoinedSession<'_, C> {
    fn deref_mut(&mut self) -> &mut Session<C> {
        &mut self.session
    }
}

impl<C: Driver> fmt::Debug for JoinedSession<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinedSession").field(&self.session).finish()
    }
}
