//! `#[sqlx::test]` hands out the pool of whatever package is called `sqlx`.

use std::{any::type_name_of_val, process::Command};

use everpool_tests::PostgreSql;
use sqlx::{
    PgPool, SqlitePool, pool::PoolConnection, sqlite::SqliteConnectOptions,
    sqlite::SqlitePoolOptions,
};

fn is_ours<T>(pool: &T) -> bool {
    type_name_of_val(pool).starts_with("everpool_sqlx::")
}

#[sqlx::test(migrations = "../migrations")]
async fn a_test_on_sqlite_gets_a_pool_with_its_migrations(pool: SqlitePool) -> sqlx::Result<()> {
    assert!(is_ours(&pool));
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&pool)
        .await?;
    assert_eq!(users, 1);
    Ok(())
}

#[sqlx::test(migrations = false, fixtures("users"))]
async fn a_test_gets_a_connection_with_its_fixtures(
    mut connection: PoolConnection<sqlx::Sqlite>,
) -> sqlx::Result<()> {
    assert!(is_ours(&connection));
    let name: String = sqlx::query_scalar("SELECT name FROM users")
        .fetch_one(&mut *connection)
        .await?;
    assert_eq!(name, "fixed");
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_test_gets_options(
    options: SqlitePoolOptions,
    connect_options: SqliteConnectOptions,
) -> sqlx::Result<()> {
    let pool = options
        .max_connections(1)
        .connect_with(connect_options)
        .await?;
    assert!(is_ours(&pool));
    assert_eq!(pool.options().get_max_connections(), 1);
    Ok(())
}

#[sqlx::test]
async fn a_test_without_a_database_is_run() {
    assert!(std::thread::current().name().is_some());
}

/// Run by the test below, which has a server for it: SQLx reads where it is from the environment.
#[sqlx::test(migrations = "../migrations")]
#[ignore = "run by a_test_on_postgres_works_and_its_database_is_dropped"]
async fn a_test_on_postgres_gets_a_database_of_its_own(pool: PgPool) -> sqlx::Result<()> {
    assert!(is_ours(&pool));
    let database: String = sqlx::query_scalar("SELECT current_database()::text")
        .fetch_one(&pool)
        .await?;
    assert!(database.starts_with("_sqlx_test_"), "{database}");
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&pool)
        .await?;
    assert_eq!(users, 1);
    Ok(())
}

#[test]
fn a_test_on_postgres_works_and_its_database_is_dropped() {
    let server = PostgreSql::start().expect("PostgreSQL starts");
    let run = Command::new(std::env::current_exe().expect("this test has a file"))
        .args([
            "--exact",
            "--ignored",
            "a_test_on_postgres_gets_a_database_of_its_own",
        ])
        .env("DATABASE_URL", server.url())
        .output()
        .expect("this test can be run");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    let left = server
        .psql("SELECT count(*) FROM pg_database WHERE datname LIKE '\\_sqlx\\_test%'")
        .expect("psql answers");
    assert_eq!(left.trim(), "0");
}
