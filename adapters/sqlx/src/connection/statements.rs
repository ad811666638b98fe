//! What passes through a Connection: every statement.

use async_stream::stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use sqlx::{Error, Execute};

use super::Connection;
use crate::{
    driver::{Driver, Piece},
    version::{Described, Prepared, Sql, again, peek, text},
};

/// SQLx shows no parameters, so there are none to be hidden.
const NEVER_SHOWN: &str = "\0";

/// One statement through a [`Wire`](crate::wire::Wire), whichever way its answer is read.
macro_rules! pass {
    ($self:ident, $query:ident, $way:ident) => {{
        let keeps_statements = $self.ready().await?.keeps_statements();
        let (sql, query) = peek::<DB, E>($query, keeps_statements);
        let sql = text(&sql);
        $self.sends(sql);
        let answer = $self.ready().await?.$way(sql, query).await;
        $self.answered(sql, &answer);
        $self.leave(answer, Some(sql))
    }};
}

impl<DB: Driver> Connection<DB> {
    /// Tells of a statement that is to be sent, if anybody listens.
    #[inline]
    pub(crate) fn sends(&mut self, sql: &str) {
        if self.watch.is_told() {
            self.tell_of(|watch| watch.sends(&sql, NEVER_SHOWN));
        }
    }

    /// And of its answer.
    #[inline]
    pub(crate) fn answered<T>(&mut self, sql: &str, answer: &Result<T, Error>) {
        if self.watch.is_told() {
            self.tell_of(|watch| watch.answered(&sql, answer.as_ref().err()));
        }
    }

    /// A statement of this crate's own.
    pub(crate) async fn send(&mut self, sql: &str) -> Result<(), Error> {
        self.ready().await?;
        self.sends(sql);
        let answer = self.ready().await?.run(sql.to_owned()).await;
        self.answered(sql, &answer);
        self.leave(answer, Some(sql))
    }

    pub(crate) async fn execute_tracked<'q, E>(
        &mut self,
        query: E,
    ) -> Result<DB::QueryResult, Error>
    where
        E: Execute<'q, DB> + 'q,
    {
        pass!(self, query, execute)
    }

    pub(crate) async fn fetch_all_tracked<'q, E>(&mut self, query: E) -> Result<Vec<DB::Row>, Error>
    where
        E: Execute<'q, DB> + 'q,
    {
        pass!(self, query, fetch_all)
    }

    pub(crate) async fn fetch_optional_tracked<'q, E>(
        &mut self,
        query: E,
    ) -> Result<Option<DB::Row>, Error>
    where
        E: Execute<'q, DB> + 'q,
    {
        pass!(self, query, fetch_optional)
    }

    pub(crate) fn fetch_many_tracked<'e, 'q: 'e, E>(
        &'e mut self,
        query: E,
    ) -> BoxStream<'e, Result<Piece<DB>, Error>>
    where
        E: Execute<'q, DB> + 'q,
    {
        Box::pin(stream! {
            let keeps_statements = match self.ready().await {
                Ok(wire) => wire.keeps_statements(),
                Err(error) => {
                    yield Err(error);
                    return;
                }
            };
            let (sql, query) = peek::<DB, E>(query, keeps_statements);
            let sql = text(&sql);
            self.sends(sql);
            let mut failed = None;
            if let Some(wire) = self.wire() {
                let mut rows = wire.fetch_many(sql, query);
                while let Some(piece) = rows.next().await {
                    match piece {
                        Ok(piece) => yield Ok(piece),
                        Err(error) => {
                            failed = Some(error);
                            break;
                        }
                    }
                }
            }
            let answer = failed.map_or(Ok(()), Err);
            self.answered(sql, &answer);
            if let Err(error) = self.leave(answer, Some(sql)) {
                yield Err(error);
            }
        })
    }

    pub(crate) async fn prepare_tracked<'q>(
        &mut self,
        sql: Sql<'q>,
        parameters: &[DB::TypeInfo],
    ) -> Result<Prepared<'q, DB>, Error> {
        let answer = self
            .ready()
            .await?
            .prepare_with(again(&sql), parameters)
            .await;
        self.leave(answer, Some(text(&sql)))
    }

    pub(crate) async fn describe_tracked(&mut self, sql: Sql<'_>) -> Result<Described<DB>, Error> {
        let answer = self.ready().await?.describe(again(&sql)).await;
        self.leave(answer, Some(text(&sql)))
    }
}
