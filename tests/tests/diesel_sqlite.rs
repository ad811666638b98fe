//! What is special about SQLite, through Diesel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::time::{Duration, Instant};

use diesel::{
    SqliteConnection,
    connection::SimpleConnection,
    prelude::*,
    result::Error,
    sql_query,
    sql_types::{BigInt, Integer},
};
use everpool_diesel::{
    CheckoutError, Driver, Engine, EngineError, EngineOptions, Session, TransactionStatus,
    UrlError, create_engine,
};
use tempfile::TempDir;

fn on_file(directory: &TempDir, name: &str) -> Engine<SqliteConnection> {
    let url = format!("sqlite:///{}", directory.path().join(name).display());
    create_engine(&url, EngineOptions::default()).unwrap()
}

/// As `on_file`, but whoever meets a lock is told at once.
fn impatient(directory: &TempDir) -> Engine<SqliteConnection> {
    let url = format!(
        "sqlite:///{}?timeout=0",
        directory.path().join("app.db").display()
    );
    create_engine(&url, EngineOptions::default()).unwrap()
}

fn count<C>(connection: &mut C) -> QueryResult<i64>
where
    C: diesel::connection::LoadConnection<Backend = diesel::sqlite::Sqlite>,
{
    diesel::select(diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM t)")).get_result(connection)
}

#[test]
fn a_database_in_memory_keeps_its_data_whatever_pool_size_says() {
    let options = EngineOptions::builder()
        .pool_size(5)
        .pool_recycle(Default::default());
    let options = options.build().unwrap();
    let engine = create_engine::<SqliteConnection>("sqlite:///:memory:", options).unwrap();
    engine
        .connect()
        .unwrap()
        .batch_execute("CREATE TABLE t (i)")
        .unwrap();

    assert_eq!(engine.status().size, 1);
    for _ in 0..3 {
        assert_eq!(count(&mut engine.connect().unwrap()), Ok(0));
    }
}

#[test]
fn a_database_in_memory_keeps_its_data_whatever_becomes_of_those_who_use_it() {
    type Use = fn(&Engine<SqliteConnection>);
    let uses: [(&str, Use); 8] = [
        ("a rollback", |engine| {
            let mut session = Session::begin(engine).unwrap();
            session.batch_execute("DELETE FROM t").unwrap();
            session.rollback().unwrap();
        }),
        ("an error", |engine| {
            let mut session = Session::begin(engine).unwrap();
            session.batch_execute("DELETE FROM t").unwrap();
            session.batch_execute("DELETE FROM nowhere").unwrap_err();
        }),
        ("an error in work", |engine| {
            let failed = engine.begin(|connection| {
                connection.batch_execute("DELETE FROM t")?;
                connection.batch_execute("no statement")
            });
            failed.unwrap_err();
        }),
        ("a raw BEGIN", |engine| {
            let mut raw = engine.raw_connection().unwrap();
            raw.batch_execute("BEGIN; DELETE FROM t").unwrap();
        }),
        ("a read-only use", |engine| {
            let mut reader = engine.read_only().connect().unwrap();
            reader.batch_execute("DELETE FROM t").unwrap_err();
        }),
        ("a panic in a transaction", |engine| {
            let mut connection = engine.connect().unwrap();
            let _transaction = connection.begin().unwrap();
            std::panic::resume_unwind(Box::new("the program's own"));
        }),
        ("a panic in a session", |engine| {
            let mut session = Session::begin(engine).unwrap();
            session.batch_execute("DELETE FROM t").unwrap();
            std::panic::resume_unwind(Box::new("the program's own"));
        }),
        ("a panic in work", |engine| {
            let _: QueryResult<()> = engine.begin(|connection| {
                connection.batch_execute("DELETE FROM t")?;
                std::panic::resume_unwind(Box::new("the program's own"));
            });
        }),
    ];
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    let table = "CREATE TABLE t (i); INSERT INTO t VALUES (1)";
    engine.connect().unwrap().batch_execute(table).unwrap();
    for (what, used) in uses {
        let thread = std::thread::scope(|scope| scope.spawn(|| used(&engine)).join());
        assert_eq!(thread.is_err(), what.starts_with("a panic"), "{what}");
        assert_eq!(count(&mut engine.connect().unwrap()), Ok(1), "{what}");
    }
    assert_eq!(engine.pool().snapshot().opened, 1);
}

