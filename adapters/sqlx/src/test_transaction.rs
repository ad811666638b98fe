use std::{fmt, future::Future, ops::Deref, panic::Location, sync::Arc, time::Duration};

use everpool_engine::stage::StageError;
use sqlx::Error;

use crate::{
    as_sqlx::bad_option,
    driver::Driver,
    engine::Engine,
    stage::Stage,
    version::{Begin, BeginStatement},
};

/// How long the end of a test waits for what is still out.
const PATIENCE: Duration = Duration::from_secs(5);

/// An engine for a test, on which everything that is done is rolled back at its end: from
/// [`Engine::test_transaction`]. It derefs to the engine, of which the program under test has clones.
///
/// The drop cannot wait, so it has the rollback done in the background; [`rollback`](Self::rollback) waits for it.
#[must_use = "a test transaction that is dropped is over at once"]
pub struct TestTransaction<DB: Driver> {
    engine: Engine<DB>,
    stage: Arc<Stage<DB>>,
}

impl<DB: Driver> Engine<DB> {
    /// An engine for a test: as this one, but all that is done through it is done on one connection, in one
    /// transaction, which is rolled back when the test is over. What is committed there is seen by all who use that
    /// engine, and by nobody else at any time.
    ///
    /// Its transactions are savepoints, and so are single statements, so that one that fails takes nothing with it.
    /// It has the listeners and execution options of this one; its pool is its own, and has no events of this one's.
    ///
    /// The connection is one for all, so they wait in line for it, for at most `pool_timeout`. A task that has it and
    /// asks for it once more is told so within a second. If it is lost, so is the test: no other takes its place. On
    /// MySQL and MariaDB it is lost, too, when the future of a statement is dropped before its end.
    ///
    /// All transactions have the isolation level of the test's, whatever is asked for, and may write, except on SQLite:
    /// a server does not refuse what is written on `read_only()` in a test. On MySQL and MariaDB a
    /// statement that commits by the way (`CREATE TABLE`) commits what was done so far, and ends the test: it is the
    /// next transaction that is refused. On any database a COMMIT in the program's own words does so, and nothing is
    /// sent after it; but on the driver's own connection, where it is not seen at once. On
    /// PostgreSQL, what fails on a raw connection takes with it what was done there before.
    ///
    /// SQLx's `Acquire::begin` of an engine is refused, because SQLx's own transaction can own no connection of this
    /// crate's; [`Engine::begin`] is not.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection; that this is the engine of a test.
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
use everpool_sqlx::{Engine, EngineOptions, Error, Sqlite, create_engine, query, query_scalar};

// The program under test commits.
async fn sign_up(engine: &Engine<Sqlite>, name: &str) -> Result<(), Error> {
    let mut transaction = engine.begin().await?;
    query("INSERT INTO users VALUES ($1)").bind(name).execute(&mut *transaction).await?;
    transaction.commit().await
}

let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
query("CREATE TABLE users (name TEXT PRIMARY KEY)").execute(&engine).await?;

let test = engine.test_transaction().await?;
sign_up(&test, "sandy").await?;
let users: i64 = query_scalar("SELECT count(*) FROM users").fetch_one(test.engine()).await?;
assert_eq!(users, 1);
test.rollback().await;

let users: i64 = query_scalar("SELECT count(*) FROM users").fetch_one(&engine).await?;
assert_eq!(users, 0);
# Ok(())
# }
```
"#
    )]
    #[track_caller]
    pub fn test_transaction(
        &self,
    ) -> impl Future<Output = Result<TestTransaction<DB>, Error>> + Send + use<DB> {
        let (engine, place) = (self.clone(), Location::caller());
        async move {
            if engine.is_staged() {
                return Err(bad_option(StageError::Nested));
            }
            let lease = engine.pool().checkout_from(place, engine.pool_timeout());
            let lease = lease.await.map_err(|error| engine.told(error))?;
            let stage = Arc::new(Stage::begin(lease, begins(&engine)).await?);
            let engine = engine.staged(&stage);
            Ok(TestTransaction { engine, stage })
        }
    }
}

/// What the transaction begins with, if that is not what SQLx begins one with.
fn begins<DB: Driver>(engine: &Engine<DB>) -> Option<Begin> {
    let wording = engine.begin_wording();
    (wording != "BEGIN").then(|| wording.into_begin())
}

impl<DB: Driver> TestTransaction<DB> {
    /// The engine for the program under test.
    pub fn engine(&self) -> &Engine<DB> {
        &self.engine
    }

    /// Rolls everything back. Waits for that; and, for at most 5 seconds, until a connection that is still out comes
    /// back. If it does not, that is rolled back when it does.
    pub async fn rollback(self) {
        self.stage.end().await;
        // Who still has it is not this one's to call.
        let _closed = self.engine.pool().close(PATIENCE).await;
    }
}

impl<DB: Driver> Drop for TestTransaction<DB> {
    fn drop(&mut self) {
        self.stage.abandon();
        // It closes what rests there whether it is awaited or not.
        let _closing = self.engine.pool().close(Duration::ZERO);
    }
}

impl<DB: Driver> Deref for TestTransaction<DB> {
    type Target = Engine<DB>;

    fn deref(&self) -> &Engine<DB> {
        &self.engine
    }
}

impl<DB: Driver> fmt::Debug for TestTransaction<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestTransaction")
            .field(&self.engine)
            .finish()
    }
}
