//! `sqlite_readers`, through Diesel: one connection that writes, and several that read beside it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{
    SqliteConnection,
    connection::{LoadConnection, SimpleConnection},
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
    sqlite::Sqlite,
};
use everpool_diesel::{
    CheckoutError, Engine, EngineError, EngineOptions, EngineOptionsBuilder, Session,
    create_engine, create_pool_from_url, isolation::IsolationLevel,
};
use tempfile::TempDir;

const READONLY: &str = "attempt to write a readonly database";

/// A file with a table, and engines for it.
struct File(TempDir);

impl File {
    fn new() -> Self {
        let file = Self::empty();
        let table = "CREATE TABLE t (i INTEGER)";
        let mut connection = file.plain().connect().unwrap();
        connection.batch_execute(table).unwrap();
        file
    }

    fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.0.path().join("app.db").display())
    }

    fn with(&self, options: EngineOptionsBuilder) -> Engine<SqliteConnection> {
        create_engine(self.url(), options.build().unwrap()).unwrap()
    }

    fn with_readers(&self, readers: u32) -> Engine<SqliteConnection> {
        self.with(EngineOptions::builder().sqlite_readers(readers))
    }

    /// As another process would have it.
    fn plain(&self) -> Engine<SqliteConnection> {
        self.with(EngineOptions::builder())
    }
}

/// Whoever would wait for a lock of SQLite's is told of it.
fn impatient() -> EngineOptionsBuilder {
    EngineOptions::builder().connect_args([("timeout", "0")])
}

fn insert<C: LoadConnection<Backend = Sqlite>>(connection: &mut C, i: i64) -> QueryResult<usize> {
    sql_query("INSERT INTO t VALUES (?)")
        .bind::<BigInt, _>(i)
        .execute(connection)
}

fn count<C: LoadConnection<Backend = Sqlite>>(connection: &mut C) -> QueryResult<i64> {
    diesel::select(diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM t)")).get_result(connection)
}

fn journal_mode(engine: &Engine<SqliteConnection>) -> String {
    #[derive(QueryableByName)]
    struct Journal {
        #[diesel(sql_type = Text)]
        journal_mode: String,
    }
    let asked = sql_query("PRAGMA journal_mode");
    let answer: Journal = asked.get_result(&mut engine.connect().unwrap()).unwrap();
    answer.journal_mode
}

/// Until something is so that other threads bring about.
fn wait_until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never is");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn writers_of_many_threads_never_see_a_locked_database_and_lose_no_write() {
    let file = File::new();
    let engine = file.with(impatient().sqlite_readers(2));
    insert(&mut engine.connect().unwrap(), 0).unwrap();
    let add_one = || -> QueryResult<()> {
        let mut session = Session::begin(&engine).unwrap();
        // Read first, which without the lock would end in "database is locked".
        let now: i64 = diesel::select(diesel::dsl::sql::<BigInt>("(SELECT i FROM t)"))
            .get_result(&mut session)?;
        sql_query("UPDATE t SET i = ?")
            .bind::<BigInt, _>(now + 1)
            .execute(&mut session)?;
        session.commit().unwrap();
        count(&mut Session::begin(&engine.read_only()).unwrap()).map(drop)
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| add_one().unwrap()));
        }
    });
    let sum = diesel::select(diesel::dsl::sql::<BigInt>("(SELECT i FROM t)"));
    assert_eq!(
        sum.get_result::<i64>(&mut engine.read_only().connect().unwrap()),
        Ok(400)
    );
}

