//! Which transactions are done once more, on real databases.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{error::Error, sync::Barrier, thread};

use diesel::{
    MysqlConnection, PgConnection, QueryResult, SqliteConnection, connection::SimpleConnection,
    dsl::sql, prelude::*, sql_types::BigInt,
};
use everpool_diesel::{
    Driver, Engine, EngineOptions, Retry, Session, SessionError, SessionMaker, SessionOptions,
    create_engine,
};
use everpool_tests::{
    MariaDb, PostgreSql, Proxy,
    proxy::{Ending, Lost},
};
use tempfile::TempDir;

/// The program's own error, in which nothing of the database's is to be found.
type Opaque = Box<dyn Error + Send + Sync>;

fn hidden(error: impl Error) -> Opaque {
    format!("hidden: {}", error.to_string().len()).into()
}

fn engine<C: Driver>(url: &str) -> Engine<C> {
    create_engine(url, EngineOptions::default()).unwrap()
}

fn postgresql() -> PostgreSql {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server
        .psql("CREATE TABLE t (i int PRIMARY KEY, j int); INSERT INTO t VALUES (1, 0), (2, 0)")
        .unwrap();
    server
}

fn mariadb() -> MariaDb {
    let server = MariaDb::start().expect("these tests need MariaDB");
    server
        .sql("CREATE TABLE t (i int PRIMARY KEY, j int) ENGINE = InnoDB; INSERT INTO t VALUES (1, 0), (2, 0)")
        .unwrap();
    server
}

fn update<C: Driver>(session: &mut Session<C>, i: i32) -> Result<(), Opaque> {
    let statement = format!("UPDATE t SET j = j + 1 WHERE i = {i}");
    session.batch_execute(&statement).map_err(hidden)
}

/// Two that each want what the other has. Gives the number of attempts.
fn deadlock<C: Driver>(engine: &Engine<C>) -> usize {
    let both_hold = Barrier::new(2);
    let work = |first: i32, second: i32| {
        let mut attempts = 0;
        let done = engine.run(Retry::default(), |session| {
            attempts += 1;
            update(session, first)?;
            if attempts == 1 {
                both_hold.wait();
            }
            update(session, second)
        });
        done.unwrap();
        attempts
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| work(2, 1));
        work(1, 2) + other.join().unwrap()
    })
}

#[test]
fn the_victim_of_a_deadlock_on_postgresql_is_done_again() {
    let server = postgresql();
    assert_eq!(deadlock(&engine::<PgConnection>(&server.url())), 3);
    let sums = server.psql("SELECT j FROM t ORDER BY i").unwrap();
    assert_eq!(sums.split_whitespace().collect::<Vec<_>>(), ["2", "2"]);
}

#[test]
fn the_victim_of_a_deadlock_on_mariadb_is_done_again() {
    let server = mariadb();
    assert_eq!(deadlock(&engine::<MysqlConnection>(&server.url())), 3);
    let sums = server.sql("SELECT j FROM t ORDER BY i").unwrap();
    assert_eq!(sums.split_whitespace().collect::<Vec<_>>(), ["2", "2"]);
}

fn count(session: &mut Session<impl Counts>) -> QueryResult<i64> {
    Counts::count(session)
}

/// A driver whose sessions count the rows of `t`.
trait Counts: Driver {
    fn count(session: &mut Session<Self>) -> QueryResult<i64>;
}

impl Counts for PgConnection {
    fn count(session: &mut Session<Self>) -> QueryResult<i64> {
        diesel::select(sql::<BigInt>("(SELECT count(*) FROM t)")).get_result(session)
    }
}

impl Counts for SqliteConnection {
    fn count(session: &mut Session<Self>) -> QueryResult<i64> {
        diesel::select(sql::<BigInt>("(SELECT count(*) FROM t)")).get_result(session)
    }
}

#[test]
fn serializable_transactions_that_conflict_are_done_one_after_the_other() {
    let server = postgresql();
    let engine = engine::<PgConnection>(&server.url());
    let options = SessionOptions::default().isolation_level("SERIALIZABLE");
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let both_have_read = Barrier::new(2);
    let work = |i: i32| {
        let mut attempts = 0;
        let done = sessions.run(Retry::default().max_attempts(50), |session| {
            attempts += 1;
            let seen = count(session).map_err(hidden)?;
            if attempts == 1 {
                both_have_read.wait();
            }
            let statement = format!("INSERT INTO t VALUES ({i}, {seen})");
            session.batch_execute(&statement).map_err(hidden)
        });
        done.unwrap();
        attempts
    };
    let attempts = thread::scope(|scope| {
        let other = scope.spawn(|| work(10));
        work(11) + other.join().unwrap()
    });
    assert!(attempts >= 3, "{attempts}");
    let seen = server
        .psql("SELECT j FROM t WHERE i >= 10 ORDER BY j")
        .unwrap();
    assert_eq!(seen.split_whitespace().collect::<Vec<_>>(), ["2", "3"]);
}

#[test]
fn a_lock_that_does_not_come_on_mariadb_is_asked_for_again() {
    let server = mariadb();
    let engine = engine::<MysqlConnection>(&server.url());
    server
        .sql("SET GLOBAL innodb_lock_wait_timeout = 1")
        .unwrap();
    let mut holder = Session::begin(&engine).unwrap();
    update(&mut holder, 1).unwrap();
    let mut attempts = 0;
    let done = engine.run(Retry::default(), |session| {
        attempts += 1;
        if attempts == 2 {
            holder.commit().map_err(hidden)?;
        }
        update(session, 1)
    });
    done.unwrap();
    assert_eq!(attempts, 2);
    assert_eq!(
        server.sql("SELECT j FROM t WHERE i = 1").unwrap().trim(),
        "2"
    );
}

