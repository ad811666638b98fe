use std::{fs, path::PathBuf};

use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection};
use everpool_sqlx::{Engine, Error, PoolConnection, Sqlite, query_scalar};
use tempfile::TempDir;

use crate::cost::{Cost, code, defaults, failure, send};

/// A database in a file, with a table of one row.
pub(crate) struct File(TempDir);

impl File {
    pub(crate) fn new() -> Self {
        let file = Self(TempDir::new().unwrap());
        let path = file.path().display().to_string();
        let mut connection = SqliteConnection::establish(&path).unwrap();
        let table = "CREATE TABLE t (i INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)";
        connection.batch_execute(table).unwrap();
        file
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("app.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:///{}", self.path().display())
    }
}

async fn rows(connection: &mut PoolConnection<Sqlite>) -> Result<i64, Error> {
    let count = query_scalar("SELECT count(*) FROM t");
    count.fetch_one(&mut **connection).await
}

#[tokio::test]
async fn an_error_of_a_statement_costs_sqlite_nothing() {
    let file = File::new();
    let engine: Engine<Sqlite> = defaults(&file.url());
    let mut connection = engine.connect().await.unwrap();
    let errors = [
        ("SELEC 1", "1"),
        ("COMMIT", "1"),
        ("INSERT INTO t VALUES (1)", "1555"),
        ("PRAGMA query_only = on; INSERT INTO t VALUES (2)", "8"),
        (
            "PRAGMA query_only = off; PRAGMA max_page_count = 2; CREATE TABLE u (i int)",
            "13",
        ),
    ];
    for (statements, expected) in errors {
        let (error, cost) = failure(&mut connection, statements).await;
        assert_eq!((code(&error).as_str(), cost), (expected, Cost::Nothing));
        assert_eq!(rows(&mut connection).await.unwrap(), 1, "{statements}");
    }
}

#[tokio::test]
async fn a_lock_that_sqlite_does_not_give_costs_nothing() {
    let file = File::new();
    let engine: Engine<Sqlite> = defaults(&file.url());
    let mut holder = engine.connect().await.unwrap();
    send(&mut holder, "PRAGMA journal_mode = WAL")
        .await
        .unwrap();
    let mut connection = engine.connect().await.unwrap();
    let read = "PRAGMA busy_timeout = 20; BEGIN; SELECT * FROM t";
    send(&mut connection, read).await.unwrap();
    send(&mut holder, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)")
        .await
        .unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (3)").await;
    assert_eq!((code(&error).as_str(), cost), ("5", Cost::Nothing));
    send(&mut holder, "COMMIT").await.unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (3)").await;
    assert_eq!((code(&error).as_str(), cost), ("517", Cost::Nothing));
}

#[tokio::test]
async fn a_file_that_is_no_database_any_more_costs_the_connection() {
    let file = File::new();
    let engine: Engine<Sqlite> = defaults(&file.url());
    let mut connection = engine.connect().await.unwrap();
    fs::write(file.path(), "x".repeat(8192)).unwrap();
    let (error, cost) = failure(&mut connection, "SELECT * FROM t").await;
    assert_eq!((code(&error).as_str(), cost), ("26", Cost::Connection));
}

#[tokio::test]
async fn a_file_that_was_moved_away_costs_all_connections() {
    let file = File::new();
    let engine: Engine<Sqlite> = defaults(&file.url());
    let mut connection = engine.connect().await.unwrap();
    assert_eq!(rows(&mut connection).await.unwrap(), 1);
    fs::rename(file.path(), file.path().with_extension("old")).unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (2)").await;
    assert_eq!((code(&error).as_str(), cost), ("1032", Cost::Pool));
}
