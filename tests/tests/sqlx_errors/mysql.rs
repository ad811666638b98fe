use std::time::Duration;

use everpool_sqlx::{
    Engine, Error, MySql, PoolConnection, mysql::MySqlDatabaseError, query, query_scalar,
};
use everpool_tests::{MariaDb, Proxy, proxy::Ending};
use tokio::time::sleep;

use crate::cost::{Cost, cost, defaults, failure, send};

pub(crate) fn start() -> MariaDb {
    let server = MariaDb::start().expect("these tests need MariaDB");
    server
        .sql("CREATE TABLE t (i int PRIMARY KEY) ENGINE = InnoDB; INSERT INTO t VALUES (1)")
        .unwrap();
    server
}

/// The number of the database's error.
pub(crate) fn number(error: &Error) -> Option<u16> {
    let error = error.as_database_error()?;
    let error = error.try_downcast_ref::<MySqlDatabaseError>()?;
    Some(error.number())
}

async fn one(connection: &mut PoolConnection<MySql>) -> Result<i64, Error> {
    query_scalar("SELECT 1").fetch_one(&mut **connection).await
}

#[tokio::test]
async fn an_error_of_a_statement_costs_mysql_nothing() {
    let server = start();
    let engine: Engine<MySql> = defaults(&server.url());
    let mut connection = engine.connect().await.unwrap();
    server.sql("SET GLOBAL read_only = 0").unwrap();
    let errors = [
        ("SELEC 1", 1064),
        ("SELECT * FROM nowhere", 1146),
        ("INSERT INTO t VALUES (1)", 1062),
        (
            "SET STATEMENT max_statement_time = 0.02 FOR SELECT SLEEP(10)",
            1969,
        ),
        (
            "START TRANSACTION READ ONLY; INSERT INTO t VALUES (2)",
            1792,
        ),
        ("KILL QUERY CONNECTION_ID()", 1317),
    ];
    for (statements, expected) in errors {
        let (error, cost) = failure(&mut connection, statements).await;
        assert_eq!((number(&error), cost), (Some(expected), Cost::Nothing));
        send(&mut connection, "ROLLBACK").await.unwrap();
        assert_eq!(one(&mut connection).await.unwrap(), 1, "{statements}");
    }
    server.sql("SET GLOBAL read_only = 1").unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (2)").await;
    assert_eq!((number(&error), cost), (Some(1290), Cost::Nothing));
}

#[tokio::test]
async fn a_lock_that_mysql_does_not_give_costs_nothing() {
    let server = start();
    let engine: Engine<MySql> = defaults(&server.url());
    let mut holder = engine.connect().await.unwrap();
    send(&mut holder, "BEGIN; SELECT * FROM t FOR UPDATE")
        .await
        .unwrap();
    let mut connection = engine.connect().await.unwrap();
    let (error, cost) = failure(&mut connection, "SELECT * FROM t FOR UPDATE NOWAIT").await;
    assert_eq!((number(&error), cost), (Some(1205), Cost::Nothing));
}

#[tokio::test]
async fn what_leaves_the_driver_out_of_step_with_mysql_costs_that_connection() {
    let server = start();
    let engine: Engine<MySql> = defaults(&server.url());
    let mut connection = engine.connect().await.unwrap();
    let before = engine.status();
    // The driver prepares the statement, refuses to send it, and waits for ever afterwards.
    let too_few = query("SELECT ?").fetch_one(&mut *connection).await;
    assert!(matches!(too_few, Err(Error::Protocol(_))));
    assert_eq!(cost(&mut connection, &before), Cost::Connection);
    assert_eq!(one(&mut connection).await.unwrap(), 1);

    server
        .sql("SET GLOBAL max_allowed_packet = 1048576")
        .unwrap();
    engine.dispose();
    drop(connection);
    let mut connection = engine.connect().await.unwrap();
    let large = format!("SELECT '{}'", "x".repeat(2 << 20));
    let (error, cost) = failure(&mut connection, &large).await;
    // The server says why, or has hung up before that was read.
    match number(&error) {
        Some(number) => assert_eq!((number, cost), (1153, Cost::Connection)),
        None => assert_eq!(cost, Cost::Pool, "{error:?}"),
    }
    assert_eq!(one(&mut connection).await.unwrap(), 1);
}

#[tokio::test]
async fn a_session_that_mysql_ends_costs_all_connections() {
    let server = start();
    let engine: Engine<MySql> = defaults(&server.url());
    let mut connection = engine.connect().await.unwrap();
    server.kill_sessions().unwrap();
    let (error, cost) = failure(&mut connection, "SELECT 1").await;
    assert!(matches!(error, Error::Io(_)), "{error:?}");
    assert_eq!(cost, Cost::Pool);

    send(&mut connection, "SET wait_timeout = 1").await.unwrap();
    let sessions = "SELECT id FROM information_schema.processlist WHERE user = 'everpool'";
    while !server.sql(sessions).unwrap().is_empty() {
        sleep(Duration::from_millis(20)).await;
    }
    let (error, cost) = failure(&mut connection, "SELECT 1").await;
    assert!(matches!(error, Error::Io(_)), "{error:?}");
    assert_eq!(cost, Cost::Pool);
    assert_eq!(one(&mut connection).await.unwrap(), 1);
}

#[tokio::test]
async fn a_mysql_that_was_killed_or_that_cannot_be_reached_costs_all_connections() {
    let mut server = start();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let engine: Engine<MySql> = defaults(&server.url_at(proxy.port()));
    let mut connection = engine.connect().await.unwrap();
    for ending in [Ending::Fin, Ending::Reset] {
        assert_eq!(one(&mut connection).await.unwrap(), 1);
        proxy.cut(ending).unwrap();
        let (error, cost) = failure(&mut connection, "SELECT 1").await;
        assert!(matches!(error, Error::Io(_)), "{error:?}");
        assert_eq!(cost, Cost::Pool, "{ending:?}");
    }
    assert_eq!(one(&mut connection).await.unwrap(), 1);
    server.kill().unwrap();
    server.start_again().unwrap();
    let (_, cost) = failure(&mut connection, "SELECT 1").await;
    assert_eq!(cost, Cost::Pool);
    assert_eq!(one(&mut connection).await.unwrap(), 1);
}
