//! What the return of a SQLx connection costs its user.

use everpool_sqlx::{Engine, EngineOptions, PoolConnection, create_engine};
use sqlx::Sqlite;
use tokio::runtime::Handle;

/// An engine with one connection, which has answered a query. No other task runs while the test does not
/// wait.
async fn used() -> (Engine<Sqlite>, PoolConnection<Sqlite>) {
    let engine = create_engine("sqlite://", EngineOptions::default()).unwrap();
    // The first checkout leaves a task in this runtime.
    drop(engine.connect().await.unwrap());
    let mut connection = engine.connect().await.unwrap();
    let query = sqlx::query("SELECT 1").execute(&mut *connection);
    query.await.unwrap();
    (engine, connection)
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test]
async fn a_connection_with_nothing_open_is_back_at_once_and_no_task_is_spawned() {
    let (engine, connection) = used().await;
    let before = tasks();
    drop(connection);
    assert_eq!(tasks(), before);
    assert_eq!(engine.status().idle, 1);
}

#[tokio::test]
async fn a_connection_with_a_transaction_open_is_put_in_order_by_a_task() {
    let (engine, mut connection) = used().await;
    let begin = sqlx::query("BEGIN").execute(&mut *connection);
    begin.await.unwrap();
    let before = tasks();
    drop(connection);
    assert_eq!(tasks(), before + 1);
    assert_eq!(engine.status().resetting, 1);
}
