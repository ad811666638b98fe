//! The meaning is that of `diesel::r2d2`.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Barrier, Mutex},
    thread,
    time::Duration,
};

use diesel::{
    SqliteConnection,
    connection::{
        Connection, Instrumentation, InstrumentationEvent, SimpleConnection, TransactionManager,
    },
    prelude::*,
    result, sql_query,
    sql_types::{Integer, Text},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use everpool_diesel::{
    Fault,
    r2d2::{
        ConnectionManager, CustomizeConnection, Error, HandleError, ManageConnection, Pool,
        PoolError, PooledConnection, R2D2Connection, TestCustomizer,
    },
};

use crate::support::{Counts, Sqlite, in_memory};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/migrations");

fn single() -> Pool<Sqlite> {
    Pool::builder().max_size(1).build(in_memory()).unwrap()
}

fn one(connection: &mut PooledConnection<Sqlite>) -> QueryResult<i32> {
    diesel::select(1.into_sql::<Integer>()).get_result(connection)
}

#[test]
fn as_many_threads_as_the_pool_is_large_have_a_connection_at_once() {
    let pool = Pool::builder().max_size(2).build(in_memory()).unwrap();
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut connection = pool.get().unwrap();
                both.wait();
                assert_eq!(one(&mut connection), Ok(1));
            });
        }
    });
    assert_eq!(pool.state().connections, 2);
    assert_eq!(pool.state().idle_connections, 2);
}

#[test]
fn a_pooled_connection_is_a_diesel_connection() {
    let pool = single();
    let mut connection = pool.get().unwrap();
    let query = diesel::select("text".into_sql::<Text>());
    assert_eq!(query.get_result::<String>(&mut connection).unwrap(), "text");
    connection
        .batch_execute("CREATE TABLE t (i INTEGER)")
        .unwrap();
    let told = connection.transaction(|connection| {
        assert_eq!(
            sql_query("INSERT INTO t VALUES (1)").execute(connection)?,
            1
        );
        Err::<(), _>(result::Error::RollbackTransaction)
    });
    assert_eq!(told, Err(result::Error::RollbackTransaction));
    let left = sql_query("DELETE FROM t").execute(&mut connection);
    assert_eq!(left, Ok(0), "it was rolled back");
    connection.run_pending_migrations(MIGRATIONS).unwrap();
    assert!(PooledConnection::<Sqlite>::establish(":memory:").is_err());
}

#[test]
fn a_connection_comes_back_unless_it_has_a_transaction_or_its_thread_panics() {
    let counts = Counts::default();
    let pool = Pool::builder()
        .max_size(1)
        .event_handler(Box::new(counts.clone()))
        .build(in_memory())
        .unwrap();
    assert_eq!(counts.get(), [1, 0, 0, 0, 0]);

    drop(pool.get().unwrap());
    assert_eq!(counts.get(), [1, 0, 1, 1, 0]);

    let mut connection = pool.get().unwrap();
    type Manager = <SqliteConnection as Connection>::TransactionManager;
    Manager::begin_transaction(&mut *connection).unwrap();
    drop(connection);
    assert_eq!(counts.get()[1..4], [1, 2, 2], "it is released at once");

    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _connection = pool.get().unwrap();
        assert_eq!(counts.get(), [2, 1, 3, 2, 0]);
        panic!("as a handler does");
    }));
    assert!(panicked.is_err());
    assert_eq!(counts.get()[1..4], [2, 3, 3], "it is released at once");
    drop(pool.get().unwrap());
    assert_eq!(counts.get(), [3, 2, 4, 4, 0]);
}

#[test]
fn the_second_caller_is_told_in_time_who_has_the_only_connection() {
    let counts = Counts::default();
    let pool = Pool::builder()
        .max_size(1)
        .connection_timeout(Duration::from_millis(50))
        .event_handler(Box::new(counts.clone()))
        .build(in_memory())
        .unwrap();
    let _out = pool.get().unwrap();
    let refused: PoolError = pool.get().err().unwrap();
    let told = refused.to_string();
    assert!(
        told.starts_with("timed out waiting for connection: "),
        "{told}"
    );
    assert!(told.contains("all connections were in use"), "{told}");
    assert!(
        told.contains("semantics.rs:"),
        "the place of the checkout: {told}"
    );
    assert_eq!(counts.get()[4], 1);
    assert!(pool.try_get().is_none());
    assert_eq!(counts.get()[4], 1, "who does not wait has no timeout");
}

