//! What an engine of a test refuses, and what only one adapter has.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use diesel::{
    PgConnection, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_types::BigInt,
};
use everpool_sqlx::{Acquire, ExecutionOptions, Postgres, Sqlite, query, query_scalar};
use everpool_tests::PostgreSql;
use tempfile::TempDir;
use tokio::time::timeout;

const TABLE: &str = "CREATE TABLE t (i int)";
const INSERT: &str = "INSERT INTO t VALUES (1)";

fn told<T>(answer: Result<T, impl std::error::Error>) -> String {
    match answer {
        Ok(_) => panic!("not refused"),
        Err(error) => error.to_string(),
    }
}

fn file() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:///{}/a.db", folder.path().display());
    (folder, url)
}

fn diesel_memory() -> everpool_diesel::Engine<SqliteConnection> {
    let engine: everpool_diesel::Engine<SqliteConnection> =
        everpool_diesel::create_engine("sqlite://", Default::default()).unwrap();
    let created = engine.connect().unwrap().batch_execute(TABLE);
    created.unwrap();
    engine
}

async fn sqlx_memory() -> everpool_sqlx::Engine<Sqlite> {
    let engine: everpool_sqlx::Engine<Sqlite> =
        everpool_sqlx::create_engine("sqlite://", Default::default()).unwrap();
    query(TABLE).execute(&engine).await.unwrap();
    engine
}

async fn count(engine: &everpool_sqlx::Engine<Sqlite>) -> i64 {
    let count = query_scalar("SELECT count(*) FROM t").fetch_one(engine);
    count.await.unwrap()
}

#[test]
fn diesel_s_engine_of_a_test_refuses_what_could_not_be_rolled_back() {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    let url = server.url();
    let engine = everpool_diesel::create_engine::<PgConnection>(url, Default::default()).unwrap();
    let test = engine.test_transaction().unwrap();
    let nested = told(test.test_transaction());
    assert!(
        nested.contains("engine that this was made from"),
        "{nested}"
    );
    let twophase = told(test.connect().unwrap().begin_twophase(None));
    assert!(twophase.contains("two-phase"), "{twophase}");
    drop(test);
    drop(engine.test_transaction().unwrap());
}

#[test]
fn a_read_only_engine_of_a_test_refuses_writes() {
    let engine = diesel_memory();
    let test = engine.test_transaction().unwrap();
    let reader = test.read_only();
    let refused = told(reader.connect().unwrap().batch_execute(INSERT));
    assert!(refused.contains("readonly"), "{refused}");
    test.connect().unwrap().batch_execute(INSERT).unwrap();
}

