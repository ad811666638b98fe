//! What differs between the versions of SQLx: 0.9.

use sqlx::{AssertSqlSafe, Database, Execute, RawSql, SqlSafeStr, SqlStr, error::BoxDynError};

/// The text of a statement.
pub type Sql<'q> = SqlStr;
/// A statement that was prepared.
pub type Prepared<'q, DB> = <DB as Database>::Statement;
/// What the server says of a statement.
pub type Described<DB> = sqlx::Describe<DB>;
/// What a transaction is begun with.
pub(crate) type Begin = SqlStr;

/// A text that this crate made.
pub fn raw(sql: &str) -> RawSql {
    sqlx::raw_sql(AssertSqlSafe(sql))
}

pub(crate) fn text<'a>(sql: &'a Sql<'_>) -> &'a str {
    sql.as_str()
}

/// The text of what a transaction is begun with.
pub(crate) fn begin_text(begin: &Begin) -> &str {
    begin.as_str()
}

/// The same text once more. Costs nothing, or a reference more to one that was made.
pub(crate) fn again<'q>(sql: &Sql<'q>) -> Sql<'q> {
    sql.clone()
}

/// The text of a query, and the query, which SQLx takes apart as it reads the text. Unless the connection
/// keeps statements this one is prepared without a name: PostgreSQL would keep a named one for ever.
pub(crate) fn peek<'q, DB, E>(
    mut query: E,
    keeps_statements: bool,
) -> (Sql<'q>, impl Execute<'q, DB> + 'q)
where
    DB: Database,
    E: Execute<'q, DB> + 'q,
{
    let statement = query.statement().cloned();
    let persistent = query.persistent() && keeps_statements;
    let arguments = Some(query.take_arguments());
    let sql = query.sql();
    let peeked = Peeked::<DB> {
        sql: sql.clone(),
        statement,
        arguments,
        persistent,
    };
    (sql, peeked)
}

struct Peeked<DB: Database> {
    sql: SqlStr,
    statement: Option<DB::Statement>,
    arguments: Option<Result<Option<DB::Arguments>, BoxDynError>>,
    persistent: bool,
}

impl<DB: Database> Execute<'_, DB> for Peeked<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

/// What may be given for a statement that begins a transaction.
pub trait BeginStatement: sealed::Sealed {
    #[doc(hidden)]
    fn into_begin(self) -> Begin;
}

impl<S: SqlSafeStr> BeginStatement for S {
    fn into_begin(self) -> Begin {
        self.into_sql_str()
    }
}

mod sealed {
    pub trait Sealed {}

    impl<S: super::SqlSafeStr> Sealed for S {}
}

/// SQLx's trait for one who gives a Connection for a statement.
macro_rules! executor {
    ($source:ty) => {
        $crate::version::executor!($source, executor);
    };
    ($source:ty, $way:ident) => {
        impl<'c, DB: Driver> sqlx::Executor<'c> for $source {
            type Database = DB;

            fn execute<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
            where
                'c: 'e,
                E: Execute<'q, DB> + 'q,
            {
                $crate::$way::execute(self, query)
            }

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Piece<DB>, Error>>
            where
                'c: 'e,
                E: Execute<'q, DB> + 'q,
            {
                $crate::$way::fetch_many(self, query)
            }

            fn fetch_all<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Vec<DB::Row>, Error>>
            where
                'c: 'e,
                E: Execute<'q, DB> + 'q,
            {
                $crate::$way::fetch_all(self, query)
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
            where
                'c: 'e,
                E: Execute<'q, DB> + 'q,
            {
                $crate::$way::fetch_optional(self, query)
            }

            fn fetch_one<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<DB::Row, Error>>
            where
                'c: 'e,
                E: Execute<'q, DB> + 'q,
            {
                $crate::$way::fetch_one(self, query)
            }

            fn prepare_with<'e>(
                self,
                sql: Sql<'static>,
                parameters: &'e [DB::TypeInfo],
            ) -> BoxFuture<'e, Result<Prepared<'static, DB>, Error>>
            where
                'c: 'e,
            {
                $crate::$way::prepare_with(self, sql, parameters)
            }

            fn describe<'e>(self, sql: Sql<'static>) -> BoxFuture<'e, Result<Described<DB>, Error>>
            where
                'c: 'e,
            {
                $crate::$way::describe(self, sql)
            }
        }
    };
}
pub(crate) use executor;

#[cfg(feature = "migrate")]
pub(crate) use of_migrations::migrate;

#[cfg(feature = "migrate")]
mod of_migrations {
    use sqlx::migrate::{Migrate, MigrateError, Migrator};

    /// Applies all migrations on a driver's connection.
    pub(crate) async fn migrate<C: Migrate>(
        migrator: &Migrator,
        connection: &mut C,
    ) -> Result<(), MigrateError> {
        migrator.run_direct(None, connection, false).await
    }
}

#[cfg(feature = "postgres")]
mod of_postgres {
    use std::future::Future;

    use futures_core::stream::BoxStream;
    use sqlx::{
        Error, Postgres,
        postgres::{PgCopyIn, PgPoolCopyExt},
    };
    use sqlx_core::bytes::Bytes;

    use crate::{native::stand_in, pool::Pool};

    type Native = sqlx::pool::PoolConnection<Postgres>;

    /// As [`Acquire::begin`](sqlx::Acquire::begin) of a pool: what copies in can own no connection but
    /// one of SQLx's pool, so one is opened for it, while one of this pool is held back. On a
    /// [`PoolConnection`](crate::pool::PoolConnection), both methods do without.
    impl PgPoolCopyExt for Pool<Postgres> {
        fn copy_in_raw<'a>(
            &'a self,
            statement: &'a str,
        ) -> impl Future<Output = Result<PgCopyIn<Native>, Error>> + Send + 'a {
            let engine = self.engine().clone();
            async move { stand_in(engine).await?.copy_in_raw(statement).await }
        }

        fn copy_out_raw<'a>(
            &'a self,
            statement: &'a str,
        ) -> impl Future<Output = Result<BoxStream<'static, Result<Bytes, Error>>, Error>> + Send + 'a
        {
            let engine = self.engine().clone();
            async move { stand_in(engine).await?.copy_out_raw(statement).await }
        }
    }
}
