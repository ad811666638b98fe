//! Who executes queries of SQLx's.

use std::{
    future::{Future, ready},
    ops::{Deref, DerefMut},
};

use futures_core::{future::BoxFuture, stream::BoxStream};
use sqlx::{Error, Execute};

pub(crate) use crate::connection::fetch_many;
use crate::{
    connection::Connection,
    driver::{Driver, Piece},
    engine::Engine,
    lent::PoolConnection,
    pool::Pool,
    session::Session,
    version::{Described, Prepared, Sql, executor},
};

/// Who gives a Connection for one statement.
pub(crate) trait Source<'c, DB: Driver> {
    type Lent: DerefMut<Target = Connection<DB>> + Send + 'c;

    fn lend(self) -> impl Future<Output = Result<Self::Lent, Error>> + Send + 'c;
}

impl<'c, DB: Driver> Source<'c, DB> for &'c mut Connection<DB> {
    type Lent = Self;

    async fn lend(self) -> Result<Self, Error> {
        Ok(self)
    }
}

impl<'c, DB: Driver> Source<'c, DB> for &'c mut PoolConnection<DB> {
    type Lent = &'c mut Connection<DB>;

    async fn lend(self) -> Result<Self::Lent, Error> {
        Ok(self)
    }
}

impl<'c, DB: Driver> Source<'c, DB> for &'c mut Session<DB> {
    type Lent = &'c mut Connection<DB>;

    async fn lend(self) -> Result<Self::Lent, Error> {
        self.connection().await
    }
}

/// A Connection for one statement, which takes the driver's when that is sent.
pub(crate) struct Passing<DB: Driver>(Connection<DB>);

impl<'c, DB: Driver> Source<'c, DB> for &'_ Engine<DB> {
    type Lent = Passing<DB>;

    /// Takes another handle at once, so that the answer need not be read while this one lives.
    fn lend(self) -> impl Future<Output = Result<Self::Lent, Error>> + Send + 'c {
        ready(Ok(Passing(Connection::unconnected(self.clone()))))
    }
}

impl<'c, DB: Driver> Source<'c, DB> for &'_ Pool<DB> {
    type Lent = Passing<DB>;

    fn lend(self) -> impl Future<Output = Result<Self::Lent, Error>> + Send + 'c {
        Source::lend(self.engine())
    }
}

impl<DB: Driver> Deref for Passing<DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        &self.0
    }
}

impl<DB: Driver> DerefMut for Passing<DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        &mut self.0
    }
}

pub(crate) fn execute<'e, 'q: 'e, DB, S, E>(
    source: S,
    query: E,
) -> BoxFuture<'e, Result<DB::QueryResult, Error>>
where
    DB: Driver,
    S: Source<'e, DB>,
    E: Execute<'q, DB> + 'q,
{
    let lending = source.lend();
    Box::pin(async move { lending.await?.execute_tracked(query).await })
}

pub(crate) fn fetch_all<'e, 'q: 'e, DB, S, E>(
    source: S,
    query: E,
) -> BoxFuture<'e, Result<Vec<DB::Row>, Error>>
where
    DB: Driver,
    S: Source<'e, DB>,
    E: Execute<'q, DB> + 'q,
{
    let lending = source.lend();
    Box::pin(async move { lending.await?.fetch_all_tracked(query).await })
}

pub(crate) fn fetch_optional<'e, 'q: 'e, DB, S, E>(
    source: S,
    query: E,
) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
where
    DB: Driver,
    S: Source<'e, DB>,
    E: Execute<'q, DB> + 'q,
{
    let lending = source.lend();
    Box::pin(async move { lending.await?.fetch_optional_tracked(query).await })
}

pub(crate) fn fetch_one<'e, 'q: 'e, DB, S, E>(
    source: S,
    query: E,
) -> BoxFuture<'e, Result<DB::Row, Error>>
where
    DB: Driver,
    S: Source<'e, DB>,
    E: Execute<'q, DB> + 'q,
{
    let lending = source.lend();
    Box::pin(async move {
        let row = lending.await?.fetch_optional_tracked(query).await?;
        row.ok_or(Error::RowNotFound)
    })
}

pub(crate) fn prepare_with<'e, 'q: 'e, DB, S>(
    source: S,
    sql: Sql<'q>,
    parameters: &'e [DB::TypeInfo],
) -> BoxFuture<'e, Result<Prepared<'q, DB>, Error>>
where
    DB: Driver,
    S: Source<'e, DB>,
{
    let lending = source.lend();
    Box::pin(async move { lending.await?.prepare_tracked(sql, parameters).await })
}

pub(crate) fn describe<'e, 'q: 'e, DB, S>(
    source: S,
    sql: Sql<'q>,
) -> BoxFuture<'e, Result<Described<DB>, Error>>
where
    DB: Driver,
    S: Source<'e, DB>,
{
    let lending = source.lend();
    Box::pin(async move { lending.await?.describe_tracked(sql).await })
}

executor!(&'c mut Connection<DB>);
executor!(&'c mut PoolConnection<DB>);
executor!(&'c mut Session<DB>);
executor!(&'_ Engine<DB>);
executor!(&'_ Pool<DB>);
