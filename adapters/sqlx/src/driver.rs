use everpool_engine::Backend;
use futures_core::{future::BoxFuture, stream::BoxStream};
use sqlx::{ColumnIndex, Connection, Database, Decode, Either, Error, Execute, Row};

use crate::version::{Described, Prepared, Sql};

/// What the driver's connection is opened with.
pub type ConnectOptionsOf<DB> = <<DB as Database>::Connection as Connection>::Options;

/// A row, or the end of a statement.
pub(crate) type Piece<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;

/// A database of SQLx's that an engine can be made of: `Postgres`, `MySql`, `Sqlite`, `Any`.
///
/// It says once more what SQLx's [`Executor`](sqlx::Executor) says, because a bound that asks for an `Executor` on
/// every `&mut DB::Connection` is more than the compiler can follow. [`driver!`](crate::driver)
/// implements it.
pub trait Driver: Database {
    /// Which database these options lead to.
    fn backend(options: &ConnectOptionsOf<Self>) -> Backend;

    /// Whether the database is in memory, and ends with its last connection.
    fn is_memory(options: &ConnectOptionsOf<Self>) -> bool;

    /// The options, with so many prepared statements kept on each connection, where that can be said.
    fn with_statement_cache(
        options: ConnectOptionsOf<Self>,
        statements: usize,
    ) -> ConnectOptionsOf<Self>;

    /// As [`Executor::execute`](sqlx::Executor::execute).
    fn execute<'e, 'q: 'e, E>(
        connection: &'e mut Self::Connection,
        query: E,
    ) -> BoxFuture<'e, Result<Self::QueryResult, Error>>
    where
        E: Execute<'q, Self> + 'q;

    /// As [`Executor::fetch_many`](sqlx::Executor::fetch_many).
    fn fetch_many<'e, 'q: 'e, E>(
        connection: &'e mut Self::Connection,
        query: E,
    ) -> BoxStream<'e, Result<Piece<Self>, Error>>
    where
        E: Execute<'q, Self> + 'q;

    /// As [`Executor::fetch_all`](sqlx::Executor::fetch_all).
    fn fetch_all<'e, 'q: 'e, E>(
        connection: &'e mut Self::Connection,
        query: E,
    ) -> BoxFuture<'e, Result<Vec<Self::Row>, Error>>
    where
        E: Execute<'q, Self> + 'q;

    /// As [`Executor::fetch_optional`](sqlx::Executor::fetch_optional).
    fn fetch_optional<'e, 'q: 'e, E>(
        connection: &'e mut Self::Connection,
        query: E,
    ) -> BoxFuture<'e, Result<Option<Self::Row>, Error>>
    where
        E: Execute<'q, Self> + 'q;

    /// As [`Executor::prepare_with`](sqlx::Executor::prepare_with).
    fn prepare_with<'e, 'q: 'e>(
        connection: &'e mut Self::Connection,
        sql: Sql<'q>,
        parameters: &'e [Self::TypeInfo],
    ) -> BoxFuture<'e, Result<Prepared<'q, Self>, Error>>;

    /// As [`Executor`](sqlx::Executor)'s hidden method of this name, which SQLx's macros need.
    #[doc(hidden)]
    fn describe<'e, 'q: 'e>(
        connection: &'e mut Self::Connection,
        sql: Sql<'q>,
    ) -> BoxFuture<'e, Result<Described<Self>, Error>>;

    /// The first value of the only row of a plain query, as a number.
    #[doc(hidden)]
    fn number<'e>(
        connection: &'e mut Self::Connection,
        sql: String,
    ) -> BoxFuture<'e, Result<i64, Error>>;

    /// The first value of the only row of a plain query, as a text; `None` if it is NULL.
    #[doc(hidden)]
    fn word<'e>(
        connection: &'e mut Self::Connection,
        sql: String,
    ) -> BoxFuture<'e, Result<Option<String>, Error>>;

    /// The values of all rows of a plain query, as texts.
    #[doc(hidden)]
    fn texts<'e>(
        connection: &'e mut Self::Connection,
        sql: &'static str,
    ) -> BoxFuture<'e, Result<Vec<Vec<String>>, Error>>;

    /// Statements without an answer.
    #[doc(hidden)]
    fn run<'e>(
        connection: &'e mut Self::Connection,
        sql: String,
    ) -> BoxFuture<'e, Result<(), Error>>;
}