#[test]
fn each_transaction_of_the_writer_has_the_lock_from_its_beginning() {
    let file = File::new();
    let engine = file.with_readers(1);
    let mut other = file.with(impatient()).connect().unwrap();
    let mut is_locked =
        || insert(&mut other, 1).is_err_and(|e| e.to_string() == "database is locked");

    let mut session = Session::begin(&engine).unwrap();
    count(&mut session).unwrap();
    assert!(is_locked());
    session.rollback().unwrap();
    assert!(!is_locked());

    engine
        .begin(|_| {
            assert!(is_locked());
            QueryResult::Ok(())
        })
        .unwrap();
    let mut connection = engine.connect().unwrap();
    assert!(!is_locked());
    connection
        .transaction(|_| {
            assert!(is_locked());
            QueryResult::Ok(())
        })
        .unwrap();
    drop(connection.begin_nested().unwrap());
    assert!(is_locked());
    connection.commit().unwrap();
    assert!(!is_locked());
    drop(connection);

    let mut raw = engine.raw_connection().unwrap();
    raw.batch_execute("BEGIN; SELECT * FROM t").unwrap();
    assert!(!is_locked());
}

#[test]
fn without_readers_a_transaction_has_no_lock_before_it_writes() {
    let file = File::new();
    let mut session = Session::begin(&file.plain()).unwrap();
    count(&mut session).unwrap();
    let mut other = file.plain().connect().unwrap();
    other.batch_execute("BEGIN IMMEDIATE; ROLLBACK").unwrap();
    assert_eq!(journal_mode(&file.plain()), "delete");
}

#[test]
fn a_reader_sees_what_is_committed_while_the_writer_is_in_a_transaction() {
    let file = File::new();
    let engine = file.with_readers(2);
    let mut writing = Session::begin(&engine).unwrap();
    insert(&mut writing, 1).unwrap();

    let mut reading = Session::begin(&engine.read_only()).unwrap();
    assert_eq!(count(&mut reading), Ok(0));
    writing.commit().unwrap();
    assert_eq!(count(&mut reading), Ok(0), "one transaction sees one state");
    reading.commit().unwrap();
    assert_eq!(count(&mut reading), Ok(1));
    // Nor does a reader keep the writer from writing.
    insert(&mut writing, 2).unwrap();
    writing.commit().unwrap();
}

#[test]
fn a_reader_is_refused_whatever_writes_and_keeps_its_connection() {
    let file = File::new();
    let options = EngineOptions::builder()
        .sqlite_readers(1)
        .read_only_is_disconnect(true);
    let engine = file.with(options);
    let before = engine.read_only().status().generation;
    let mut reader = engine.read_only().connect().unwrap();
    for statement in [
        "INSERT INTO t VALUES (1)",
        "DROP TABLE t",
        "CREATE TEMP TABLE mine (i)",
        "BEGIN IMMEDIATE",
    ] {
        let refused = reader.batch_execute(statement).unwrap_err();
        assert_eq!(refused.to_string(), READONLY, "{statement}");
    }
    assert!(!reader.invalidated());
    assert_eq!(count(&mut reader), Ok(0));
    drop(reader);

    let mut session = Session::begin(&engine.read_only()).unwrap();
    assert_eq!(insert(&mut session, 1).unwrap_err().to_string(), READONLY);
    session.rollback().unwrap();
    assert_eq!(engine.read_only().status().generation, before);
}

#[test]
fn writers_are_served_in_the_order_of_their_arrival() {
    let file = File::new();
    let engine = file.with_readers(1);
    let mut first = Session::begin(&engine).unwrap();
    insert(&mut first, 0).unwrap();
    thread::scope(|scope| {
        for number in 1..6 {
            let engine = &engine;
            scope.spawn(move || {
                let mut session = Session::begin(engine).unwrap();
                insert(&mut session, number).unwrap();
                session.commit().unwrap();
            });
            wait_until(|| engine.status().waiting == usize::try_from(number).unwrap());
        }
        first.commit().unwrap();
    });
    let written =
        diesel::dsl::sql::<Text>("(SELECT group_concat(i) FROM (SELECT i FROM t ORDER BY rowid))");
    let written: String = diesel::select(written)
        .get_result(&mut engine.read_only().connect().unwrap())
        .unwrap();
    assert_eq!(written, "0,1,2,3,4,5");
}

