//! What makes it a connection of Diesel's.

use std::sync::Arc;

use diesel::{
    ConnectionResult, QueryResult,
    connection::{
        AnsiTransactionManager, CacheSize, ConnectionSealed, Instrumentation, LoadConnection,
        SimpleConnection,
    },
    expression::QueryMetadata,
    migration::MigrationConnection,
    query_builder::{Query, QueryFragment, QueryId},
    query_dsl::UpdateAndFetchResults,
};
use everpool_session::SessionSettings;

use super::{Session, SessionTransactions};
use crate::{connection::Connection, driver::Driver};

impl<C: Driver> SimpleConnection for Session<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.ready()?.batch_execute(query)
    }
}

impl<C: Driver> ConnectionSealed for Session<C> {}

impl<C: Driver> diesel::Connection for Session<C> {
    type Backend = C::Backend;
    type TransactionManager = SessionTransactions;

    /// A session of an engine of its own, with default options.
    fn establish(database_url: &str) -> ConnectionResult<Self> {
        let connection = Connection::<C>::establish(database_url)?;
        let engine = connection.engine().clone();
        Ok(Self::new(
            engine,
            SessionSettings::default(),
            Arc::default(),
        ))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        self.ready()?.execute_returning_count(source)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.show();
        self.shown.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.connection.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.connection.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.connection.set_prepared_statement_cache_size(size);
    }
}

impl<B, C> LoadConnection<B> for Session<C>
where
    C: Driver + LoadConnection<B>,
{
    type Cursor<'conn, 'query> = <Connection<C> as LoadConnection<B>>::Cursor<'conn, 'query>;
    type Row<'conn, 'query> = C::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        self.ready()?.load(source)
    }
}

impl<C> MigrationConnection for Session<C>
where
    C: Driver + MigrationConnection,
{
    fn setup(&mut self) -> QueryResult<usize> {
        self.ready()?.setup()
    }
}

impl<C, Changes, Output> UpdateAndFetchResults<Changes, Output> for Session<C>
where
    C: Driver + UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.ready()?.update_and_fetch(changeset)
    }
}

#[cfg(feature = "postgres")]
impl diesel::pg::GetPgMetadataCache for Session<diesel::PgConnection> {
    fn get_metadata_cache(&mut self) -> &mut diesel::pg::PgMetadataCache {
        self.connection.get_metadata_cache()
    }
}