#[test]
fn a_test_of_an_engine_with_replicas_reads_what_it_has_written() {
    let engine = diesel_memory().with_replicas([diesel_memory()]);
    let test = engine.test_transaction().unwrap();
    test.connect().unwrap().batch_execute(INSERT).unwrap();
    let count = diesel::select(diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM t)"));
    let seen: i64 = count
        .get_result(&mut test.read_only().connect().unwrap())
        .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn an_engine_of_a_test_that_is_over_lends_nothing() {
    let engine = diesel_memory();
    let test = engine.test_transaction().unwrap();
    let app = test.engine().clone();
    drop(test);
    assert_eq!(told(app.connect()), "the pool is closed");
    engine.connect().unwrap().batch_execute(INSERT).unwrap();
}

#[test]
fn a_database_in_memory_outlives_a_test_that_did_nothing() {
    let engine = diesel_memory();
    drop(engine.test_transaction().unwrap());
    engine.connect().unwrap().batch_execute(INSERT).unwrap();
}

#[tokio::test]
async fn sqlx_s_engine_of_a_test_refuses_what_could_not_be_rolled_back() {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    let url = server.url();
    let engine = everpool_sqlx::create_engine::<Postgres>(url, Default::default()).unwrap();
    let test = engine.test_transaction().await.unwrap();
    let nested = told(test.test_transaction().await);
    assert!(
        nested.contains("engine that this was made from"),
        "{nested}"
    );
    let mut connection = test.connect().await.unwrap();
    let twophase = told(connection.begin_twophase(None).await);
    assert!(twophase.contains("two-phase"), "{twophase}");
    drop(connection);
    let elsewhere = told(Acquire::begin(test.engine()).await);
    assert!(elsewhere.contains("Engine::begin()"), "{elsewhere}");
    test.rollback().await;
}

#[tokio::test]
async fn a_test_of_sqlx_s_that_is_dropped_is_rolled_back_and_gives_its_connection_back() {
    let engine = sqlx_memory().await;
    drop(engine.test_transaction().await.unwrap());
    assert_eq!(count(&engine).await, 0);
    let test = engine.test_transaction().await.unwrap();
    query(INSERT).execute(test.engine()).await.unwrap();
    assert_eq!(count(&test).await, 1);
    drop(test);
    assert_eq!(count(&engine).await, 0);
}

#[tokio::test]
async fn futures_of_one_task_take_the_connection_of_a_test_in_turn() {
    let engine = sqlx_memory().await;
    let test = engine.test_transaction().await.unwrap();
    let insert = || query(INSERT).execute(test.engine());
    let (one, two, three) = tokio::join!(insert(), insert(), insert());
    for done in [one, two, three] {
        done.unwrap();
    }
    assert_eq!(count(&test).await, 3);
    test.rollback().await;
}

#[tokio::test]
async fn a_statement_that_is_given_up_in_a_test_on_postgresql_is_given_up_alone() {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server.psql(TABLE).unwrap();
    let url = server.url();
    let engine = everpool_sqlx::create_engine::<Postgres>(url, Default::default()).unwrap();
    let test = engine.test_transaction().await.unwrap();
    query(INSERT).execute(test.engine()).await.unwrap();
    let long = query("SELECT pg_sleep(0.5)").execute(test.engine());
    timeout(Duration::from_millis(20), long).await.unwrap_err();
    let rows: i64 = query_scalar("SELECT count(*) FROM t")
        .fetch_one(test.engine())
        .await
        .unwrap();
    assert_eq!(rows, 1);
    test.rollback().await;
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "0");
}

#[test]
fn a_transaction_of_diesel_s_that_sqlite_has_ended_in_a_test_writes_nothing_outside_of_it() {
    let (_folder, url) = file();
    let engine: everpool_diesel::Engine<SqliteConnection> =
        everpool_diesel::create_engine(url.as_str(), Default::default()).unwrap();
    let mut outside = engine.connect().unwrap();
    outside
        .batch_execute("CREATE TABLE t (i int UNIQUE)")
        .unwrap();
    let test = engine.test_transaction().unwrap();
    let mut connection = test.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    transaction.batch_execute(INSERT).unwrap();
    told(transaction.batch_execute("INSERT OR ROLLBACK INTO t VALUES (1)"));
    let refused = told(transaction.batch_execute("INSERT INTO t VALUES (2)"));
    assert!(refused.contains("has ended this test"), "{refused}");
    drop(transaction);
    drop(connection);
    drop(test);
    outside.batch_execute(INSERT).unwrap();
    outside.batch_execute("INSERT INTO t VALUES (2)").unwrap();
}

#[tokio::test]
async fn a_transaction_of_sqlx_s_that_a_commit_has_ended_in_a_test_writes_no_more() {
    let (_folder, url) = file();
    let url = format!("{url}?mode=rwc");
    let engine: everpool_sqlx::Engine<Sqlite> =
        everpool_sqlx::create_engine(url.as_str(), Default::default()).unwrap();
    query(TABLE).execute(&engine).await.unwrap();
    let test = engine.test_transaction().await.unwrap();
    let mut transaction = test.begin().await.unwrap();
    query("COMMIT").execute(&mut *transaction).await.unwrap();
    let refused = told(query(INSERT).execute(&mut *transaction).await.map(drop));
    assert!(refused.contains("has ended this test"), "{refused}");
    drop(transaction);
    test.rollback().await;
    assert_eq!(count(&engine).await, 0);
}

