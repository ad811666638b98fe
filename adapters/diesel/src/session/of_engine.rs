//! Sessions that an engine makes by itself.

use everpool_session::RetryPolicy;

use super::{Session, SessionError, SessionMaker};
use crate::{driver::Driver, engine::Engine};

impl<C: Driver> Engine<C> {
    /// Does some work in a [`Session`] of its own: commits it if the work succeeds, and rolls
    /// it back if it fails or panics. Blocks for what is sent.
    ///
    /// # Errors
    ///
    /// The work's, or those of [`Session::commit`].
    #[cfg_attr(
        feature = "sqlite",
        doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, SessionError, create_engine};
let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
engine.session(|session| {
    diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(session)?;
    Ok::<(), SessionError>(())
})?;
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
    )]
    #[track_caller]
    pub fn session<T, E>(&self, work: impl FnOnce(&mut Session<C>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        SessionMaker::new(self).begin(work)
    }

    /// Does some work in a session, as [`session`](Self::session) does; and once more, in another session, if it
    /// failed because another transaction stood in its way or its connection was lost. Nothing is done again that
    /// may be committed. See [`SessionMaker::run`], which this calls. Blocks for what is sent, and for the pauses
    /// of `retry`.
    ///
    /// # Errors
    ///
    /// Those of [`session`](Self::session), of the last attempt.
    #[cfg_attr(
        feature = "sqlite",
        doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, Retry, SessionError, create_engine};
let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let rows = engine.run(Retry::default(), |session| {
    diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(session)?;
    diesel::sql_query("INSERT INTO t VALUES (1)").execute(session).map_err(SessionError::from)
})?;
assert_eq!(rows, 1);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
    )]
    #[track_caller]
    pub fn run<T, E>(
        &self,
        retry: impl RetryPolicy<E>,
        work: impl FnMut(&mut Session<C>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        SessionMaker::new(self).run(retry, work)
    }
}
