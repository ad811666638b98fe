//! What the program has to say to errors.

use everpool_sqlx::{Engine, EngineOptions, Error, MySql, Postgres};

use crate::{
    cost::{Cost, code, defaults, engine, failure, send},
    mysql, postgresql,
};

#[tokio::test]
async fn a_handler_may_call_an_error_a_disconnect_and_a_disconnect_none() {
    let server = postgresql::start();
    let engine: Engine<Postgres> = defaults(&server.url());
    engine.events().handle_error(|context| {
        match context.statement() {
            Some("SELECT * FROM nowhere") => context.set_disconnect(true),
            Some(text) if text.contains("pg_terminate_backend") => context.set_disconnect(false),
            _ => {}
        }
        Ok(None)
    });
    let mut connection = engine.connect().await.unwrap();
    let (error, cost) = failure(&mut connection, "SELECT * FROM nowhere").await;
    assert_eq!((code(&error).as_str(), cost), ("42P01", Cost::Pool));

    let suicide = "SELECT pg_terminate_backend(pg_backend_pid())";
    let (error, cost) = failure(&mut connection, suicide).await;
    assert_eq!((code(&error).as_str(), cost), ("57P01", Cost::Nothing));
}

#[tokio::test]
async fn a_handler_s_error_is_told_instead() {
    let server = postgresql::start();
    let engine: Engine<Postgres> = defaults(&server.url());
    engine.events().handle_error(|context| {
        let error = context.original().sqlx_error();
        let is_known = error.is_some_and(|error| code(error) == "42P01");
        Ok(is_known.then(|| Error::RowNotFound.into()))
    });
    let mut connection = engine.connect().await.unwrap();
    let (error, cost) = failure(&mut connection, "SELECT * FROM nowhere").await;
    assert!(matches!(error, Error::RowNotFound), "{error:?}");
    assert_eq!(cost, Cost::Nothing);
    let (error, _) = failure(&mut connection, "SELEC").await;
    assert_eq!(code(&error), "42601");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_counts_as_lost_if_the_engine_says_so() {
    let options = || EngineOptions::builder().read_only_is_disconnect(true);

    let server = postgresql::start();
    let engine_of_postgresql: Engine<Postgres> = engine(&server.url(), options());
    let mut connection = engine_of_postgresql.connect().await.unwrap();
    let read_only = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    send(&mut connection, read_only).await.unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (2)").await;
    assert_eq!((code(&error).as_str(), cost), ("25006", Cost::Pool));

    let server = mysql::start();
    let engine_of_mysql: Engine<MySql> = engine(&server.url(), options());
    let mut connection = engine_of_mysql.connect().await.unwrap();
    server.sql("SET GLOBAL read_only = 1").unwrap();
    let (error, cost) = failure(&mut connection, "INSERT INTO t VALUES (2)").await;
    assert_eq!((mysql::number(&error), cost), (Some(1290), Cost::Pool));
}
