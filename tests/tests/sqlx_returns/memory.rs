//! A database in memory lives as long as its connection, so that is not given up.

use std::{sync::Arc, time::Duration};

use everpool_sqlx::{Engine, EngineOptions, Session, Sqlite, create_engine};
use futures_util::StreamExt;
use sqlx::Executor;

use crate::{
    cut::cut,
    database::{File, ask, insert, send},
};

/// Runs for longer than a millisecond.
const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) \
                    SELECT max(i) FROM n";

async fn engine(options: EngineOptions) -> Engine<Sqlite> {
    let engine = create_engine("sqlite:///:memory:", options).unwrap();
    send::<File, _>(&engine, "CREATE TABLE t (i int UNIQUE)")
        .await
        .unwrap();
    send::<File, _>(&engine, &insert(1)).await.unwrap();
    engine
}

async fn rows(engine: &Engine<Sqlite>) -> i64 {
    ask::<File, _>(engine, "SELECT count(*) FROM t")
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_memory_outlives_whatever_its_users_do() {
    let engine = engine(EngineOptions::default()).await;
    for waits in 0..4 {
        drop(cut(waits, send::<File, _>(&engine, LONG)).await);
        assert_eq!(rows(&engine).await, 1, "after a query that was given up");
        drop(cut(waits, engine.begin()).await);
        let mut transaction = engine.begin().await.unwrap();
        send::<File, _>(&mut *transaction, &insert(2))
            .await
            .unwrap();
        send::<File, _>(&mut *transaction, &insert(1))
            .await
            .unwrap_err();
        drop(transaction);
        assert_eq!(rows(&engine).await, 1, "after a dropped transaction");
        let mut session = Session::begin(&engine).await.unwrap();
        send::<File, _>(&mut session, &insert(2)).await.unwrap();
        drop(cut(waits, session.rollback()).await);
        drop(session);
        assert_eq!(rows(&engine).await, 1, "after a rollback that was given up");
        let mut transaction = engine.begin().await.unwrap();
        send::<File, _>(&mut *transaction, "INSERT OR ROLLBACK INTO t VALUES (1)")
            .await
            .unwrap_err();
        drop(transaction);
        let mut connection = engine.connect().await.unwrap();
        let mut all = connection.fetch("SELECT i FROM t UNION ALL SELECT 2");
        all.next().await.unwrap().unwrap();
        drop(all);
        drop(connection);
    }
    let panicking = engine.clone();
    let panicked = tokio::spawn(async move {
        let mut transaction = panicking.begin().await.unwrap();
        send::<File, _>(&mut *transaction, &insert(2))
            .await
            .unwrap();
        std::panic::resume_unwind(Box::new("the program's own"));
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(rows(&engine).await, 1, "after a panic in a transaction");
}

/// A reset waits for what was given up: SQLx's worker does one thing after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_takes_longer_than_its_timeout_does_not_cost_the_database() {
    let instant = Duration::from_millis(1);
    let options = EngineOptions::builder()
        .pool_reset_timeout(instant)
        .pool_ping_timeout(instant)
        .pool_pre_ping(true);
    let engine = engine(options.build().unwrap()).await;
    assert!(cut(0, send::<File, _>(&engine, LONG)).await.is_none());
    assert_eq!(rows(&engine).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_option_that_replaces_connections_costs_the_database() {
    let soon = Duration::from_millis(1);
    let options = EngineOptions::builder()
        .pool_recycle(soon)
        .pool_max_idle_time(soon)
        .pool_keepalive(soon)
        .pool_pre_ping(true);
    let engine = engine(options.build().unwrap()).await;
    for _ in 0..20 {
        tokio::time::sleep(2 * soon).await;
        assert_eq!(rows(&engine).await, 1);
    }
}

/// <https://github.com/launchbadge/sqlx/issues/1869>
#[tokio::test(flavor = "multi_thread")]
async fn sqlx_1869_a_checkout_that_is_given_up_in_its_ping_costs_no_connection() {
    let options = EngineOptions::builder().pool_pre_ping(true);
    let engine = Arc::new(engine(options.build().unwrap()).await);
    for waits in 0..4 {
        for _ in 0..50 {
            drop(cut(waits, engine.connect()).await);
        }
        assert_eq!(rows(&engine).await, 1);
    }
}
