use everpool_session::scope::{self, SessionFactory, TaskScope};
use sqlx::Error;

use super::{Session, SessionMaker};
use crate::driver::Driver;

/// A session for each task, or for each key of the program's: SQLAlchemy's `async_scoped_session`. Code that is deep in
/// the same task has the same session without being given it.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{
#     EngineOptions, ScopedSession, SessionError, SessionMaker, Sqlite, create_engine, query,
# };
async fn write_down(sessions: &ScopedSession<Sqlite>) -> Result<(), SessionError> {
    let insert = query("INSERT INTO visits VALUES (1)");
    insert.execute(&mut *sessions.session()?).await?;
    Ok(())
}

# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let sessions = ScopedSession::by_task(SessionMaker::new(&engine));
let request = sessions.scope(async {
    query("CREATE TABLE visits (x INTEGER)").execute(&mut *sessions.session()?).await?;
    write_down(&sessions).await?;
    sessions.session()?.commit().await
});
request.await?;
# Ok(())
# }
```
"#
)]
pub type ScopedSession<DB, K = TaskScope> = scope::ScopedSession<SessionMaker<DB>, K>;

impl<DB: Driver> SessionFactory for SessionMaker<DB> {
    type Session = Session<DB>;
    type Error = Error;

    fn make(&self) -> Session<DB> {
        self.session()
    }
}
