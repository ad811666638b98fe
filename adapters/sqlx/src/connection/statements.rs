//! What passes through a Connection: every statement.

use async_stream::try_stream;
use futures_core::{future::BoxFuture, stream::BoxStream};
use futures_util::StreamExt;
use sqlx::{Error, Execute};

use super::Connection;
use crate::{
    driver::{Driver, Piece},
    executor::Source,
    flags::Flags,
    version::{Described, Prepared, Sql, again, peek, text},
};

/// SQLx shows no parameters, so there are none to be hidden.
const NEVER_SHOWN: &str = "\0";

/// One statement through a [`Wire`](crate::wire::Wire), whichever way its answer is read.
macro_rules! pass {
    ($self:ident, $query:ident, $way:ident) => {{
        let (sql, query) = peek::<DB, E>($query, $self.engine.keeps_statements());
        let sql = text(&sql);
        $self.announce(sql).await?;
        let answer = $self.ready().await?.$way(sql, query).await;
        $self.answered(sql, &answer);
        if answer.is_err() && $self.may_have_ended() {
            $self.look_whether_open().await;
        }
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

    /// As [`sends`](Self::sends), if there is a connection to send it on. Nobody waits for that here
    /// unless somebody listens.
    #[inline]
    async fn announce(&mut self, sql: &str) -> Result<(), Error> {
        if self.watch.is_told() {
            self.ready().await?;
            self.sends(sql);
        }
        Ok(())
    }

    /// And of its answer.
    #[inline]
    pub(crate) fn answered<T>(&mut self, sql: &str, answer: &Result<T, Error>) {
        if self.watch.is_told() {
            self.tell_of(|watch| watch.answered(&sql, answer.as_ref().err()));
        }
    }

    fn may_have_ended(&mut self) -> bool {
        self.flags().is_some_and(Flags::may_have_ended)
    }

    /// Before the error is told: a session cannot wait for this when it decides about its next statement.
    #[cold]
    fn look_whether_open(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if let Err(error) = self.catch_up().await {
                tracing::debug!(target: "everpool::sqlx", %error, "Not known whether a transaction is open");
            }
        })
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

/// The answers to a statement, row by row. It is one stream, not one in another: that would cost each row
/// a box that is polled.
pub(crate) fn fetch_many<'e, 'q: 'e, DB, S, E>(
    source: S,
    query: E,
) -> BoxStream<'e, Result<Piece<DB>, Error>>
where
    DB: Driver,
    S: Source<'e, DB>,
    E: Execute<'q, DB> + 'q,
{
    let lending = source.lend();
    Box::pin(try_stream! {
        let mut lent = lending.await?;
        let (sql, query) = peek::<DB, E>(query, lent.engine().keeps_statements());
        let sql = text(&sql);
        lent.announce(sql).await?;
        let mut answer = Ok(());
        let mut pieces = lent.ready().await?.fetch_many(sql, query);
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => yield piece,
                Err(error) => {
                    answer = Err(error);
                    break;
                }
            }
        }
        drop(pieces);
        lent.answered(sql, &answer);
        if answer.is_err() && lent.may_have_ended() {
            lent.look_whether_open().await;
        }
        lent.leave(answer, Some(sql))?;
    })
}
