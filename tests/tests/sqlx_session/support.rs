//! What these tests begin with.

use std::{
    future::Future,
    time::{Duration, Instant},
};

#[cfg(not(sqlx_0_8))]
use everpool_sqlx::AssertSqlSafe as safe;
use everpool_sqlx::{
    Driver, Engine, EngineOptions, Error, Executor, Postgres, Session, SessionError, Sqlite,
    StateError, create_engine, query_scalar, raw_sql,
};
use everpool_tests::PostgreSql;

/// SQLx 0.8 takes any text.
#[cfg(sqlx_0_8)]
fn safe(sql: &str) -> &str {
    sql
}

pub(crate) fn engine<DB: Driver>(url: &str) -> Engine<DB> {
    create_engine(url, EngineOptions::default()).unwrap()
}

pub(crate) async fn send<DB: Driver>(session: &mut Session<DB>, sql: &str) -> Result<(), Error> {
    session.execute(raw_sql(safe(sql))).await.map(drop)
}

pub(crate) fn insert(i: i32) -> String {
    format!("INSERT INTO t VALUES ({i})")
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, SessionError>) -> StateError {
    match result {
        Err(SessionError::State(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

/// A server with an empty table.
pub(crate) fn postgresql() -> PostgreSql {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server.psql("CREATE TABLE t (i int)").unwrap();
    server
}

pub(crate) fn rows(server: &PostgreSql) -> String {
    let rows = server.psql("SELECT coalesce(string_agg(i::text, ' ' ORDER BY i), '') FROM t");
    rows.unwrap().trim().to_owned()
}

/// A database in memory with an empty table, whose one connection everybody waits for.
pub(crate) async fn sqlite() -> Engine<Sqlite> {
    let engine = engine("sqlite://");
    raw_sql("CREATE TABLE t (i INTEGER PRIMARY KEY)")
        .execute(&engine)
        .await
        .unwrap();
    engine
}

pub(crate) async fn count(engine: &Engine<Sqlite>) -> i64 {
    let rows = query_scalar("SELECT count(*) FROM t").fetch_one(engine);
    rows.await.unwrap()
}

pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        tokio::task::yield_now().await;
    }
}

/// What the server is sent from now on while `work` is done.
pub(crate) async fn statements(
    server: &PostgreSql,
    engine: &Engine<Postgres>,
    work: impl Future<Output = ()>,
) -> Vec<String> {
    server
        .psql("ALTER SYSTEM SET log_statement = 'all'")
        .unwrap();
    server.psql("SELECT pg_reload_conf()").unwrap();
    until("the server logs statements", async || {
        let setting = query_scalar("SELECT current_setting('log_statement')").fetch_one(engine);
        let setting: String = setting.await.unwrap();
        setting == "all"
    })
    .await;
    let mark = "SELECT 'from here on'";
    raw_sql(mark).execute(engine).await.unwrap();
    work.await;
    let logs = std::fs::read_dir(server.directory()).unwrap();
    let text: String = logs
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    let from = text.rfind(mark).expect("it was logged") + mark.len();
    let sent = text[from..].lines().filter_map(|line| {
        let (_, statement) = line.split_once("statement: ")?;
        Some(statement.to_owned())
    });
    sent.collect()
}
