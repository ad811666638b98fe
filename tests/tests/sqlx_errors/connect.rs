//! Which connects are tried again, and which are not because waiting mends nothing.

use std::time::Duration;

use everpool_sqlx::{CheckoutError, Driver, Engine, EngineOptions, MySql, Postgres, Sqlite};

use crate::{cost::engine, mysql, postgresql};

/// What the first caller is told of a database that cannot be connected to.
async fn told<DB: Driver>(url: &str) -> CheckoutError {
    let options = EngineOptions::builder().pool_outage_grace(Duration::from_millis(20));
    let engine: Engine<DB> = engine(url, options);
    engine.connect().await.unwrap_err()
}

async fn is_transient<DB: Driver>(url: &str) -> bool {
    match told::<DB>(url).await {
        CheckoutError::Outage(_) => true,
        CheckoutError::Connect(_) => false,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn a_connect_to_a_postgresql_that_is_away_or_full_is_tried_again() {
    let server = postgresql::start();
    let away = format!(
        "postgresql:///postgres?host={}&user=postgres&port=1",
        server.directory().display()
    );
    assert!(is_transient::<Postgres>(&away).await);
    let nobody_s_port = "postgresql://postgres@127.0.0.1:1/postgres";
    assert!(is_transient::<Postgres>(nobody_s_port).await);

    server
        .psql("CREATE ROLE narrow LOGIN CONNECTION LIMIT 0")
        .unwrap();
    let full = server.url().replace("user=everpool", "user=narrow");
    assert_ne!(full, server.url());
    assert!(is_transient::<Postgres>(&full).await);
}

#[tokio::test]
async fn a_connect_that_postgresql_refuses_for_good_is_told_at_once() {
    let server = postgresql::start();
    let nobody = server.url().replace("user=everpool", "user=nobody");
    assert!(!is_transient::<Postgres>(&nobody).await);
    let nowhere = server.url().replace("/postgres?", "/nowhere?");
    assert!(!is_transient::<Postgres>(&nowhere).await);
    let tls = server.url() + "&sslmode=require";
    assert!(!is_transient::<Postgres>(&tls).await);
    let unknown_host = "postgresql://postgres@nowhere.invalid/postgres";
    assert!(!is_transient::<Postgres>(unknown_host).await);
}

#[tokio::test]
async fn a_connect_to_a_mysql_that_is_away_or_full_is_tried_again() {
    let server = mysql::start();
    let nobody_s_port = "mysql://everpool@127.0.0.1:1/everpool";
    assert!(is_transient::<MySql>(nobody_s_port).await);

    server
        .sql("CREATE USER narrow@'%' WITH MAX_USER_CONNECTIONS 1; GRANT ALL ON everpool.* TO narrow@'%'")
        .unwrap();
    let narrow = server.url().replace("everpool@", "narrow@");
    let held: Engine<MySql> = engine(&narrow, EngineOptions::builder());
    let _held = held.connect().await.unwrap();
    assert!(is_transient::<MySql>(&narrow).await);
}

#[tokio::test]
async fn a_connect_that_mysql_refuses_for_good_is_told_at_once() {
    let server = mysql::start();
    let nobody = server.url().replace("everpool@", "nobody:wrong@");
    assert!(!is_transient::<MySql>(&nobody).await);
    let nowhere = server.url() + "_nowhere";
    assert!(!is_transient::<MySql>(&nowhere).await);
}

#[tokio::test]
async fn a_sqlite_file_that_cannot_be_is_told_at_once() {
    assert!(!is_transient::<Sqlite>("sqlite:////nowhere/at/all.db").await);
    let directory = tempfile::TempDir::new().unwrap();
    let missing = format!("sqlite:///{}/app.db?mode=rw", directory.path().display());
    assert!(!is_transient::<Sqlite>(&missing).await);
}