/// A database in a file, on which nobody waits for a lock.
fn sqlite(directory: &TempDir, journal: &str) -> Engine<SqliteConnection> {
    let path = directory.path().join("app.db");
    let engine = engine::<SqliteConnection>(&format!("sqlite:///{}?timeout=0", path.display()));
    let mut connection = engine.connect().unwrap();
    let statements = format!("PRAGMA journal_mode = {journal}; CREATE TABLE t (i INTEGER)");
    connection.batch_execute(&statements).unwrap();
    drop(connection);
    engine
}

#[test]
fn a_snapshot_that_is_too_old_to_be_written_on_is_taken_again() {
    let directory = TempDir::new().unwrap();
    let engine = sqlite(&directory, "WAL");
    let mut attempts = 0;
    let seen = engine.run(Retry::default(), |session| {
        attempts += 1;
        let seen = count(session).map_err(hidden)?;
        if attempts == 1 {
            let insert = |other: &mut Session<_>| other.batch_execute("INSERT INTO t VALUES (1)");
            engine
                .session(|other| insert(other).map_err(SessionError::from))
                .map_err(hidden)?;
        }
        session
            .batch_execute("INSERT INTO t VALUES (2)")
            .map_err(hidden)?;
        Ok::<i64, Opaque>(seen)
    });
    assert_eq!((seen.unwrap(), attempts), (1, 2));
    assert_eq!(count(&mut Session::begin(&engine).unwrap()).unwrap(), 2);
}

#[test]
fn rows_that_cannot_be_read_while_another_writes_are_read_again() {
    let directory = TempDir::new().unwrap();
    let engine = sqlite(&directory, "DELETE");
    let mut writer = Some(engine.connect().unwrap());
    let began = writer.as_mut().unwrap().batch_execute("BEGIN EXCLUSIVE");
    began.unwrap();
    let mut attempts = 0;
    let seen = engine.run(Retry::default(), |session| {
        attempts += 1;
        if attempts == 2 {
            drop(writer.take());
        }
        count(session).map_err(hidden)
    });
    assert_eq!((seen.unwrap(), attempts), (0, 2));
}

/// Gives the number of attempts, if all that is open on the server is ended in the first.
fn disconnected<C: Driver>(url: &str, end_all: impl Fn()) -> usize {
    let engine = engine::<C>(url);
    let mut attempts = 0;
    let done = engine.run(Retry::default(), |session| {
        attempts += 1;
        update(session, 1)?;
        if attempts == 1 {
            end_all();
        }
        update(session, 2)
    });
    done.unwrap();
    attempts
}

#[test]
fn what_a_disconnect_in_the_middle_has_undone_is_done_again() {
    let server = postgresql();
    let attempts = disconnected::<PgConnection>(&server.url(), || {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        server.psql(others).unwrap();
    });
    assert_eq!(attempts, 2);
    let sums = server.psql("SELECT j FROM t ORDER BY i").unwrap();
    assert_eq!(sums.split_whitespace().collect::<Vec<_>>(), ["1", "1"]);

    let server = mariadb();
    let attempts = disconnected::<MysqlConnection>(&server.url(), || {
        server.kill_sessions().unwrap();
    });
    assert_eq!(attempts, 2);
    let sums = server.sql("SELECT j FROM t ORDER BY i").unwrap();
    assert_eq!(sums.split_whitespace().collect::<Vec<_>>(), ["1", "1"]);
}

/// The connection is lost at COMMIT, which is known by its text: to MariaDB, Diesel sends something else before it,
/// which is answered too. Gives how often the work was called.
fn cut_at_commit<C: Driver>(proxy: &Proxy, url: &str, lost: Lost) -> usize {
    let engine = engine::<C>(url);
    let mut calls = 0;
    let unknown = engine.run(Retry::default(), |session| {
        calls += 1;
        session.batch_execute("UPDATE t SET j = j + 1 WHERE i = 1")?;
        proxy.cut_at("COMMIT", lost, Ending::Reset);
        Ok(())
    });
    assert!(
        matches!(unknown, Err(SessionError::CommitOutcomeUnknown(_))),
        "{unknown:?}"
    );
    calls
}

#[test]
fn a_commit_whose_answer_was_cut_off_is_not_done_again() {
    let row = "SELECT j FROM t WHERE i = 1";
    let server = postgresql();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let url = server.url_at(proxy.port());
    assert_eq!(cut_at_commit::<PgConnection>(&proxy, &url, Lost::Answer), 1);
    assert_eq!(server.psql(row).unwrap().trim(), "1");

    let server = mariadb();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let url = server.url_at(proxy.port());
    let calls = cut_at_commit::<MysqlConnection>(&proxy, &url, Lost::Answer);
    assert_eq!(calls, 1);
    assert_eq!(server.sql(row).unwrap().trim(), "1");
}

#[test]
fn a_commit_that_was_cut_off_on_its_way_is_not_done_again() {
    let row = "SELECT j FROM t WHERE i = 1";
    let server = postgresql();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let url = server.url_at(proxy.port());
    let calls = cut_at_commit::<PgConnection>(&proxy, &url, Lost::Request);
    assert_eq!(calls, 1);
    assert_eq!(server.psql(row).unwrap().trim(), "0");

    let server = mariadb();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let url = server.url_at(proxy.port());
    let calls = cut_at_commit::<MysqlConnection>(&proxy, &url, Lost::Request);
    assert_eq!(calls, 1);
    assert_eq!(server.sql(row).unwrap().trim(), "0");
}
