use std::time::Duration;

use everpool_sqlx::{Engine, Error, PoolConnection, Postgres, query, query_scalar};
use everpool_tests::{PostgreSql, Proxy, proxy::Ending};
use tokio::time::sleep;

use crate::cost::{Cost, code, cost, defaults, failure, send};

pub(crate) fn start() -> PostgreSql {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server
        .psql("CREATE TABLE t (i int PRIMARY KEY); INSERT INTO t VALUES (1)")
        .unwrap();
    server
}

async fn one(connection: &mut PoolConnection<Postgres>) -> Result<i32, Error> {
    query_scalar("SELECT 1").fetch_one(&mut **connection).await
}

#[tokio::test]
async fn an_error_of_a_statement_costs_postgresql_nothing() {
    let server = start();
    let engine: Engine<Postgres> = defaults(&server.url());
    let mut connection = engine.connect().await.unwrap();
    let errors = [
        ("SELEC 1", "42601"),
        ("SELECT * FROM nowhere", "42P01"),
        ("INSERT INTO t VALUES (1)", "23505"),
        ("LOCK TABLE t NOWAIT", "25P01"),
        ("SET statement_timeout = 20; SELECT pg_sleep(10)", "57014"),
        (
            "SET default_transaction_read_only = on; SELECT 1; COMMIT; INSERT INTO t VALUES (2)",
            "25006",
        ),
    ];
    for (statements, expected) in errors {
        let (error, cost) = failure(&mut connection, statements).await;
        assert_eq!((code(&error).as_str(), cost), (expected, Cost::Nothing));
        send(&mut connection, "RESET ALL").await.unwrap();
        assert_eq!(one(&mut connection).await.unwrap(), 1, "{statements}");
    }
}

#[tokio::test]
async fn wrong_arguments_and_outdated_plans_cost_postgresql_nothing() {
    let server = start();
    let engine: Engine<Postgres> = defaults(&server.url());
    let mut connection = engine.connect().await.unwrap();
    let before = engine.status();
    assert_eq!(one(&mut connection).await.unwrap(), 1);

    let too_few = query("SELECT $1::int").fetch_one(&mut *connection).await;
    assert_eq!(code(&too_few.unwrap_err()), "08P01");

    query("SELECT * FROM t")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    server.psql("ALTER TABLE t ADD j int").unwrap();
    let outdated = query("SELECT * FROM t").fetch_all(&mut *connection).await;
    assert_eq!(code(&outdated.unwrap_err()), "0A000");

    send(&mut connection, "DEALLOCATE ALL").await.unwrap();
    let forgotten = one(&mut connection).await;
    assert_eq!(code(&forgotten.unwrap_err()), "26000");

    let mistaken = query_scalar::<_, String>("SELECT 2")
        .fetch_one(&mut *connection)
        .await;
    assert!(matches!(mistaken, Err(Error::ColumnDecode { .. })));
    let none = query("SELECT 3 WHERE false")
        .fetch_one(&mut *connection)
        .await;
    assert!(matches!(none, Err(Error::RowNotFound)));

    assert_eq!(cost(&mut connection, &before), Cost::Nothing);
}

/// A Unix socket that the server has closed refuses the statement, and SQLx does not read the farewell that
/// lies in it.
fn by_tcp(server: &PostgreSql) -> Proxy {
    Proxy::to(&server.socket()).unwrap()
}

#[tokio::test]
async fn a_session_that_postgresql_ends_for_what_it_did_costs_that_connection() {
    let server = start();
    let proxy = by_tcp(&server);
    let engine: Engine<Postgres> = defaults(&server.url_at(proxy.port()));
    let mut connection = engine.connect().await.unwrap();
    let idle = "SET idle_in_transaction_session_timeout = 20; BEGIN";
    send(&mut connection, idle).await.unwrap();
    until_alone(&server).await;

    let (error, cost) = failure(&mut connection, "SELECT 1").await;
    assert_eq!((code(&error).as_str(), cost), ("25P03", Cost::Connection));
}

/// Until the server has no sessions but the one that is asked.
async fn until_alone(server: &PostgreSql) {
    let others = "SELECT pid FROM pg_stat_activity \
                  WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while !server.psql(others).unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_session_that_postgresql_ends_by_itself_costs_all_connections() {
    let server = start();
    let proxy = by_tcp(&server);
    let engine: Engine<Postgres> = defaults(&server.url_at(proxy.port()));
    let mut connection = engine.connect().await.unwrap();
    let idle = "SET idle_session_timeout = 20";
    send(&mut connection, idle).await.unwrap();
    until_alone(&server).await;
    let (error, cost) = failure(&mut connection, "SELECT 1").await;
    assert_eq!((code(&error).as_str(), cost), ("57P05", Cost::Pool));

    let mid_query = "SELECT pg_terminate_backend(pg_backend_pid()); SELECT pg_sleep(10)";
    let (error, cost) = failure(&mut connection, mid_query).await;
    assert_eq!((code(&error).as_str(), cost), ("57P01", Cost::Pool));

    assert_eq!(one(&mut connection).await.unwrap(), 1);
    server
        .psql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        .unwrap();
    let before = engine.status();
    assert_eq!(code(&one(&mut connection).await.unwrap_err()), "57P01");
    assert_eq!(crate::cost::cost(&mut connection, &before), Cost::Pool);
    assert_eq!(one(&mut connection).await.unwrap(), 1);
}

#[tokio::test]
async fn a_postgresql_that_was_killed_or_that_cannot_be_reached_costs_all_connections() {
    let mut server = start();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let engine: Engine<Postgres> = defaults(&server.url_at(proxy.port()));
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

#[tokio::test]
async fn an_answer_that_is_none_of_postgresql_costs_that_connection() {
    let server = start();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let engine: Engine<Postgres> = defaults(&server.url_at(proxy.port()));
    let mut connection = engine.connect().await.unwrap();
    // An answer to a COPY that nobody began.
    proxy.answer_with([b'W', 0, 0, 0, 7, 0, 0, 0]);
    let before = engine.status();
    let error = one(&mut connection).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    assert_eq!(cost(&mut connection, &before), Cost::Connection);
}
