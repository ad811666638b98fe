use std::{fmt, panic::Location, sync::Arc};

use everpool_engine::isolation::CharacteristicsError;
use everpool_session::{
    Listeners, RetryPolicy, SessionOptions, SessionSettings,
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
    pub(super) settings: SessionSettings,
    pub(super) listeners: Arc<Listeners<Participant<Session<C>>>>,
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
        if settings.twophase && C::BACKEND == Backend::Sqlite {
            let (option, backend) = ("twophase", C::BACKEND);
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
        begin_in(&mut self.session(), work)
    }

    /// Does some work in a session of its own, as [`begin`](Self::begin) does; and once more, in another session,
    /// if it failed because another transaction stood in its way or its connection was lost: a deadlock (40P01;
    /// 1213), a serialization failure (40001; 1020), a lock that did not come in time (MySQL's 1205), SQLite's
    /// `BUSY`, a disconnect. How the work wraps the database's error does not matter: the session has seen it.
    /// Nothing is done again that may be committed: if the answer to COMMIT was lost, or the work has committed
    /// itself, or in `AUTOCOMMIT`. What the work leaves to [`on_commit`](Session::on_commit) is done for the attempt
    /// that is committed alone. Blocks for what is sent, and for the pauses of `retry`.
    ///
    /// The work must do nothing outside of the session that may not be done twice. It is known by the database's
    /// words whether an error is a conflict, as Diesel shows no codes; for servers with other words, and for errors
    /// on the [`driver_connection`](Session::driver_connection), there is [`Retry::when`](everpool_session::Retry::when).
    /// On MySQL, a statement that commits by the way (`CREATE TABLE`) is not for such work, nor is a COMMIT in the work's
    /// own words: neither is noticed.
    ///
    /// # Errors
    ///
    /// Those of [`begin`](Self::begin), of the last attempt.
    #[cfg_attr(
        feature = "sqlite",
        doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, Retry, SessionError, SessionMaker, SessionOptions, create_engine};
let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let options = SessionOptions::default().isolation_level("SERIALIZABLE");
let sessions = SessionMaker::with_options(&engine, &options)?;
sessions.run(Retry::default(), |session| {
    diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(session)?;
    Ok::<(), SessionError>(())
})?;
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
    )]
    #[track_caller]
    pub fn run<T, E>(
        &self,
        retry: impl RetryPolicy<E>,
        mut work: impl FnMut(&mut Session<C>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        let place = Location::caller();
        blocking::run(retry, || {
            let mut session = self.session();
            session.connection.is_asked_for_at(place);
            begin_in(&mut session, &mut work).map_err(|error| session.failure(error))
        })
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

fn begin_in<C: Driver, T, E: From<SessionError>>(
    session: &mut Session<C>,
    work: impl FnOnce(&mut Session<C>) -> Result<T, E>,
) -> Result<T, E> {
    let level = blocking::begin_transaction(session)?;
    do_in(Nested::enter(session, level), work)
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
