use std::future::Future;

use everpool_sqlx::{AssertSqlSafe, Error, Executor, Row as _, raw_sql};

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
                let row = executor.fetch_one(raw_sql(AssertSqlSafe(number))).await?;
                row.try_get_unchecked(0)
            }

            async fn send<'e>(
                executor: impl Executor<'e, Database = Self> + 'e,
                statements: &str,
            ) -> Result<(), Error> {
                let statements = raw_sql(AssertSqlSafe(statements));
                statements.execute(executor).await.map(drop)
            }
        }
    };
}

driver!(Postgres, "bigint", true);
driver!(MySql, "signed", false);
driver!(Sqlite, "integer", true);