/// Implements [`Driver`] for a database of SQLx's. Three expressions know its options: which backend they
/// lead to, whether it is in memory, and how the cache of statements is sized.
#[macro_export]
macro_rules! driver {
    ($database:ty, $number:ty, $backend:expr, $is_memory:expr, $with_statement_cache:expr) => {
        impl $crate::Driver for $database {
            fn backend(options: &$crate::ConnectOptionsOf<Self>) -> $crate::Backend {
                let backend: fn(&$crate::ConnectOptionsOf<Self>) -> $crate::Backend = $backend;
                backend(options)
            }
            fn is_memory(options: &$crate::ConnectOptionsOf<Self>) -> bool {
                let is_memory: fn(&$crate::ConnectOptionsOf<Self>) -> bool = $is_memory;
                is_memory(options)
            }
            fn with_statement_cache(
                options: $crate::ConnectOptionsOf<Self>,
                statements: usize,
            ) -> $crate::ConnectOptionsOf<Self> {
                let sized: fn(
                    $crate::ConnectOptionsOf<Self>,
                    usize,
                ) -> $crate::ConnectOptionsOf<Self> = $with_statement_cache;
                sized(options, statements)
            }
            $crate::driver_methods!();
            $crate::driver_queries!($number);
        }
    };
}

/// The methods of [`Driver`] that SQLx has too.
#[doc(hidden)]
#[macro_export]
macro_rules! driver_methods {
    () => {
        fn execute<'e, 'q: 'e, E>(
            connection: &'e mut Self::Connection,
            query: E,
        ) -> $crate::private::BoxFuture<'e, Result<Self::QueryResult, $crate::Error>>
        where
            E: $crate::Execute<'q, Self> + 'q,
        {
            $crate::Executor::execute(connection, query)
        }

        fn fetch_many<'e, 'q: 'e, E>(
            connection: &'e mut Self::Connection,
            query: E,
        ) -> $crate::private::BoxStream<
            'e,
            Result<$crate::Either<Self::QueryResult, Self::Row>, $crate::Error>,
        >
        where
            E: $crate::Execute<'q, Self> + 'q,
        {
            $crate::Executor::fetch_many(connection, query)
        }

        fn fetch_all<'e, 'q: 'e, E>(
            connection: &'e mut Self::Connection,
            query: E,
        ) -> $crate::private::BoxFuture<'e, Result<Vec<Self::Row>, $crate::Error>>
        where
            E: $crate::Execute<'q, Self> + 'q,
        {
            $crate::Executor::fetch_all(connection, query)
        }

        fn fetch_optional<'e, 'q: 'e, E>(
            connection: &'e mut Self::Connection,
            query: E,
        ) -> $crate::private::BoxFuture<'e, Result<Option<Self::Row>, $crate::Error>>
        where
            E: $crate::Execute<'q, Self> + 'q,
        {
            $crate::Executor::fetch_optional(connection, query)
        }

        fn prepare_with<'e, 'q: 'e>(
            connection: &'e mut Self::Connection,
            sql: $crate::private::Sql<'q>,
            parameters: &'e [Self::TypeInfo],
        ) -> $crate::private::BoxFuture<
            'e,
            Result<$crate::private::Prepared<'q, Self>, $crate::Error>,
        > {
            $crate::Executor::prepare_with(connection, sql, parameters)
        }

        fn describe<'e, 'q: 'e>(
            connection: &'e mut Self::Connection,
            sql: $crate::private::Sql<'q>,
        ) -> $crate::private::BoxFuture<'e, Result<$crate::private::Described<Self>, $crate::Error>>
        {
            $crate::Executor::describe(connection, sql)
        }
    };
}

