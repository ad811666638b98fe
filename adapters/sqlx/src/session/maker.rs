use std::{fmt, sync::Arc, time::Instant};

use everpool_engine::{Backend, isolation::CharacteristicsError};
use everpool_session::{
    Listeners, RetryPolicy, SessionOptions, SessionSettings,
    future::{self, Participant},
    retry::{Attempts, Failure},
};

use super::{Nested, Session, SessionError, SessionEvents, Work, do_in};
use crate::{create::EngineError, driver::Driver, engine::Engine};

/// Makes sessions that are all alike: SQLAlchemy's `sessionmaker`. Make one at the start of the program;
/// cloning gives one that makes the same sessions.
///
/// Its listeners are those of the sessions that it makes from then on, and of no others.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, SessionError, SessionMaker, Sqlite, create_engine, query};
let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut sessions = SessionMaker::new(&engine);
sessions.events().after_begin(|session, _| {
    Box::pin(async move {
        query("PRAGMA defer_foreign_keys = ON").execute(session).await.map(drop)
    })
});

let rows = sessions
    .begin(|session| {
        Box::pin(async move {
            query("CREATE TABLE t (x INTEGER)").execute(&mut *session).await?;
            let done = query("INSERT INTO t VALUES (1)").execute(session).await?;
            Ok::<_, SessionError>(done.rows_affected())
        })
    })
    .await?;
assert_eq!(rows, 1);
# Ok(())
# }
```
"#
)]
pub struct SessionMaker<DB: Driver> {
    engine: Engine<DB>,
    pub(super) settings: SessionSettings,
    pub(super) listeners: Arc<Listeners<Participant<Session<DB>>>>,
}

impl<DB: Driver> SessionMaker<DB> {
    /// One whose sessions take their connections from `engine`.
    pub fn new(engine: &Engine<DB>) -> Self {
        Self {
            engine: engine.clone(),
            settings: SessionSettings::default(),
            listeners: Arc::default(),
        }
    }

    /// One whose sessions are as `options` say. What they ask of transactions comes on top of what the engine
    /// asks.
    ///
    /// # Errors
    ///
    /// A value that the database does not have, with those that it has.
    pub fn with_options(
        engine: &Engine<DB>,
        options: &SessionOptions,
    ) -> Result<Self, EngineError> {
        let settings = options.settings();
        if settings.tracks_outcome && engine.backend() != Backend::Postgresql {
            let (option, backend) = ("track_outcome", engine.backend());
            return Err(CharacteristicsError::NotThisDatabase { option, backend }.into());
        }
        if settings.twophase && engine.backend() == Backend::Sqlite {
            let (option, backend) = ("twophase", engine.backend());
            return Err(CharacteristicsError::NotThisDatabase { option, backend }.into());
        }
        let engine = match options.execution().is_empty() {
            true => engine.clone(),
            false => engine.execution_options(options.execution())?,
        };
        let listeners = Arc::default();
        Ok(Self {
            engine,
            settings,
            listeners,
        })
    }

    /// A session that has begun nothing. Does not wait.
    pub fn session(&self) -> Session<DB> {
        let listeners = Arc::clone(&self.listeners);
        Session::new(self.engine.clone(), self.settings, listeners)
    }

    /// Does some work in a session of its own: commits it if the work succeeds, and rolls it back if it fails,
    /// panics or is given up. If the work has ended the transaction itself, nothing is committed.
    ///
    /// # Errors
    ///
    /// The work's, or those of [`Session::commit`].
    pub async fn begin<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'s> FnOnce(&'s mut Session<DB>) -> Work<'s, T, E> + Send,
        T: Send,
        E: From<SessionError> + Send,
    {
        begin_in(&mut self.session(), work).await
    }

    /// Does some work in a session of its own, as [`begin`](Self::begin) does; and once more, in another session,
    /// if it failed because another transaction stood in its way or its connection was lost: a deadlock (40P01;
    /// 1213), a serialization failure (40001; 1020), a lock that did not come in time (MySQL's 1205), SQLite's
    /// `BUSY`, a disconnect. How the work wraps the database's error does not matter: the session has seen it.
    /// Nothing is done again that may be committed: if the answer to COMMIT was lost, or the work has ended the
    /// transaction itself, be it by a COMMIT in its own words, or in `AUTOCOMMIT`. What the work leaves to
    /// [`on_commit`](Session::on_commit) is done for the attempt that is committed alone. Waits for what is sent, and
    /// for the pauses of `retry`. If the future is dropped, the attempt under way is rolled back, and there is no
    /// other.
    ///
    /// The work must do nothing outside of the session that may not be done twice. For errors on the
    /// [`driver_connection`](Session::driver_connection), which the session does not see, there is
    /// [`Retry::when`](everpool_session::Retry::when). A COMMIT among several statements in one text is not noticed, nor,
    /// on MySQL, a statement that commits by the way (`CREATE TABLE`): neither is for such work.
    ///
    /// # Errors
    ///
    /// Those of [`begin`](Self::begin), of the last attempt.
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{
#     EngineOptions, Retry, SessionError, SessionMaker, SessionOptions, Sqlite, create_engine, query,
# };
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let options = SessionOptions::default().isolation_level("SERIALIZABLE");
let sessions = SessionMaker::with_options(&engine, &options)?;
let work = sessions.run(Retry::default(), |session| {
    Box::pin(async move {
        query("CREATE TABLE t (x INTEGER)").execute(session).await?;
        Ok::<(), SessionError>(())
    })
});
work.await?;
# Ok(())
# }
```
"#
    )]
    pub async fn run<T, E, F>(&self, retry: impl RetryPolicy<E> + Send, mut work: F) -> Result<T, E>
    where
        F: for<'s> FnMut(&'s mut Session<DB>) -> Work<'s, T, E> + Send,
        T: Send,
        E: From<SessionError> + Send,
    {
        let mut attempts = Attempts::begin(retry, Instant::now());
        loop {
            match self.attempt(&mut work).await {
                Ok(done) => return Ok(done),
                Err(failure) => future::pause(&mut attempts, failure).await?,
            }
        }
    }

    /// The session is gone, and its connection back, before anybody waits for another attempt.
    async fn attempt<T, E, F>(&self, work: F) -> Result<T, Failure<E>>
    where
        F: for<'s> FnOnce(&'s mut Session<DB>) -> Work<'s, T, E> + Send,
        T: Send,
        E: From<SessionError> + Send,
    {
        let mut session = self.session();
        let done = begin_in(&mut session, work).await;
        done.map_err(|error| session.failure(error))
    }

    /// Registers listeners of the sessions that are made from now on.
    pub fn events(&mut self) -> SessionEvents<'_, DB> {
        SessionEvents::new(Arc::make_mut(&mut self.listeners))
    }

    /// The engine that the sessions' connections come from.
    pub fn engine(&self) -> &Engine<DB> {
        &self.engine
    }
}

async fn begin_in<DB, T, E, F>(session: &mut Session<DB>, work: F) -> Result<T, E>
where
    DB: Driver,
    F: for<'s> FnOnce(&'s mut Session<DB>) -> Work<'s, T, E> + Send,
    T: Send,
    E: From<SessionError> + Send,
{
    let level = future::begin_transaction(session).await?;
    do_in(Nested::enter(session, level), work).await
}

impl<DB: Driver> Clone for SessionMaker<DB> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            settings: self.settings,
            listeners: Arc::clone(&self.listeners),
        }
    }
}

impl<DB: Driver> fmt::Debug for SessionMaker<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionMaker")
            .field("engine", &self.engine)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
