//! What differs between the versions of SQLx: 0.8.

use std::borrow::Cow;

use sqlx::{Database, Execute, RawSql, error::BoxDynError};

/// The text of a statement.
pub type Sql<'q> = &'q str;
/// A statement that was prepared.
pub type Prepared<'q, DB> = <DB as Database>::Statement<'q>;
/// What the server says of a statement.
pub type Described<DB> = sqlx::Describe<DB>;
/// What a transaction is begun with.
pub(crate) type Begin = Cow<'static, str>;

/// A text that this crate made.
pub fn raw(sql: &str) -> RawSql<'_> {
    sqlx::raw_sql(sql)
}

pub(crate) fn text<'a>(sql: &'a Sql<'_>) -> &'a str {
    sql
}

/// The text of what a transaction is begun with.
pub(crate) fn begin_text(begin: &Begin) -> &str {
    begin
}

/// The same text once more. Costs nothing.
pub(crate) fn again<'q>(sql: &Sql<'q>) -> Sql<'q> {
    sql
}

/// The text of a query, and the query. Unless the connection keeps statements this one is prepared without
/// a name: PostgreSQL would keep a named one for ever.
pub(crate) fn peek<'q, DB, E>(
    query: E,
    keeps_statements: bool,
) -> (Sql<'q>, impl Execute<'q, DB> + 'q)
where
    DB: Database,
    E: Execute<'q, DB> + 'q,
{
    let peeked = Peeked {
        query,
        keeps_statements,
    };
    (peeked.query.sql(), peeked)
}

struct Peeked<E> {
    query: E,
    keeps_statements: bool,
}

impl<'q, DB: Database, E: Execute<'q, DB>> Execute<'q, DB> for Peeked<E> {
    fn sql(&self) -> &'q str {
        self.query.sql()
    }

    fn statement(&self) -> Option<&DB::Statement<'q>> {
        self.query.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments<'q>>, BoxDynError> {
        self.query.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.query.persistent() && self.keeps_statements
    }
}

/// What may be given for a statement that begins a transaction.
pub trait BeginStatement: sealed::Sealed {
    #[doc(hidden)]
    fn into_begin(self) -> Begin;
}

impl<S: Into<Begin>> BeginStatement for S {
    fn into_begin(self) -> Begin {
        self.into()
    }
}

mod sealed {
    pub trait Sealed {}

    impl<S: Into<super::Begin>> Sealed for S {}
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

            fn prepare_with<'e, 'q: 'e>(
                self,
                sql: Sql<'q>,
                parameters: &'e [DB::TypeInfo],
            ) -> BoxFuture<'e, Result<Prepared<'q, DB>, Error>>
            where
                'c: 'e,
            {
                $crate::$way::prepare_with(self, sql, parameters)
            }

            fn describe<'e, 'q: 'e>(
                self,
                sql: Sql<'q>,
            ) -> BoxFuture<'e, Result<Described<DB>, Error>>
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
        migrator.run_direct(connection).await
    }
}

#[cfg(feature = "postgres")]
mod of_postgres {
    use futures_core::{future::BoxFuture, stream::BoxStream};
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
        ) -> BoxFuture<'a, Result<PgCopyIn<Native>, Error>> {
            let engine = self.engine().clone();
            Box::pin(async move { stand_in(engine).await?.copy_in_raw(statement).await })
        }

        fn copy_out_raw<'a>(
            &'a self,
            statement: &'a str,
        ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Bytes, Error>>, Error>> {
            let engine = self.engine().clone();
            Box::pin(async move { stand_in(engine).await?.copy_out_raw(statement).await })
        }
    }
}
