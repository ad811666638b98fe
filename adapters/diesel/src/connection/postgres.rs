//! What only PostgreSQL has.

use diesel::{
    PgConnection, QueryResult,
    pg::{CopyFromQuery, PgNotification, TransactionBuilder},
    prelude::ExecuteCopyFromDsl,
    result::Error,
};

use super::Connection;
use crate::{seen::Seen, session::Session, tap::Tap};

impl Connection<PgConnection> {
    /// As Diesel's method of this name: a transaction with an isolation level, read only, or
    /// deferrable. Does not block before it is run.
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_, Self> {
        TransactionBuilder::new(self)
    }

    /// As Diesel's method of this name: the notifications that have arrived. First come those that
    /// arrived while the connection rested, if [`is_alive`](crate::Driver::is_alive) has met them.
    /// Does not wait for any; blocks if a connection must be taken.
    pub fn notifications_iter(&mut self) -> impl Iterator<Item = QueryResult<PgNotification>> + '_ {
        let (connection, missing) = match self.driver_connection() {
            Ok(connection) => (Some(connection), None),
            Err(error) => (None, Some(Err(error))),
        };
        let arrived = connection.into_iter().flat_map(|connection| {
            let kept = Tap::seen(connection).map(Seen::take_notifications);
            let kept = kept.unwrap_or_default().into_iter().map(Ok);
            kept.chain(connection.notifications_iter())
        });
        missing.into_iter().chain(arrived)
    }
}

impl<T, A> ExecuteCopyFromDsl<Connection<PgConnection>> for CopyFromQuery<T, A>
where
    Self: ExecuteCopyFromDsl<PgConnection, Error: From<Error>>,
{
    type Error = <Self as ExecuteCopyFromDsl<PgConnection>>::Error;

    fn execute(self, connection: &mut Connection<PgConnection>) -> Result<usize, Self::Error> {
        let copied = ExecuteCopyFromDsl::execute(self, connection.driver_connection()?);
        connection.settle();
        copied
    }
}

impl<T, A> ExecuteCopyFromDsl<Session<PgConnection>> for CopyFromQuery<T, A>
where
    Self: ExecuteCopyFromDsl<PgConnection, Error: From<Error>>,
{
    type Error = <Self as ExecuteCopyFromDsl<PgConnection>>::Error;

    fn execute(self, session: &mut Session<PgConnection>) -> Result<usize, Self::Error> {
        ExecuteCopyFromDsl::execute(self, session.driver_connection()?)
    }
}