#[test]
fn a_read_only_connection_of_a_test_of_diesel_s_that_is_invalidated_leaves_one_that_writes() {
    let engine = diesel_memory();
    let test = engine.test_transaction().unwrap();
    let mut reader = test.read_only().connect().unwrap();
    reader.invalidate();
    drop(reader);
    test.connect().unwrap().batch_execute(INSERT).unwrap();
    drop(test);
    engine.connect().unwrap().batch_execute(INSERT).unwrap();
}

#[tokio::test]
async fn a_read_only_connection_of_a_test_of_sqlx_s_that_is_invalidated_leaves_one_that_writes() {
    let engine = sqlx_memory().await;
    let test = engine.test_transaction().await.unwrap();
    let mut reader = test.read_only().connect().await.unwrap();
    reader.invalidate();
    drop(reader);
    query(INSERT).execute(test.engine()).await.unwrap();
    test.rollback().await;
    query(INSERT).execute(&engine).await.unwrap();
}

fn given_up_after(polls: u32, work: impl Future) {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if work.as_mut().poll(&mut context).is_ready() {
            return;
        }
    }
}

#[tokio::test]
async fn a_test_goes_on_wherever_a_statement_is_given_up() {
    for polls in 0..32 {
        let engine = sqlx_memory().await;
        let test = engine.test_transaction().await.unwrap();
        let mut connection = test.connect().await.unwrap();
        query(INSERT).execute(&mut *connection).await.unwrap();
        given_up_after(polls, query(INSERT).execute(&mut *connection));
        drop(connection);
        let rows = query_scalar::<_, i64>("SELECT count(*) FROM t").fetch_one(test.engine());
        match rows.await {
            Ok(rows) => assert!(rows == 1 || rows == 2, "{rows} after {polls} polls"),
            Err(error) => panic!("{error} after {polls} polls"),
        }
        test.rollback().await;
        assert_eq!(count(&engine).await, 0);
    }
}

#[tokio::test]
async fn what_commits_by_itself_in_a_test_on_postgresql_stays_when_the_next_fails() {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server.psql(TABLE).unwrap();
    let url = server.url();
    let autocommit: ExecutionOptions = [("isolation_level", "AUTOCOMMIT")].into_iter().collect();

    let engine =
        everpool_sqlx::create_engine::<Postgres>(url.as_str(), Default::default()).unwrap();
    let test = engine.test_transaction().await.unwrap();
    let app = test.execution_options(&autocommit).unwrap();
    let mut transaction = app.begin().await.unwrap();
    query(INSERT).execute(&mut *transaction).await.unwrap();
    told(
        query("SELECT 1 / 0")
            .execute(&mut *transaction)
            .await
            .map(drop),
    );
    query(INSERT).execute(&mut *transaction).await.unwrap();
    drop(transaction);
    let rows = query_scalar("SELECT count(*) FROM t").fetch_one(test.engine());
    let rows: i64 = rows.await.unwrap();
    assert_eq!(rows, 2);
    test.rollback().await;

    let engine = everpool_diesel::create_engine::<PgConnection>(url, Default::default()).unwrap();
    let test = engine.test_transaction().unwrap();
    let app = test.execution_options(&autocommit).unwrap();
    let mut connection = app.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    transaction.batch_execute(INSERT).unwrap();
    told(transaction.batch_execute("SELECT 1 / 0"));
    transaction.batch_execute(INSERT).unwrap();
    drop(transaction);
    let both =
        connection.batch_execute("SELECT 1 / (CASE count(*) WHEN 2 THEN 1 ELSE 0 END) FROM t");
    both.unwrap();
    drop(connection);
    drop(test);
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "0");
}
