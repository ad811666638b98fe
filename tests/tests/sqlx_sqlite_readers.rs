//! `sqlite_readers`, through SQLx: one connection that writes, and several that read beside it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use everpool_sqlx::{
    Engine, EngineError, EngineOptions, EngineOptionsBuilder, Session, create_engine,
    create_engine_with, create_pool_from_url, sqlite::SqliteConnectOptions,
};
use sqlx::{Error, Executor, Sqlite};
use tempfile::TempDir;

/// A file with a table, and engines for it.
struct File(TempDir);

impl File {
    async fn new() -> Self {
        let file = Self(TempDir::new().unwrap());
        let plain = file.with(EngineOptions::builder());
        (&plain)
            .execute("CREATE TABLE t (i INTEGER); INSERT INTO t VALUES (0)")
            .await
            .unwrap();
        file
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.0.path().join("app.db").display())
    }

    fn with(&self, options: EngineOptionsBuilder) -> Engine<Sqlite> {
        create_engine(self.url(), options.build().unwrap()).unwrap()
    }

    /// Whoever would wait for a lock of SQLite's is told of it.
    fn impatient(&self) -> Engine<Sqlite> {
        let options = EngineOptions::builder().sqlite_readers(2);
        self.with(options.connect_args([("timeout", "0")]))
    }
}

async fn number<'c>(executor: impl Executor<'c, Database = Sqlite>) -> i64 {
    let asked = sqlx::query_scalar("SELECT sum(i) FROM t");
    asked.fetch_one(executor).await.unwrap()
}

async fn add_one(engine: &Engine<Sqlite>) -> Result<(), Error> {
    let mut session = Session::begin(engine).await.unwrap();
    // Read first, which without the lock would end in "database is locked".
    let now: i64 = sqlx::query_scalar("SELECT i FROM t")
        .fetch_one(&mut session)
        .await?;
    sqlx::query("UPDATE t SET i = ?")
        .bind(now + 1)
        .execute(&mut session)
        .await?;
    session.commit().await.unwrap();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_many_tasks_never_see_a_locked_database_and_lose_no_write() {
    let file = File::new().await;
    let engine = file.impatient();
    number(&engine).await;
    let writers = (0..8).map(|_| {
        let engine = engine.clone();
        tokio::spawn(async move {
            for _ in 0..25 {
                add_one(&engine).await.unwrap();
                number(&engine.read_only()).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(number(&engine).await, 200);
}

#[tokio::test]
async fn a_transaction_of_the_writer_takes_the_lock_at_its_beginning() {
    let file = File::new().await;
    let engine = file.impatient();
    let plain = file.with(EngineOptions::builder().connect_args([("timeout", "0")]));
    number(&engine).await;

    let transaction = engine.begin().await.unwrap();
    let refused = (&plain).execute("INSERT INTO t VALUES (1)").await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("database is locked")
    );
    transaction.rollback().await.unwrap();
    (&plain).execute("INSERT INTO t VALUES (1)").await.unwrap();
}

#[tokio::test]
async fn a_reader_sees_what_is_committed_while_the_writer_is_in_a_transaction() {
    let file = File::new().await;
    let engine = file.impatient();
    let mut writing = Session::begin(&engine).await.unwrap();
    (&mut writing)
        .execute("INSERT INTO t VALUES (7)")
        .await
        .unwrap();

    let readers = engine.read_only();
    assert_eq!(number(&readers).await, 0);
    writing.commit().await.unwrap();
    assert_eq!(number(&readers).await, 7);
}

#[tokio::test]
async fn a_reader_is_refused_what_writes() {
    let file = File::new().await;
    let readers = file.impatient().read_only();
    let refused = (&readers).execute("INSERT INTO t VALUES (1)").await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("attempt to write a readonly database"),
        "{refused}"
    );
    assert_eq!(number(&readers).await, 0);
}

#[tokio::test]
async fn a_disposed_engine_replaces_the_readers_too() {
    let file = File::new().await;
    let engine = file.impatient();
    let (writer, readers) = (engine.status(), engine.read_only().status());
    engine.dispose();
    assert_ne!(engine.status().generation, writer.generation);
    assert_ne!(engine.read_only().status().generation, readers.generation);
}

#[tokio::test]
async fn what_has_one_pool_has_no_readers() {
    let file = File::new().await;
    let options = || EngineOptions::builder().sqlite_readers(2).build().unwrap();
    let refused = [
        create_pool_from_url::<Sqlite>(file.url(), options()).err(),
        create_engine_with::<Sqlite>(SqliteConnectOptions::new(), options()).err(),
        create_engine::<Sqlite>("sqlite:///:memory:", options()).err(),
    ];
    for refused in refused {
        let refused = refused.unwrap();
        assert!(matches!(refused, EngineError::Option(_)), "{refused:?}");
        assert!(refused.to_string().contains("sqlite_readers"), "{refused}");
    }
}
