use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
};

use diesel::{
    ConnectionError, ConnectionResult, QueryResult,
    connection::{
        CacheSize, Connection, ConnectionSealed, Instrumentation, LoadConnection, SimpleConnection,
        TransactionManager,
    },
    expression::QueryMetadata,
    migration::MigrationConnection,
    query_builder::{Query, QueryFragment, QueryId},
    query_dsl::UpdateAndFetchResults,
};
use everpool_core::Fault;

use super::{
    Extensions, ManageConnection, PoolTransactionManager, R2D2Connection, known, watched::Watched,
    witness::Witness,
};

type Inner<M> = everpool_r2d2::PooledConnection<Watched<M>>;

/// A connection that returns to its pool when this is dropped, unless it is broken then. It is a Diesel
/// connection itself, and by `Deref` that of its manager.
///
/// A statement that meets a dead server makes the pool replace all connections that died with it. This
/// one stays as it is until it is returned; then it is released. What is done by `Deref` is looked at on
/// return.
pub struct PooledConnection<M: ManageConnection>(Inner<M>);

impl<M: ManageConnection> PooledConnection<M> {
    pub(super) fn of(connection: Inner<M>) -> Self {
        Self(connection)
    }

    /// What is kept beside this connection.
    pub fn extensions(this: &Self) -> &Extensions {
        Inner::extensions(&this.0)
    }

    /// What is kept beside this connection, to be changed.
    pub fn extensions_mut(this: &mut Self) -> &mut Extensions {
        Inner::extensions_mut(&mut this.0)
    }

    /// Says that this connection is lost (r2d2 has nothing like this): it is not lent again. With
    /// [`Fault::Server`] none of its generation is. Does not block.
    pub fn invalidate(this: &mut Self, fault: Fault) {
        Inner::invalidate(&mut this.0, fault);
    }
}

impl<M> PooledConnection<M>
where
    M: ManageConnection,
    M::Connection: R2D2Connection,
{
    /// Every statement but `load` passes here.
    pub(super) fn run<T>(
        &mut self,
        statement: impl FnOnce(&mut M::Connection) -> QueryResult<T>,
    ) -> QueryResult<T> {
        let (connection, verdict) = Inner::in_use(&mut self.0);
        let result = statement(connection);
        if let Err(error) = &result {
            let fault = M::Connection::fault_of(error);
            verdict.is(fault.max(known::report(connection)));
        }
        result
    }
}

impl<M: ManageConnection> Drop for PooledConnection<M> {
    fn drop(&mut self) {
        // Nothing may panic here: the thread may be unwinding.
        let reported = catch_unwind(AssertUnwindSafe(|| known::report(&mut **self)));
        let fault = reported.unwrap_or(Fault::Connection);
        Inner::invalidate(&mut self.0, fault);
    }
}

impl<M: ManageConnection> Deref for PooledConnection<M> {
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        &self.0
    }
}

impl<M: ManageConnection> DerefMut for PooledConnection<M> {
    fn deref_mut(&mut self) -> &mut M::Connection {
        &mut self.0
    }
}

impl<M: ManageConnection> fmt::Debug for PooledConnection<M>
where
    M::Connection: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<M> SimpleConnection for PooledConnection<M>
where
    M: ManageConnection,
    M::Connection: R2D2Connection,
{
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.run(|connection| connection.batch_execute(query))
    }
}

impl<M: ManageConnection> ConnectionSealed for PooledConnection<M> where
    M::Connection: ConnectionSealed
{
}

impl<M> Connection for PooledConnection<M>
where
    M: ManageConnection,
    M::Connection: R2D2Connection,
{
    type Backend = <M::Connection as Connection>::Backend;
    type TransactionManager =
        PoolTransactionManager<<M::Connection as Connection>::TransactionManager>;

    /// There is none without a pool.
    fn establish(_: &str) -> ConnectionResult<Self> {
        let message = "cannot directly establish a pooled connection: take one from a pool";
        Err(ConnectionError::BadConnection(message.into()))
    }

    fn begin_test_transaction(&mut self) -> QueryResult<()> {
        self.run(Connection::begin_test_transaction)
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        self.run(|connection| connection.execute_returning_count(source))
    }

    fn transaction_state(
        &mut self,
    ) -> &mut <Self::TransactionManager as TransactionManager<Self>>::TransactionStateData {
        (**self).transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        if Witness::of(&mut **self).is_none() {
            return (**self).instrumentation();
        }
        let witness = Witness::of(&mut **self);
        &mut **witness.expect("it was there a line ago").user()
    }

    /// It stays on the connection, whoever gets it next.
    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        match Witness::of(&mut **self) {
            Some(witness) => *witness.user() = instrumentation.into(),
            None => (**self).set_instrumentation(instrumentation),
        }
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        (**self).set_prepared_statement_cache_size(size);
    }
}

impl<B, M> LoadConnection<B> for PooledConnection<M>
where
    M: ManageConnection,
    M::Connection: LoadConnection<B> + R2D2Connection,
{
    type Cursor<'conn, 'query> = <M::Connection as LoadConnection<B>>::Cursor<'conn, 'query>;
    type Row<'conn, 'query> = <M::Connection as LoadConnection<B>>::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        let (connection, verdict) = Inner::in_use(&mut self.0);
        let rows = connection.load(source);
        // The rows borrow the connection, so that only the error can be asked.
        rows.inspect_err(|error| verdict.is(M::Connection::fault_of(error)))
    }
}

impl<M> MigrationConnection for PooledConnection<M>
where
    M: ManageConnection,
    M::Connection: MigrationConnection + R2D2Connection,
{
    fn setup(&mut self) -> QueryResult<usize> {
        self.run(MigrationConnection::setup)
    }
}

impl<Changes, Output, M> UpdateAndFetchResults<Changes, Output> for PooledConnection<M>
where
    M: ManageConnection,
    M::Connection: UpdateAndFetchResults<Changes, Output> + R2D2Connection,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.run(|connection| connection.update_and_fetch(changeset))
    }
}

#[cfg(feature = "postgres")]
impl<M> diesel::pg::GetPgMetadataCache for PooledConnection<M>
where
    M: ManageConnection,
    M::Connection: diesel::pg::GetPgMetadataCache,
{
    fn get_metadata_cache(&mut self) -> &mut diesel::pg::PgMetadataCache {
        (**self).get_metadata_cache()
    }
}

#[cfg(feature = "postgres")]
impl<T, A, M> diesel::prelude::ExecuteCopyFromDsl<PooledConnection<M>>
    for diesel::pg::CopyFromQuery<T, A>
where
    M: ManageConnection,
    M::Connection: R2D2Connection<Backend = diesel::pg::Pg>,
    Self: diesel::prelude::ExecuteCopyFromDsl<M::Connection>,
{
    type Error = <Self as diesel::prelude::ExecuteCopyFromDsl<M::Connection>>::Error;

    fn execute(self, conn: &mut PooledConnection<M>) -> Result<usize, Self::Error> {
        self.execute(&mut **conn)
    }
}
