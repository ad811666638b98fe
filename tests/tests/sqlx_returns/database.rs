//! The databases, as far as these tests have to tell them apart.

use std::{
    future::Future,
    ops::Deref,
    time::{Duration, Instant},
};

use everpool_sqlx::{
    Driver, Engine, EngineOptions, EngineOptionsBuilder, PoolConnection, create_engine,
};
use everpool_tests::{MariaDb, PostgreSql, Proxy};
use sqlx::{AssertSqlSafe, Error, Executor, IntoArguments, MySql, Postgres, Row, Sqlite};
use tempfile::TempDir;

/// A database with a table `t` of one number `i`, which is empty; behind a proxy, if it is a server.
pub(crate) trait Database: Sized + Send + Sync + 'static {
    type Sqlx: Driver + sqlx::Database<Arguments: IntoArguments<Self::Sqlx>>;

    const NAME: &str;
    /// What a query that is answered by a number puts before it.
    const NUMBER: (&str, &str);
    /// A query that is answered by 1 inside of a transaction, and by 0 outside; an error is inside, too.
    const IS_INSIDE: &str;
    /// A query that is not answered at once.
    const SLOW: &str;

    fn start() -> Self;

    fn url(&self) -> String;

    fn proxy(&self) -> Option<&Proxy>;

    fn number(row: &<Self::Sqlx as sqlx::Database>::Row) -> i64;

    /// What another user of the database sees.
    fn outside(&self, sql: &str) -> impl Future<Output = i64> + Send;

    fn engine(&self, options: EngineOptionsBuilder) -> Engine<Self::Sqlx> {
        create_engine(self.url().as_str(), options.build().unwrap()).unwrap()
    }

    /// An engine with one connection, so that the next user gets the last one's.
    fn narrow(&self) -> Engine<Self::Sqlx> {
        self.engine(narrow())
    }

    fn committed(&self, row: usize) -> impl Future<Output = i64> + Send {
        let sql = format!("SELECT count(*) FROM t WHERE i = {row}");
        async move { self.outside(&sql).await }
    }

    /// A query that is answered by this number.
    fn echo(number: i64) -> String {
        let (before, after) = Self::NUMBER;
        format!("SELECT {before}{number}{after}")
    }
}

pub(crate) fn narrow() -> EngineOptionsBuilder {
    EngineOptions::builder().pool_size(1).max_overflow(0)
}

/// What statements run on.
pub(crate) type Connection<DB> = <PoolConnection<DB> as Deref>::Target;

pub(crate) type RowOf<D> = <<D as Database>::Sqlx as sqlx::Database>::Row;

/// The answer to a query without parameters, prepared or not.
pub(crate) async fn ask<'c, D, E>(executor: E, sql: &str) -> Result<i64, Error>
where
    D: Database,
    E: Executor<'c, Database = D::Sqlx>,
{
    let row = executor
        .fetch_one(sqlx::raw_sql(AssertSqlSafe(sql)))
        .await?;
    Ok(D::number(&row))
}