#[test]
fn a_database_in_memory_keeps_its_data_when_another_file_is_none() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("notes.txt");
    std::fs::write(&file, "no database, ".repeat(100)).unwrap();
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    let mut connection = engine.connect().unwrap();
    connection.batch_execute("CREATE TABLE t (i)").unwrap();
    let attach = format!("ATTACH '{}' AS notes", file.display());
    let reads = [attach.as_str(), "SELECT * FROM notes.sqlite_master"];
    let mut refused = reads
        .iter()
        .filter_map(|sql| connection.batch_execute(sql).err());
    assert_eq!(
        refused.next().unwrap().to_string(),
        "file is not a database"
    );
    assert_eq!(count(&mut connection), Ok(0));

    let raw = connection.driver_connection().unwrap();
    assert!(reads.iter().any(|sql| raw.batch_execute(sql).is_err()));
    assert_eq!(count(&mut connection), Ok(0));
    drop(connection);
    assert_eq!(count(&mut engine.connect().unwrap()), Ok(0));
}

#[test]
fn a_session_that_is_dropped_has_let_the_next_writer_in() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "app.db");
    engine
        .connect()
        .unwrap()
        .batch_execute("CREATE TABLE t (i)")
        .unwrap();
    let mut other = engine.connect().unwrap();

    for _ in 0..50 {
        let mut session = Session::begin(&engine).unwrap();
        sql_query("INSERT INTO t VALUES (1)")
            .execute(&mut session)
            .unwrap();
        drop(session);
        sql_query("INSERT INTO t VALUES (2)")
            .execute(&mut other)
            .unwrap();
    }
    assert_eq!(count(&mut other), Ok(50));
}

#[test]
fn a_raw_begin_is_rolled_back_on_return_and_a_busy_database_is_no_disconnect() {
    let directory = TempDir::new().unwrap();
    let engine = impatient(&directory);
    let mut writer = engine.connect().unwrap();
    writer
        .batch_execute("CREATE TABLE t (i); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        .unwrap();

    let mut other = engine.connect().unwrap();
    let busy = other.batch_execute("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(busy.to_string(), "database is locked");
    assert!(!other.invalidated());

    drop(writer);
    assert_eq!(count(&mut other), Ok(0));
}

#[test]
fn a_file_that_is_no_database_costs_its_connection_and_no_other() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("app.db"), [b'x'; 4096]).unwrap();
    let engine = on_file(&directory, "app.db");
    let before = engine.status().generation;

    let mut connection = engine.connect().unwrap();
    let error = connection.batch_execute("SELECT * FROM t").unwrap_err();
    assert_eq!(error.to_string(), "file is not a database");
    assert!(connection.invalidated());
    assert_eq!(engine.status().generation, before);
}

#[test]
fn a_file_that_cannot_be_opened_is_told_at_once() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "missing/app.db");

    let told = engine.connect().unwrap_err();
    assert!(matches!(told, CheckoutError::Connect(_)), "{told:?}");
    assert!(
        told.to_string().contains("unable to open database file"),
        "{told}"
    );
}

#[derive(QueryableByName)]
struct BusyTimeout {
    #[diesel(sql_type = Integer)]
    timeout: i32,
}

fn busy_timeout(engine: &Engine<SqliteConnection>) -> i32 {
    let asked = sql_query("PRAGMA busy_timeout");
    let answer: BusyTimeout = asked.get_result(&mut engine.connect().unwrap()).unwrap();
    answer.timeout
}

#[test]
fn a_statement_waits_five_seconds_for_a_lock_unless_told_otherwise() {
    let with_timeout = |url: &str, timeout: &str| {
        let options = EngineOptions::builder().connect_args([("timeout", timeout)]);
        create_engine(url, options.build().unwrap()).unwrap()
    };
    let default = |url: &str| create_engine(url, EngineOptions::default()).unwrap();
    assert_eq!(busy_timeout(&default("sqlite://")), 5_000);
    assert_eq!(busy_timeout(&default("sqlite://?timeout=0.25")), 250);
    assert_eq!(busy_timeout(&with_timeout("sqlite://", "7")), 7_000);
    assert_eq!(busy_timeout(&with_timeout("sqlite://?timeout=3", "0")), 0);
}