#[test]
fn a_writer_that_waits_longer_than_pool_timeout_is_told_of_the_pool() {
    let file = File::new();
    let options = EngineOptions::builder()
        .sqlite_readers(1)
        .pool_timeout(Duration::from_secs(1));
    let engine = file.with(options);
    let _writer = engine.connect().unwrap();
    let told = engine.connect().unwrap_err();
    assert!(matches!(told, CheckoutError::TimedOut { .. }), "{told:?}");
    engine.read_only().connect().unwrap();
}

#[test]
fn whoever_comes_first_gives_the_file_its_journal() {
    for is_reader in [true, false] {
        for file in [File::empty(), File::new()] {
            let engine = file.with_readers(2);
            drop(match is_reader {
                true => engine.read_only().connect().unwrap(),
                false => engine.connect().unwrap(),
            });
            assert_eq!(journal_mode(&file.plain()), "wal");
            engine
                .begin(|connection| connection.batch_execute("CREATE TABLE IF NOT EXISTS t (i)"))
                .unwrap();
            assert_eq!(count(&mut engine.read_only().connect().unwrap()), Ok(0));
        }
    }
}

#[test]
fn many_that_come_first_at_once_all_get_their_connections() {
    for _ in 0..10 {
        let file = File::new();
        let engine = file.with_readers(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| count(&mut engine.read_only().connect().unwrap()).unwrap());
                scope.spawn(|| insert(&mut engine.connect().unwrap(), 1).unwrap());
            }
        });
        assert_eq!(count(&mut engine.read_only().connect().unwrap()), Ok(4));
    }
}

#[test]
fn a_file_that_gets_its_journal_while_somebody_uses_it_is_waited_for() {
    let file = File::new();
    let (engine, other) = (file.with(impatient().sqlite_readers(1)), file.plain());
    let mut reading = Session::begin(&other).unwrap();
    count(&mut reading).unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| engine.connect().map(drop));
        wait_until(|| engine.pool().snapshot().connect_errors > 0);
        reading.rollback().unwrap();
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(journal_mode(&file.plain()), "wal");
}

#[test]
fn a_file_that_cannot_get_its_journal_is_told_with_the_reason() {
    let file = File::new();
    let options = impatient()
        .sqlite_readers(1)
        .pool_outage_grace(Duration::from_millis(50));
    let engine = file.with(options);
    let mut reading = Session::begin(&file.plain()).unwrap();
    count(&mut reading).unwrap();
    let told = engine.connect().unwrap_err();
    assert!(matches!(told, CheckoutError::Outage { .. }), "{told:?}");
    assert!(told.to_string().contains("database is locked"), "{told}");

    // A place where processes share no memory.
    let file = File::new();
    let url = format!("{}?vfs=unix-none", file.url());
    let options = EngineOptions::builder().sqlite_readers(1).build().unwrap();
    let engine: Engine<SqliteConnection> = create_engine(&url, options).unwrap();
    for engine in [engine.read_only(), engine] {
        let told = engine.connect().unwrap_err();
        assert!(matches!(told, CheckoutError::Connect(_)), "{told:?}");
        let told = told.to_string();
        assert!(
            told.contains("`wal`") && told.contains("leave sqlite_readers out"),
            "{told}"
        );
    }
}

#[test]
fn readers_that_a_database_cannot_have_are_refused_before_anything_is_opened() {
    let options = || EngineOptions::builder().sqlite_readers(4).build().unwrap();
    let refused = create_engine::<SqliteConnection>("sqlite://", options()).unwrap_err();
    assert!(matches!(refused, EngineError::Option(_)), "{refused:?}");
    let refused = refused.to_string();
    assert!(refused.starts_with("sqlite_readers = 4: "), "{refused}");
    let refused = create_engine::<PgConnection>("postgresql://host/db", options()).unwrap_err();
    assert!(
        refused.to_string().contains("the database is postgresql"),
        "{refused}"
    );
    let file = File::empty();
    let refused = create_pool_from_url::<SqliteConnection>(file.url(), options()).unwrap_err();
    assert!(refused.to_string().contains("make an engine"), "{refused}");
}

