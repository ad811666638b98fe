use std::future::Future;

#[cfg(not(sqlx_0_8))]
use everpool_sqlx::AssertSqlSafe as safe;
use everpool_sqlx::{Error, Executor, Row as _, raw_sql};

/// SQLx 0.8 takes every text.
#[cfg(sqlx_0_8)]
fn safe(sql: &str) -> &str {
    sql
}

/// A database of SQLx's.
pub(crate) trait Driver: everpool_sqlx::Driver<Connection: Sync> {
    /// Whether what an abandoned statement left on a connection is mended.
    const MENDS: bool;

    /// The value of an expression, without a prepared statement: an old PgBouncer may take the two halves of
    /// one to two servers.
    fn ask<'e>(
        executor: impl Executor<'e, Database = Self> + 'e,
        expression: &str,
    ) -> impl Future<Output = Result<i64, Error>>;

    /// Sends one statement or several as they are.
    fn send<'e>(
        executor: impl Executor<'e, Database = Self> + 'e,
        statements: &str,
    ) -> impl Future<Output = Result<(), Error>>;
}

macro_rules! driver {
    ($database:ident, $integer:literal, $mends:literal) => {
        impl Driver for everpool_sqlx::$database {
            const MENDS: bool = $mends;

            async fn ask<'e>(
                executor: impl Executor<'e, Database = Self> + 'e,
                expression: &str,
            ) -> Result<i64, Error> {
                let number = format!(concat!("SELECT CAST({} AS ", $integer, ")"), expression);
                let row = executor.fetch_one(raw_sql(safe(number.as_str()))).await?;
                row.try_get_unchecked(0)
            }

            async fn send<'e>(
                executor: impl Executor<'e, Database = Self> + 'e,
                statements: &str,
            ) -> Result<(), Error> {
                executor.execute(raw_sql(safe(statements))).await.map(drop)
            }
        }
    };
}

driver!(Postgres, "bigint", true);
driver!(MySql, "signed", false);
driver!(Sqlite, "integer", true);