#[test]
fn a_statement_that_meets_a_lock_waits_for_as_long_as_it_was_told() {
    let directory = TempDir::new().unwrap();
    let mut writer = on_file(&directory, "app.db").connect().unwrap();
    let locked = "CREATE TABLE t (i); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)";
    writer.batch_execute(locked).unwrap();

    let path = directory.path().join("app.db");
    let url = format!("sqlite:///{}?timeout=0.2", path.display());
    let engine = create_engine::<SqliteConnection>(&url, EngineOptions::default()).unwrap();
    let mut other = engine.connect().unwrap();
    let began = Instant::now();
    let busy = other.batch_execute("INSERT INTO t VALUES (2)").unwrap_err();
    assert_eq!(busy.to_string(), "database is locked");
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_connection_that_a_hook_opened_waits_as_the_hook_has_set_it() {
    let engine = create_engine("sqlite://?timeout=3", EngineOptions::default()).unwrap();
    engine.events().do_connect(|_| {
        let mut connection = SqliteConnection::establish(":memory:")?;
        connection.batch_execute("PRAGMA busy_timeout = 1234")?;
        Ok(Some(connection))
    });
    assert_eq!(busy_timeout(&engine), 1234);
}

/// Whether a table can be made in a database, and what is said if not.
fn make_table(url: &str, options: EngineOptions) -> Result<(), String> {
    let engine = create_engine::<SqliteConnection>(url, options).map_err(|error| error.to_string());
    let mut connection = engine?.connect().map_err(|error| error.to_string())?;
    let made = connection.batch_execute("CREATE TABLE t (i)");
    made.map_err(|error| error.to_string())
}

#[test]
fn arguments_of_the_url_and_connect_args_reach_the_driver() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.db").display().to_string();
    let mode = |mode| {
        EngineOptions::builder()
            .connect_args([("mode", mode)])
            .build()
            .unwrap()
    };

    let url = format!("sqlite:///{path}?mode=rw");
    let told = make_table(&url, EngineOptions::default()).unwrap_err();
    assert!(told.contains("unable to open database file"), "{told}");
    assert_eq!(make_table(&url, mode("rwc")), Ok(()));

    let uri = format!("sqlite:///file:{path}?uri=true");
    let told = make_table(&uri, mode("ro")).unwrap_err();
    assert!(told.contains("already exists"), "{told}");
    let read_only = create_engine::<SqliteConnection>(&uri, mode("ro")).unwrap();
    let told = read_only.connect().unwrap().batch_execute("DROP TABLE t");
    assert!(told.unwrap_err().to_string().contains("readonly"));
}

#[test]
fn an_engine_refuses_connect_args_that_its_database_cannot_have() {
    let options = EngineOptions::builder().connect_args([("sslmode", "require")]);
    let told = make_table("sqlite:///app.db", options.build().unwrap()).unwrap_err();
    assert!(told.contains("no argument `sslmode`"), "{told}");
}

#[test]
fn a_uri_of_a_database_in_memory_has_one_connection_too() {
    let url = "sqlite:///file:app?mode=memory&uri=true";
    let engine = create_engine::<SqliteConnection>(url, EngineOptions::default()).unwrap();
    engine
        .connect()
        .unwrap()
        .batch_execute("CREATE TABLE t (i)")
        .unwrap();
    assert_eq!(count(&mut engine.connect().unwrap()), Ok(0));
    assert_eq!(engine.status().size, 1);
}