pub(crate) async fn send<'c, D, E>(executor: E, sql: &str) -> Result<(), Error>
where
    D: Database,
    E: Executor<'c, Database = D::Sqlx>,
{
    executor.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

pub(crate) fn insert(row: usize) -> String {
    format!("INSERT INTO t VALUES ({row})")
}

/// The next three users get what they ask for, none of them inside of a transaction.
pub(crate) async fn assert_sound<D: Database>(engine: &Engine<D::Sqlx>, after: &str) {
    for number in 7001..7004 {
        let mut next = next_user::<D>(engine, after).await;
        let answer = ask::<D, _>(&mut *next, &D::echo(number)).await;
        assert_eq!(answer.unwrap(), number, "{}, after {after}", D::NAME);
        let inside = ask::<D, _>(&mut *next, D::IS_INSIDE).await;
        assert_eq!(inside.unwrap(), 0, "{}, inside after {after}", D::NAME);
    }
}

/// Another user; who waits for longer than a reset may take has lost a slot.
pub(crate) async fn next_user<D: Database>(
    engine: &Engine<D::Sqlx>,
    after: &str,
) -> PoolConnection<D::Sqlx> {
    let asked = Instant::now();
    let next = engine.connect().await;
    let next = next.unwrap_or_else(|error| panic!("{}, after {after}: {error}", D::NAME));
    assert!(asked.elapsed() < PATIENCE, "{}, after {after}", D::NAME);
    next
}

/// The pool's reset timeout, and what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

impl Database for Server<PostgreSql> {
    type Sqlx = Postgres;

    const NAME: &str = "PostgreSQL";
    const NUMBER: (&str, &str) = ("", "::int8");
    // A transaction that began with this statement is its own.
    const IS_INSIDE: &str = "SELECT (now() <> statement_timestamp())::int::int8";
    const SLOW: &str = "SELECT pg_sleep(0.1)";

    fn start() -> Self {
        let server = PostgreSql::start().expect("these tests need PostgreSQL");
        server.psql("CREATE TABLE t (i int)").unwrap();
        let proxy = Proxy::to(&server.socket()).unwrap();
        Self { server, proxy }
    }

    fn url(&self) -> String {
        self.server.url_at(self.proxy.port())
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    fn number(row: &RowOf<Self>) -> i64 {
        row.try_get_unchecked(0).unwrap()
    }

    async fn outside(&self, sql: &str) -> i64 {
        self.server.psql(sql).unwrap().trim().parse().unwrap()
    }
}

impl Database for Server<MariaDb> {
    type Sqlx = MySql;

    const NAME: &str = "MariaDB";
    const NUMBER: (&str, &str) = ("CAST(", " AS SIGNED)");
    const IS_INSIDE: &str = "SELECT CAST(@@in_transaction AS SIGNED)";
    const SLOW: &str = "SELECT sleep(0.1)";

    fn start() -> Self {
        let server = MariaDb::start().expect("these tests need MariaDB");
        let table = "CREATE TABLE t (i int) ENGINE = InnoDB";
        server.sql(table).unwrap();
        let proxy = Proxy::to(&server.socket()).unwrap();
        Self { server, proxy }
    }

    fn url(&self) -> String {
        self.server.url_at(self.proxy.port())
    }

    fn proxy(&self) -> Option<&Proxy> {
        Some(&self.proxy)
    }

    fn number(row: &RowOf<Self>) -> i64 {
        row.try_get_unchecked(0).unwrap()
    }

    async fn outside(&self, sql: &str) -> i64 {
        self.server.sql(sql).unwrap().trim().parse().unwrap()
    }
}

/// A server behind a proxy.
pub(crate) struct Server<S> {
    pub(crate) server: S,
    pub(crate) proxy: Proxy,
}

pub(crate) type Pg = Server<PostgreSql>;
pub(crate) type Maria = Server<MariaDb>;

/// A database in a file.
pub(crate) struct File {
    directory: TempDir,
}

impl Database for File {
    type Sqlx = Sqlite;

    const NAME: &str = "SQLite";
    const NUMBER: (&str, &str) = ("", "");
    const IS_INSIDE: &str = "BEGIN; ROLLBACK; SELECT 0";
    const SLOW: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) \
                        SELECT max(i) FROM n";

    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let file = Self { directory };
        std::thread::scope(|scope| {
            let made = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                let mode = "PRAGMA journal_mode = WAL; CREATE TABLE t (i int); SELECT 0";
                runtime.block_on(file.outside(mode))
            });
            assert_eq!(made.join().unwrap(), 0);
        });
        file
    }

    fn url(&self) -> String {
        format!(
            "sqlite:///{}",
            self.directory.path().join("app.db").display()
        )
    }

    fn proxy(&self) -> Option<&Proxy> {
        None
    }

    fn number(row: &RowOf<Self>) -> i64 {
        row.try_get_unchecked(0).unwrap()
    }

    async fn outside(&self, sql: &str) -> i64 {
        use sqlx::{Connection as _, sqlite::SqliteConnectOptions};

        let file = self.directory.path().join("app.db");
        let options = SqliteConnectOptions::new().filename(file);
        let options = options.create_if_missing(true);
        let mut other = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        let rows = (&mut other).fetch_all(sqlx::raw_sql(AssertSqlSafe(sql)));
        let rows = rows.await.unwrap();
        other.close().await.unwrap();
        Self::number(rows.last().unwrap())
    }
}
