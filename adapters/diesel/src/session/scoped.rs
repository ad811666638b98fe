use diesel::result::Error;
use everpool_session::scope::{self, SessionFactory, ThreadScope};

use super::{Session, SessionMaker};
use crate::driver::Driver;

/// A session for each thread, or for each key of the program's: SQLAlchemy's `scoped_session`. Code that is deep in the
/// same thread has the same session without being given it.
#[cfg_attr(
    feature = "sqlite",
    doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, ScopedSession, SessionError, SessionMaker, create_engine};
fn write_down(sessions: &ScopedSession<SqliteConnection>) -> Result<(), SessionError> {
    let insert = diesel::sql_query("INSERT INTO visits VALUES (1)");
    insert.execute(&mut *sessions.session()?)?;
    Ok(())
}

# let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let sessions = ScopedSession::by_thread(SessionMaker::new(&engine));
sessions.with(|session| diesel::sql_query("CREATE TABLE visits (x INTEGER)").execute(session))??;
write_down(&sessions)?;
sessions.session()?.commit()?;
sessions.remove();
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
pub type ScopedSession<C, K = ThreadScope> = scope::ScopedSession<SessionMaker<C>, K>;

impl<C: Driver> SessionFactory for SessionMaker<C> {
    type Session = Session<C>;
    type Error = Error;

    #[track_caller]
    fn make(&self) -> Session<C> {
        self.session()
    }
}
