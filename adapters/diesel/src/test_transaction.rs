use std::{fmt, ops::Deref, sync::Arc, time::Duration};

use diesel::QueryResult;
use everpool_engine::stage::StageError;

use crate::{
    driver::Driver,
    engine::Engine,
    error::{bad_option, not_sent},
    stage::Stage,
};

/// How long the end of a test waits for what is still out.
const PATIENCE: Duration = Duration::from_secs(5);

/// An engine for a test, on which everything that is done is rolled back when this is dropped: from
/// [`Engine::test_transaction`]. It derefs to the engine, of which the program under test has clones.
#[must_use = "a test transaction that is dropped is over at once"]
pub struct TestTransaction<C: Driver> {
    engine: Engine<C>,
    stage: Arc<Stage<C>>,
}

impl<C: Driver> Engine<C> {
    /// An engine for a test: as this one, but all that is done through it is done on one connection, in one
    /// transaction, which is rolled back when the test is over. What is committed there is seen by all who use that
    /// engine, and by nobody else at any time. Blocks for a checkout and a BEGIN.
    ///
    /// Its transactions are savepoints, and so are single statements, so that one that fails takes nothing with it.
    /// It has the listeners and execution options of this one; its pool is its own, and has no events of this one's.
    ///
    /// The connection is one for all, so they wait in line for it, for at most `pool_timeout`. A thread that has it
    /// and asks for it once more is told so at once:
    /// [`CheckoutError::InUse`](everpool_core::CheckoutError::InUse). If it is lost, so is the test: no other takes
    /// its place.
    ///
    /// All transactions have the isolation level of the test's, whatever is asked for, and may write, except on SQLite:
    /// a server does not refuse what is written on `read_only()` in a test. On MySQL and MariaDB a
    /// statement that commits by the way (`CREATE TABLE`) commits what was done so far, and ends the test: it is the
    /// next transaction that is refused. On any database so does a COMMIT in the program's own words on the driver's
    /// own connection. On PostgreSQL, what fails on a raw connection takes with it what was done there before.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection; that this is the engine of a test.
    #[cfg_attr(
        feature = "sqlite",
        doc = r#"
```
use diesel::prelude::*;
use everpool_diesel::{Engine, EngineOptions, SessionError, create_engine};

# diesel::table! { users (name) { name -> Text, } }
// The program under test commits.
fn sign_up(engine: &Engine<SqliteConnection>, name: &str) -> Result<usize, SessionError> {
    engine.session(|session| {
        let user = diesel::insert_into(users::table).values(users::name.eq(name));
        user.execute(session).map_err(SessionError::from)
    })
}

let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
diesel::sql_query("CREATE TABLE users (name TEXT PRIMARY KEY)").execute(&mut engine.connect()?)?;

let test = engine.test_transaction()?;
sign_up(&test, "sandy")?;
assert_eq!(users::table.count().first::<i64>(&mut test.connect()?)?, 1);
drop(test);

assert_eq!(users::table.count().first::<i64>(&mut engine.connect()?)?, 0);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
    )]
    #[track_caller]
    pub fn test_transaction(&self) -> QueryResult<TestTransaction<C>> {
        if self.is_staged() {
            return Err(bad_option(StageError::Nested));
        }
        let lease = self.raw_connection();
        let lease = lease.map_err(|error| not_sent(error.into()))?;
        let stage = Arc::new(Stage::begin(lease, self.wording("BEGIN"))?);
        let engine = self.staged(&stage);
        Ok(TestTransaction { engine, stage })
    }
}

impl<C: Driver> TestTransaction<C> {
    /// The engine for the program under test.
    pub fn engine(&self) -> &Engine<C> {
        &self.engine
    }
}

/// Blocks for the ROLLBACK; and, for at most 5 seconds, until a connection that is still out comes back. If it does
/// not, that is rolled back when it does.
impl<C: Driver> Drop for TestTransaction<C> {
    fn drop(&mut self) {
        self.stage.end();
        // Who still has it is not this one's to call.
        let _closed = self.engine.pool().close(PATIENCE);
    }
}

impl<C: Driver> Deref for TestTransaction<C> {
    type Target = Engine<C>;

    fn deref(&self) -> &Engine<C> {
        &self.engine
    }
}

impl<C: Driver> fmt::Debug for TestTransaction<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestTransaction")
            .field(&self.engine)
            .finish()
    }
}
