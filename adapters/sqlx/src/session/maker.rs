use std::{fmt, sync::Arc};

use everpool_engine::{Backend, isolation::CharacteristicsError};
use everpool_session::{
    Listeners, SessionOptions, SessionSettings,
    future::{self, Participant},
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
    settings: SessionSettings,
    listeners: Arc<Listeners<Participant<Session<DB>>>>,
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
        let mut session = self.session();
        let level = future::begin_transaction(&mut session).await?;
        do_in(Nested::enter(&mut session, level), work).await
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
