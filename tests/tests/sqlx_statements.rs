//! Which prepared statements SQLx's engine leaves on its connections.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use everpool_sqlx::{
    Any, Connection as _, Driver, Engine, EngineOptions, MySql, PoolConnection, Postgres, Row as _,
    Session, Sqlite, any::install_default_drivers, create_engine, query, query_scalar, raw_sql,
};
use everpool_tests::{MariaDb, PgBouncer, PostgreSql};

fn engine<DB: Driver>(url: &str, query_cache_size: Option<u32>) -> Engine<DB> {
    let options = EngineOptions::builder();
    let options = match query_cache_size {
        None => options,
        Some(size) => options.query_cache_size(size),
    };
    create_engine(url, options.build().unwrap()).unwrap()
}

/// How many statements a connection keeps after three were executed, twice each.
macro_rules! kept {
    ($database:ty, $url:expr, $query_cache_size:expr) => {{
        let engine: Engine<$database> = engine($url, $query_cache_size);
        let mut connection = engine.connect().await.unwrap();
        for text in ["SELECT 1", "SELECT 2", "SELECT 3"].repeat(2) {
            query(text).execute(&mut *connection).await.unwrap();
        }
        let driver = connection.driver_connection().await.unwrap();
        driver.cached_statements_size()
    }};
}

#[tokio::test]
async fn query_cache_size_is_how_many_prepared_statements_a_connection_keeps() {
    let postgresql = PostgreSql::start().expect("these tests need PostgreSQL");
    let mariadb = MariaDb::start().expect("these tests need MariaDB");
    for (size, kept) in [(None, 3), (Some(2), 2), (Some(0), 0)] {
        assert_eq!(kept!(Postgres, &postgresql.url(), size), kept, "{size:?}");
        assert_eq!(kept!(MySql, &mariadb.url(), size), kept, "{size:?}");
        assert_eq!(kept!(Sqlite, "sqlite://", size), kept, "{size:?}");
    }
}

async fn named_on_the_server(connection: &mut PoolConnection<Postgres>) -> i64 {
    let names = raw_sql("SELECT count(*) FROM pg_prepared_statements");
    let row = names.fetch_one(&mut **connection).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn without_a_cache_postgresql_keeps_no_statement_by_its_name() {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    for (size, kept) in [(None, 1), (Some(0), 0)] {
        let engine: Engine<Postgres> = engine(&server.url(), size);
        let mut connection = engine.connect().await.unwrap();
        query("SELECT $1::int")
            .bind(1)
            .execute(&mut *connection)
            .await
            .unwrap();
        assert_eq!(named_on_the_server(&mut connection).await, kept, "{size:?}");
    }
}

#[tokio::test]
async fn through_any_query_cache_size_reaches_the_driver() {
    install_default_drivers();
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    for (size, kept) in [(None, 3), (Some(2), 2), (Some(0), 0)] {
        let engine: Engine<Any> = engine(&server.url(), size);
        let mut connection = engine.connect().await.unwrap();
        for text in ["SELECT 1", "SELECT 2", "SELECT 3"] {
            query(text).execute(&mut *connection).await.unwrap();
        }
        let named = raw_sql("SELECT count(*) FROM pg_prepared_statements");
        let row = named.fetch_one(&mut *connection).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), kept, "{size:?}");
    }
}

#[tokio::test]
async fn without_a_cache_sessions_behind_a_pgbouncer_may_meet_any_server_connection() {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    let bouncer = PgBouncer::start(&server).expect("these tests need PgBouncer");
    let engine: Engine<Postgres> = engine(&bouncer.url(), Some(0));
    let mut first = Session::begin(&engine).await.unwrap();
    let mut second = Session::begin(&engine).await.unwrap();
    let mut backends = Vec::new();
    for _ in 0..3 {
        // Each has the server connection that the other had before.
        for session in [&mut first, &mut second] {
            backends.push(backend(session).await);
        }
        second.commit().await.unwrap();
        first.commit().await.unwrap();
        std::mem::swap(&mut first, &mut second);
    }
    backends.sort_unstable();
    backends.dedup();
    assert_eq!(backends.len(), 2);
}

/// By a prepared statement with an argument.
async fn backend(session: &mut Session<Postgres>) -> i32 {
    let backend = query_scalar("SELECT pg_backend_pid() + $1").bind(0);
    backend.fetch_one(session).await.unwrap()
}