#[test]
fn a_test_transaction_is_kept_from_one_checkout_to_the_next() {
    let pool = Pool::builder()
        .max_size(1)
        .connection_customizer(Box::new(TestCustomizer))
        .build(in_memory())
        .unwrap();
    let create = "CREATE TABLE t (i INTEGER); INSERT INTO t VALUES (1)";
    pool.get().unwrap().batch_execute(create).unwrap();
    let mut connection = pool.get().unwrap();
    assert_eq!(sql_query("DELETE FROM t").execute(&mut connection), Ok(1));
}

/// As in `diesel::r2d2`, which looks at what Diesel has begun only.
#[test]
fn a_transaction_begun_in_plain_sql_is_not_noticed() {
    let pool = single();
    let begin = "CREATE TABLE t (i INTEGER); BEGIN; INSERT INTO t VALUES (1)";
    pool.get().unwrap().batch_execute(begin).unwrap();
    pool.get().unwrap().batch_execute("ROLLBACK").unwrap();
    let left = sql_query("DELETE FROM t").execute(&mut pool.get().unwrap());
    assert_eq!(left, Ok(0), "it was open still");
}

/// What customizers are for, as apps on SQLite have them.
#[derive(Debug)]
struct Pragmas;

impl CustomizeConnection<SqliteConnection, Error> for Pragmas {
    fn on_acquire(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        conn.batch_execute("PRAGMA busy_timeout = 1234")
            .map_err(Error::QueryError)
    }
}

#[test]
fn customizers_written_for_r2d2_prepare_connections() {
    let customizer: Box<dyn r2d2::CustomizeConnection<_, _>> = Box::new(Pragmas);
    let pool = Pool::builder()
        .max_size(1)
        .connection_customizer(customizer)
        .build(in_memory())
        .unwrap();
    let timeout = diesel::dsl::sql::<Integer>("timeout FROM pragma_busy_timeout");
    let timeout = diesel::select(timeout).get_result::<i32>(&mut pool.get().unwrap());
    assert_eq!(timeout, Ok(1234));
}

#[derive(Clone, Debug, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl r2d2::HandleError<Error> for Errors {
    fn handle_error(&self, error: Error) {
        self.0.lock().unwrap().push(error.to_string());
    }
}

#[test]
fn build_tells_why_nothing_could_be_opened_and_so_does_the_error_handler() {
    let errors = Errors::default();
    let handler: Box<dyn HandleError<Error>> = Box::new(errors.clone());
    let built = Pool::builder()
        .connection_timeout(Duration::from_millis(100))
        .error_handler(handler)
        .build(ConnectionManager::<SqliteConnection>::new(
            "/nowhere/at all",
        ));
    let told = built.unwrap_err().to_string();
    let why = "timed out waiting for connection: unable to open database file";
    assert!(told.starts_with(why), "{told}");
    let handled = errors.0.lock().unwrap();
    assert!(
        handled
            .iter()
            .all(|error| error.starts_with("unable to open"))
    );
    assert!(!handled.is_empty());
}

/// Managers of an app's own: one that changes what Diesel's does, and one without it.
struct Renamed(Sqlite);

impl ManageConnection for Renamed {
    type Connection = SqliteConnection;
    type Error = Error;

    fn connect(&self) -> Result<SqliteConnection, Error> {
        let mut connection = self.0.connect()?;
        connection.batch_execute("PRAGMA user_version = 7")?;
        Ok(connection)
    }
    fn is_valid(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        self.0.is_valid(conn)
    }
    fn has_broken(&self, conn: &mut SqliteConnection) -> bool {
        self.0.has_broken(conn)
    }
}

struct Plain;

impl r2d2::ManageConnection for Plain {
    type Connection = String;
    type Error = std::io::Error;

    fn connect(&self) -> Result<String, std::io::Error> {
        Ok("no database".into())
    }
    fn is_valid(&self, _: &mut String) -> Result<(), std::io::Error> {
        Ok(())
    }
    fn has_broken(&self, _: &mut String) -> bool {
        false
    }
}

