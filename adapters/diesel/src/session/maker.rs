use std::{fmt, sync::Arc};

use everpool_engine::isolation::CharacteristicsError;
use everpool_session::{
    Listeners, SessionOptions, SessionSettings,
    blocking::{self, Participant},
};

use super::{Nested, Session, SessionError, SessionEvents, do_in};
use crate::{
    Backend,
    driver::Driver,
    engine::{Engine, EngineError},
};

/// Makes sessions that are all alike: SQLAlchemy's `sessionmaker`. Make one at the start of the program;
/// cloning gives one that makes the same sessions.
///
/// Its listeners are those of the sessions that it makes from then on, and of no others.
#[cfg_attr(
    feature = "sqlite",
    doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, SessionError, SessionMaker, SessionOptions, create_engine};
let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let mut sessions = SessionMaker::new(&engine);
sessions.events().after_begin(|session, _| {
    diesel::sql_query("PRAGMA foreign_keys = ON").execute(session).map(drop)
});

let rows = sessions.begin(|session| {
    diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(session)?;
    diesel::sql_query("INSERT INTO t VALUES (1)").execute(session).map_err(SessionError::from)
})?;
assert_eq!(rows, 1);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
pub struct SessionMaker<C: Driver> {
    engine: Engine<C>,
    settings: SessionSettings,
    listeners: Arc<Listeners<Participant<Session<C>>>>,
}

impl<C: Driver> SessionMaker<C> {
    /// One whose sessions take their connections from `engine`.
    pub fn new(engine: &Engine<C>) -> Self {
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
    pub fn with_options(engine: &Engine<C>, options: &SessionOptions) -> Result<Self, EngineError> {
        let settings = options.settings();
        if settings.tracks_outcome && C::BACKEND != Backend::Postgresql {
            let (option, backend) = ("track_outcome", C::BACKEND);
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

    /// A session that has begun nothing. Does not block.
    #[track_caller]
    pub fn session(&self) -> Session<C> {
        let listeners = Arc::clone(&self.listeners);
        Session::new(self.engine.clone(), self.settings, listeners)
    }

    /// Does some work in a session of its own: commits it if the work succeeds, and rolls it back if it fails
    /// or panics. If the work has ended the transaction itself, nothing is committed. Blocks for what is sent.
    ///
    /// # Errors
    ///
    /// The work's, or those of [`Session::commit`].
    #[track_caller]
    pub fn begin<T, E>(&self, work: impl FnOnce(&mut Session<C>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        let mut session = self.session();
        let level = blocking::begin_transaction(&mut session)?;
        do_in(Nested::enter(&mut session, level), work)
    }

    /// Registers listeners of the sessions that are made from now on.
    pub fn events(&mut self) -> SessionEvents<'_, C> {
        SessionEvents::new(Arc::make_mut(&mut self.listeners))
    }

    /// The engine that the sessions' connections come from.
    pub fn engine(&self) -> &Engine<C> {
        &self.engine
    }
}

impl<C: Driver> Clone for SessionMaker<C> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            settings: self.settings,
            listeners: Arc::clone(&self.listeners),
        }
    }
}

impl<C: Driver> fmt::Debug for SessionMaker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionMaker")
            .field("engine", &self.engine)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