#[test]
fn the_status_is_of_one_pool_and_dispose_of_both() {
    let file = File::new();
    let engine = file.with_readers(3);
    let readers = engine.read_only();
    assert_eq!((engine.status().size, readers.status().size), (1, 3));
    let generations = || (engine.status().generation, readers.status().generation);
    drop((readers.connect().unwrap(), engine.connect().unwrap()));
    assert_eq!((engine.status().idle, readers.status().idle), (1, 1));

    let before = generations();
    engine.dispose();
    assert!(generations().0 > before.0 && generations().1 > before.1);
    assert_eq!((engine.status().idle, readers.status().idle), (0, 0));
    let before = generations();
    readers.dispose();
    assert!(generations().0 == before.0 && generations().1 > before.1);
    let before = generations();
    engine.abandon();
    assert!(generations().0 > before.0 && generations().1 > before.1);
}

#[test]
fn readers_end_with_their_engine_and_it_with_its_handles() {
    let file = File::new();
    let engine = file.with_readers(1);
    let readers = engine.read_only();
    let closed = Arc::new(AtomicUsize::new(0));
    for engine in [&engine, &readers] {
        let closed = Arc::clone(&closed);
        engine.pool().events().close(move |_, _| {
            closed.fetch_add(1, Ordering::Relaxed);
        });
        drop(engine.connect().unwrap());
    }
    drop(engine);
    assert_eq!(count(&mut readers.connect().unwrap()), Ok(0));
    drop(readers);
    wait_until(|| closed.load(Ordering::Relaxed) == 2);
}

#[test]
fn listeners_hooks_and_options_of_an_engine_are_its_readers_too() {
    let file = File::new();
    let engine = file.with_readers(1);
    let opened = Arc::new(AtomicUsize::new(0));
    let begun = Arc::new(AtomicUsize::new(0));
    let (opens, begins) = (Arc::clone(&opened), Arc::clone(&begun));
    engine.events().do_connect(move |_| {
        opens.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    });
    engine.events().begin(move || {
        begins.fetch_add(1, Ordering::Relaxed);
    });
    let failed = Arc::new(AtomicUsize::new(0));
    let fails = Arc::clone(&failed);
    engine.events().handle_error(move |_| {
        fails.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    });
    for engine in [&engine, &engine.read_only()] {
        engine.begin(count).unwrap();
        let mut connection = engine.connect().unwrap();
        connection.batch_execute("no statement").unwrap_err();
    }
    let heard = [&opened, &begun, &failed].map(|counter| counter.load(Ordering::Relaxed));
    assert_eq!(heard, [2, 2, 2]);

    let level = [("isolation_level", "READ UNCOMMITTED")]
        .into_iter()
        .collect();
    let option = engine.execution_options(&level).unwrap();
    let mut reader = option.read_only().connect().unwrap();
    let level = reader.isolation_level();
    assert_eq!(level, Ok(IsolationLevel::ReadUncommitted));
    assert_eq!(insert(&mut reader, 1).unwrap_err().to_string(), READONLY);
}

#[test]
fn a_read_only_engine_is_its_own_read_only_engine() {
    let file = File::new();
    let statements = Arc::new(AtomicUsize::new(0));
    let sent = Arc::clone(&statements);
    let engine = file.with_readers(1);
    let readers = engine.read_only().read_only();
    drop(readers.connect().unwrap());
    engine.events().before_cursor_execute(move |_| {
        sent.fetch_add(1, Ordering::Relaxed);
    });
    count(&mut readers.connect().unwrap()).unwrap();
    assert_eq!(
        statements.load(Ordering::Relaxed),
        1,
        "nothing but the query"
    );
}