#[test]
fn managers_written_for_r2d2_fit() {
    let pool = Pool::new(Renamed(in_memory())).unwrap();
    let version = diesel::dsl::sql::<Integer>("user_version FROM pragma_user_version");
    let version = diesel::select(version).get_result::<i32>(&mut pool.get().unwrap());
    assert_eq!(version, Ok(7));
    assert_eq!(*Pool::new(Plain).unwrap().get().unwrap(), "no database");
}

mod either {
    /// A connection of the app's own. Where Diesel has its feature `r2d2`, its derive calls that
    /// trait's methods, and ours must not be in sight.
    #[derive(diesel::MultiConnection)]
    pub(crate) enum Either {
        Postgres(diesel::PgConnection),
        Sqlite(diesel::SqliteConnection),
    }
}

use either::Either;

impl R2D2Connection for Either {
    fn ping(&mut self) -> QueryResult<()> {
        match self {
            Self::Postgres(connection) => R2D2Connection::ping(connection),
            Self::Sqlite(connection) => R2D2Connection::ping(connection),
        }
    }
    fn is_broken(&mut self) -> bool {
        match self {
            Self::Postgres(connection) => R2D2Connection::is_broken(connection),
            Self::Sqlite(connection) => R2D2Connection::is_broken(connection),
        }
    }
    fn fault_of(_: &result::Error) -> Fault {
        Fault::Server
    }
}

#[test]
fn an_enum_of_several_databases_can_be_pooled() {
    let manager = ConnectionManager::<Either>::new(":memory:");
    let pool = Pool::builder().max_size(1).build(manager).unwrap();
    let mut connection = pool.get().unwrap();
    let query = diesel::select(1.into_sql::<Integer>());
    assert_eq!(query.get_result::<i32>(&mut connection), Ok(1));
    let before = pool.everpool().status().generation;
    let failed = connection.transaction(|connection| connection.batch_execute("no SQL"));
    assert!(failed.is_err());
    assert_ne!(pool.everpool().status().generation, before, "as it says");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Instrumentation for Log {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            self.0.lock().unwrap().push(query.to_string());
        }
    }
}

#[test]
fn instrumentation_stays_on_its_connection_and_sees_the_program_only() {
    let pool = single();
    let log = Log::default();
    pool.get().unwrap().set_instrumentation(log.clone());
    pool.get().unwrap().batch_execute("SELECT 2").unwrap();
    drop(pool.get().unwrap());
    let seen = log.0.lock().unwrap().clone();
    // The others are the pool's test on checkout, as in `diesel::r2d2`.
    let program: Vec<_> = seen
        .iter()
        .filter(|query| !query.starts_with("SELECT 1"))
        .collect();
    assert_eq!(program, ["SELECT 2"], "{seen:?}");
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn what_is_kept_beside_a_connection_comes_back_with_it() {
    let pool = single();
    PooledConnection::extensions_mut(&mut pool.get().unwrap()).insert(7_u8);
    let connection = pool.get().unwrap();
    assert_eq!(
        PooledConnection::extensions(&connection).get::<u8>(),
        Some(&7)
    );
}

#[test]
fn a_manager_s_url_is_not_shown_and_can_be_changed() {
    let mut manager = ConnectionManager::<SqliteConnection>::new("/nowhere/password");
    manager.update_database_url(":memory:");
    let pool = Pool::builder().max_size(1).build(manager.clone()).unwrap();
    let shown = format!("{pool:?} {manager:?}");
    assert!(shown.contains("ConnectionManager<"), "{shown}");
    assert!(!shown.contains("memory"), "{shown}");
    assert!(pool.get().unwrap().ping().is_ok());
}

#[test]
fn the_defaults_are_those_of_r2d2() {
    let ours = format!("{:?}", Pool::<Sqlite>::builder());
    let r2d2s = format!("{:?}", r2d2::Pool::<Sqlite>::builder());
    assert_eq!(ours, r2d2s);
    let (ours, r2d2s) = (
        single(),
        r2d2::Pool::builder()
            .max_size(1)
            .build(in_memory())
            .unwrap(),
    );
    assert_eq!(format!("{ours:?}"), format!("{r2d2s:?}"));
}
