//! Errors that come through SQLx's `Any` are told apart as those of the drivers.

use everpool_sqlx::{Any, Engine, any::install_default_drivers, query, query_scalar};

use crate::{
    cost::{Cost, code, cost, defaults, failure},
    mysql, postgresql, sqlite,
};

fn engine(url: &str) -> Engine<Any> {
    install_default_drivers();
    defaults(url)
}

#[tokio::test]
async fn postgresql_through_any_is_postgresql() {
    let server = postgresql::start();
    let mut connection = engine(&server.url()).connect().await.unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (1)").await;
    assert_eq!((code(&error).as_str(), cost), ("23505", Cost::Nothing));
    let suicide = "SELECT pg_terminate_backend(pg_backend_pid())";
    let (error, cost) = failure(&mut connection, suicide).await;
    assert_eq!((code(&error).as_str(), cost), ("57P01", Cost::Pool));
    let one = query_scalar::<_, i64>("SELECT 1::bigint").fetch_one(&mut *connection);
    assert_eq!(one.await.unwrap(), 1);
}

#[tokio::test]
async fn mysql_through_any_is_mysql() {
    let server = mysql::start();
    let engine = engine(&server.url());
    let mut connection = engine.connect().await.unwrap();
    let (error, lost) = failure(&mut connection, "INSERT INTO t VALUES (1)").await;
    assert_eq!((mysql::number(&error), lost), (Some(1062), Cost::Nothing));
    let before = engine.status();
    query("SELECT ?")
        .execute(&mut *connection)
        .await
        .unwrap_err();
    assert_eq!(cost(&mut connection, &before), Cost::Connection);
    let one = query_scalar::<_, i64>("SELECT 1").fetch_one(&mut *connection);
    assert_eq!(one.await.unwrap(), 1);
    server.kill_sessions().unwrap();
    let (_, lost) = failure(&mut connection, "SELECT 1").await;
    assert_eq!(lost, Cost::Pool);
}

#[tokio::test]
async fn sqlite_through_any_is_sqlite() {
    let file = sqlite::File::new();
    let mut connection = engine(&file.url()).connect().await.unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (1)").await;
    assert_eq!((code(&error).as_str(), cost), ("1555", Cost::Nothing));
    std::fs::write(file.path(), "x".repeat(8192)).unwrap();
    let (error, cost) = failure(&mut connection, "SELECT * FROM t").await;
    assert_eq!((code(&error).as_str(), cost), ("26", Cost::Connection));
}
