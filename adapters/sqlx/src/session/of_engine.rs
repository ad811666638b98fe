//! What an engine does with sessions.

use everpool_engine::{Backend, isolation::CharacteristicsError};
use everpool_session::{Outcome, RetryPolicy, TransactionId};
use sqlx::Error;

use super::{Session, SessionError, SessionMaker, Work};
use crate::{
    as_sqlx::{bad_option, unknown_status},
    driver::Driver,
    engine::Engine,
};

impl<DB: Driver> Engine<DB> {
    /// Does some work in a [`Session`] of its own: commits it if the work succeeds, and rolls it back if it
    /// fails, panics or is given up.
    ///
    /// # Errors
    ///
    /// The work's, or those of [`Session::commit`].
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, SessionError, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
engine
    .session(|session| {
        Box::pin(async move {
            query("CREATE TABLE t (x INTEGER)").execute(session).await?;
            Ok::<(), SessionError>(())
        })
    })
    .await?;
# Ok(())
# }
```
"#
    )]
    pub async fn session<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'s> FnOnce(&'s mut Session<DB>) -> Work<'s, T, E> + Send,
        T: Send,
        E: From<SessionError> + Send,
    {
        SessionMaker::new(self).begin(work).await
    }

    /// Does some work in a session, as [`session`](Self::session) does; and once more, in another session, if it
    /// failed because another transaction stood in its way or its connection was lost. Nothing is done again that
    /// may be committed. See [`SessionMaker::run`], which this calls. Waits for what is sent, and for the pauses of
    /// `retry`.
    ///
    /// # Errors
    ///
    /// Those of [`session`](Self::session), of the last attempt.
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, Retry, SessionError, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
engine
    .run(Retry::default(), |session| {
        Box::pin(async move {
            query("CREATE TABLE t (x INTEGER)").execute(session).await?;
            Ok::<(), SessionError>(())
        })
    })
    .await?;
# Ok(())
# }
```
"#
    )]
    pub async fn run<T, E, F>(&self, retry: impl RetryPolicy<E> + Send, work: F) -> Result<T, E>
    where
        F: for<'s> FnMut(&'s mut Session<DB>) -> Work<'s, T, E> + Send,
        T: Send,
        E: From<SessionError> + Send,
    {
        SessionMaker::new(self).run(retry, work).await
    }

    /// What became of a transaction of which the answer to COMMIT was lost, as the server knows it; see
    /// [`SessionOptions::track_outcome`](everpool_session::SessionOptions::track_outcome). Asks on a
    /// connection of its own; waits for a checkout and a query. On PostgreSQL only, of its primary.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection; that the database is no PostgreSQL.
    pub async fn outcome(&self, transaction: TransactionId) -> Result<Outcome, Error> {
        if self.backend() != Backend::Postgresql {
            let (option, backend) = ("track_outcome", self.backend());
            return Err(bad_option(CharacteristicsError::NotThisDatabase {
                option,
                backend,
            }));
        }
        let TransactionId::Assigned(number) = transaction else {
            return Ok(Outcome::WroteNothing);
        };
        let mut connection = self.lend().await?;
        let answer = connection.ask(&Outcome::query(number)).await?;
        Outcome::from_answer(answer.as_deref()).ok_or_else(|| unknown_status(answer))
    }
}
