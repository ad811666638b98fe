//! A [`Wire`] executes queries for hooks of the pool, and for who takes a raw connection. Nobody is told of
//! them, and nobody looks at their errors.

use futures_core::{future::BoxFuture, stream::BoxStream};
use sqlx::{Error, Execute};

use crate::{
    driver::{Driver, Piece},
    version::{Described, Prepared, Sql, executor, peek, text},
    wire::Wire,
};

fn execute<'e, 'q: 'e, DB, E>(
    wire: &'e mut Wire<DB>,
    query: E,
) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
where
    DB: Driver,
    E: Execute<'q, DB> + 'q,
{
    Box::pin(async move {
        let (sql, query) = peek::<DB, E>(query, wire.keeps_statements());
        wire.execute(text(&sql), query).await
    })
}

fn fetch_all<'e, 'q: 'e, DB, E>(
    wire: &'e mut Wire<DB>,
    query: E,
) -> BoxFuture<'e, Result<Vec<DB::Row>, Error>>
where
    DB: Driver,
    E: Execute<'q, DB> + 'q,
{
    Box::pin(async move {
        let (sql, query) = peek::<DB, E>(query, wire.keeps_statements());
        wire.fetch_all(text(&sql), query).await
    })
}

fn fetch_optional<'e, 'q: 'e, DB, E>(
    wire: &'e mut Wire<DB>,
    query: E,
) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
where
    DB: Driver,
    E: Execute<'q, DB> + 'q,
{
    Box::pin(async move {
        let (sql, query) = peek::<DB, E>(query, wire.keeps_statements());
        wire.fetch_optional(text(&sql), query).await
    })
}

fn fetch_one<'e, 'q: 'e, DB, E>(
    wire: &'e mut Wire<DB>,
    query: E,
) -> BoxFuture<'e, Result<DB::Row, Error>>
where
    DB: Driver,
    E: Execute<'q, DB> + 'q,
{
    Box::pin(async move {
        let (sql, query) = peek::<DB, E>(query, wire.keeps_statements());
        let row = wire.fetch_optional(text(&sql), query).await?;
        row.ok_or(Error::RowNotFound)
    })
}

fn fetch_many<'e, 'q: 'e, DB, E>(
    wire: &'e mut Wire<DB>,
    query: E,
) -> BoxStream<'e, Result<Piece<DB>, Error>>
where
    DB: Driver,
    E: Execute<'q, DB> + 'q,
{
    let (sql, query) = peek::<DB, E>(query, wire.keeps_statements());
    Box::pin(wire.fetch_many(text(&sql), query))
}

fn prepare_with<'e, 'q: 'e, DB: Driver>(
    wire: &'e mut Wire<DB>,
    sql: Sql<'q>,
    parameters: &'e [DB::TypeInfo],
) -> BoxFuture<'e, Result<Prepared<'q, DB>, Error>> {
    Box::pin(wire.prepare_with(sql, parameters))
}

fn describe<'e, 'q: 'e, DB: Driver>(
    wire: &'e mut Wire<DB>,
    sql: Sql<'q>,
) -> BoxFuture<'e, Result<Described<DB>, Error>> {
    Box::pin(wire.describe(sql))
}

executor!(&'c mut Wire<DB>, wire_executor);