#[test]
fn an_engine_refuses_the_url_of_another_database() {
    let url = "postgresql://u:s3cret-Pw@h/db";
    let refused = create_engine::<SqliteConnection>(url, EngineOptions::default()).unwrap_err();
    let EngineError::Url(UrlError::WrongBackend { .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        refused.to_string(),
        "a postgresql URL was given to an engine for sqlite"
    );
}

#[test]
fn an_engine_never_connects_before_the_first_checkout() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "app.db");
    engine.dispose();
    let _session = Session::begin(&engine).unwrap();
    assert!(!directory.path().join("app.db").exists());

    drop(engine.connect().unwrap());
    assert!(directory.path().join("app.db").exists());
}

#[test]
fn immediate_and_exclusive_transactions_are_seen_by_the_engine() {
    let directory = TempDir::new().unwrap();
    let engine = impatient(&directory);
    let mut connection = engine.connect().unwrap();
    connection.batch_execute("CREATE TABLE t (i)").unwrap();
    let mut other = engine.connect().unwrap();
    let insert = || sql_query("INSERT INTO t VALUES (1)");

    let done = connection.immediate_transaction(|c| {
        assert!(c.in_transaction());
        // It has the lock before it has written.
        let busy = insert().execute(&mut other).unwrap_err().to_string();
        assert_eq!(busy, "database is locked");
        insert().execute(c)
    });
    assert_eq!(done, Ok(1));
    let undone = connection.exclusive_transaction(|c| {
        insert().execute(c)?;
        Err::<(), _>(Error::RollbackTransaction)
    });
    assert_eq!(undone, Err(Error::RollbackTransaction));
    let nested = connection.transaction(|c| c.immediate_transaction(|_| QueryResult::Ok(())));
    assert_eq!(nested, Err(Error::AlreadyInTransaction));
    assert_eq!(count(&mut other), Ok(1));
}

#[test]
fn a_panic_in_an_immediate_transaction_is_rolled_back() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "app.db");
    let mut connection = engine.connect().unwrap();
    connection.batch_execute("CREATE TABLE t (i)").unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        connection.immediate_transaction(|c| -> QueryResult<()> {
            sql_query("INSERT INTO t VALUES (1)").execute(c)?;
            std::panic::resume_unwind(Box::new("the program's own"));
        })
    }));
    assert!(panicked.is_err());
    drop(connection);

    let mut next = engine.connect().unwrap();
    assert_eq!(count(&mut next), Ok(0));
    let free = next.immediate_transaction(count);
    assert_eq!(free, Ok(0));
}

diesel::define_sql_function! {
    /// Twice as much.
    fn doubled(x: diesel::sql_types::Integer) -> diesel::sql_types::Integer;
}

#[test]
fn what_only_sqlite_has_is_reached_through_the_connection() {
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    let mut connection = engine.connect().unwrap();
    doubled_utils::register_impl(&mut connection, |x: i32| x * 2).unwrap();
    let four = diesel::select(doubled(2)).get_result::<i32>(&mut connection);
    assert_eq!(four, Ok(4));

    connection.batch_execute("CREATE TABLE t (i)").unwrap();
    let copy = connection.serialize_database_to_buffer();
    assert_eq!(copy.get(..15), Some(b"SQLite format 3".as_slice()));
}

/// A transaction that SQLite ends by itself is not open any more, and one that it does not is.
#[test]
fn what_sqlite_rolls_back_by_itself_is_known_to_be_over() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "app.db");
    let mut connection = engine.connect().unwrap();
    connection
        .batch_execute("CREATE TABLE t (i UNIQUE); BEGIN; INSERT INTO t VALUES (1)")
        .unwrap();
    let twice = connection.batch_execute("INSERT OR ROLLBACK INTO t VALUES (1)");
    twice.unwrap_err();
    assert_eq!(connection.transaction_status(), TransactionStatus::Idle);
    for begin in [
        "BEGIN",
        "begin immediate;",
        "/* so */ BEGIN EXCLUSIVE",
        "-- so\nBEGIN TRANSACTION",
        "SAVEPOINT s",
        "SELECT 1; BEGIN",
    ] {
        connection.batch_execute(begin).unwrap();
        assert_ne!(connection.transaction_status(), TransactionStatus::Idle);
        drop(connection);
        connection = engine.connect().unwrap();
        assert_eq!(connection.transaction_status(), TransactionStatus::Idle);
    }
}