/// What the adapter asks a connection for itself.
#[doc(hidden)]
#[macro_export]
macro_rules! driver_queries {
    ($number:ty) => {
        fn number<'e>(
            connection: &'e mut Self::Connection,
            sql: String,
        ) -> $crate::private::BoxFuture<'e, Result<i64, $crate::Error>> {
            Box::pin(async move {
                let query = $crate::private::raw(&sql);
                let row = $crate::Executor::fetch_one(connection, query).await?;
                $crate::Row::try_get_unchecked::<$number, _>(&row, 0).map(i64::from)
            })
        }

        fn word<'e>(
            connection: &'e mut Self::Connection,
            sql: String,
        ) -> $crate::private::BoxFuture<'e, Result<Option<String>, $crate::Error>> {
            Box::pin(async move {
                let query = $crate::private::raw(&sql);
                let row = $crate::Executor::fetch_one(connection, query).await?;
                $crate::Row::try_get_unchecked(&row, 0)
            })
        }

        fn texts<'e>(
            connection: &'e mut Self::Connection,
            sql: &'static str,
        ) -> $crate::private::BoxFuture<'e, Result<Vec<Vec<String>>, $crate::Error>> {
            Box::pin(async move {
                let query = $crate::private::raw(&sql);
                let rows = $crate::Executor::fetch_all(connection, query).await?;
                rows.iter()
                    .map($crate::private::texts_of::<Self::Row, $number>)
                    .collect()
            })
        }

        fn run<'e>(
            connection: &'e mut Self::Connection,
            sql: String,
        ) -> $crate::private::BoxFuture<'e, Result<(), $crate::Error>> {
            Box::pin(async move {
                let query = $crate::private::raw(&sql);
                $crate::Executor::execute(connection, query).await.map(drop)
            })
        }
    };
}

/// The values of a row as texts; a number is one that the driver gives as a number only.
#[doc(hidden)]
pub fn texts_of<R, N>(row: &R) -> Result<Vec<String>, Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database>,
    for<'r> N: Decode<'r, R::Database> + ToString,
{
    let text = |index| {
        row.try_get_unchecked::<String, _>(index)
            .or_else(|_| Ok(row.try_get_unchecked::<N, _>(index)?.to_string()))
    };
    (0..row.len()).map(text).collect()
}

#[cfg(feature = "postgres")]
driver!(
    sqlx::Postgres,
    i32,
    |_| Backend::Postgresql,
    |_| false,
    sqlx::postgres::PgConnectOptions::statement_cache_capacity
);
#[cfg(feature = "mysql")]
driver!(
    sqlx::MySql,
    i64,
    |_| Backend::Mysql,
    |_| false,
    sqlx::mysql::MySqlConnectOptions::statement_cache_capacity
);
#[cfg(feature = "_sqlite")]
driver!(
    sqlx::Sqlite,
    i64,
    |_| Backend::Sqlite,
    |options| is_name_of_memory(&options.get_filename().to_string_lossy()),
    sqlx::sqlite::SqliteConnectOptions::statement_cache_capacity
);
#[cfg(feature = "any")]
driver!(
    sqlx::Any,
    i64,
    |options| match options.database_url.scheme() {
        "mysql" | "mariadb" => Backend::Mysql,
        "sqlite" => Backend::Sqlite,
        _ => Backend::Postgresql,
    },
    |options| options.database_url.scheme() == "sqlite"
        && is_url_of_memory(options.database_url.as_str()),
    sized_by_url
);

/// SQLite has no such argument: how many it keeps is left to it, unless it is none.
#[cfg(feature = "any")]
fn sized_by_url(
    mut options: sqlx::any::AnyConnectOptions,
    statements: usize,
) -> sqlx::any::AnyConnectOptions {
    if options.database_url.scheme() != "sqlite" {
        let mut arguments = options.database_url.query_pairs_mut();
        arguments.append_pair("statement-cache-capacity", &statements.to_string());
    }
    options
}

/// SQLx gives each database in memory a name of its own, by which its connections share it.
#[cfg(feature = "_sqlite")]
fn is_name_of_memory(file: &str) -> bool {
    file.starts_with("file:sqlx-in-memory-") || is_url_of_memory(&format!("sqlite:{file}"))
}

#[cfg(any(feature = "any", feature = "_sqlite"))]
fn is_url_of_memory(url: &str) -> bool {
    let url: Result<everpool_engine::Url, _> = url.parse();
    url.is_ok_and(|url| url.is_memory())
}
