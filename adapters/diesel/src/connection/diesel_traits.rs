//! What makes it a connection of Diesel's.

use diesel::{
    ConnectionError, ConnectionResult, QueryResult,
    backend::Backend,
    connection::{
        AnsiTransactionManager, CacheSize, ConnectionSealed, Instrumentation, LoadConnection,
        SimpleConnection,
    },
    debug_query,
    expression::QueryMetadata,
    migration::MigrationConnection,
    query_builder::{Query, QueryFragment, QueryId},
    query_dsl::UpdateAndFetchResults,
};
use everpool_engine::{EngineOptions, control, events::Event};

use super::Connection;
use crate::{
    classify::is_conflict, cursor::Cursor, driver::Driver, engine::create_engine, error::not_sent,
    tap::Tap, watch::PARAMETERS,
};

/// A statement without its parameters.
fn text<B, T>(source: &T) -> String
where
    B: Default + Backend<QueryBuilder: Default>,
    T: QueryFragment<B>,
{
    let mut text = debug_query::<B, _>(source).to_string();
    text.truncate(text.find(PARAMETERS).unwrap_or(text.len()));
    text
}

/// Diesel's own words for giving a transaction or a savepoint up.
fn is_rollback(query: &str) -> bool {
    query == "ROLLBACK" || query.starts_with("ROLLBACK TO SAVEPOINT diesel_savepoint_")
}

impl<C: Driver> SimpleConnection for Connection<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        let undoes = is_rollback(query) && self.depth() > 0;
        // The server rolls back when the connection is lost, be it before or by this.
        if undoes && !self.inner.is_connected() {
            return Ok(());
        }
        let event = control::event(query);
        if let Some(event) = event {
            // First the connection: another one may have another isolation level.
            self.prepare()?;
            self.tell(event);
        }
        // The stage was settled for it.
        let is_staged = self.is_staged && matches!(event, Some(Event::Begin));
        let is_omitted = event.is_some() && self.omits_begin || is_staged;
        let worded = self.engine.wording(query);
        let result = self.run(
            |connection| match is_omitted {
                true => Ok(()),
                false => connection.batch_execute(worded),
            },
            || query.to_owned(),
        );
        if undoes && !self.inner.is_connected() {
            Ok(())
        } else {
            result
        }
    }
}

impl<C: Driver> ConnectionSealed for Connection<C> {}

impl<C: Driver> diesel::Connection for Connection<C> {
    type Backend = C::Backend;
    type TransactionManager = AnsiTransactionManager;

    /// A connection from an engine of its own, with default options.
    fn establish(database_url: &str) -> ConnectionResult<Self> {
        let bad = |error: &dyn std::error::Error| ConnectionError::BadConnection(error.to_string());
        let engine = create_engine(database_url, EngineOptions::default());
        engine
            .map_err(|error| bad(&error))?
            .connect()
            .map_err(|error| bad(&error))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        self.run(
            |connection| connection.execute_returning_count(source),
            || text::<C::Backend, _>(source),
        )
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.settle();
        match self.inner.settled() {
            Some(connection) if !(self.omits_begin || self.is_staged) => {
                connection.transaction_state()
            }
            _ => self.spare.transaction_state(),
        }
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.settle();
        let Some(connection) = self.inner.settled() else {
            return self.spare.instrumentation();
        };
        if Tap::of(connection).is_some() {
            return Tap::of(connection)
                .map(Tap::user)
                .expect("it was there a line ago");
        }
        connection.instrumentation()
    }

    /// For this connection and, after a loss, the next; not for whoever is lent it afterwards.
    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.settle();
        match self.inner.settled() {
            Some(connection) => {
                Tap::install(connection, instrumentation.into(), &self.watch);
            }
            None => self.spare.set_instrumentation(instrumentation),
        }
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.settle();
        self.cache_size = Some(size);
        self.set_cache_size();
    }
}

impl<B, C> LoadConnection<B> for Connection<C>
where
    C: Driver + LoadConnection<B>,
{
    type Cursor<'conn, 'query> = Cursor<C::Cursor<'conn, 'query>, C>;
    type Row<'conn, 'query> = C::Row<'conn, 'query>;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        let depth = self.prepare()?;
        let (connection, mut operation) = self.inner.operate(depth).map_err(not_sent)?;
        let observer = operation.observer();
        match connection.load(source) {
            Ok(rows) => {
                operation.finished(None);
                Ok(Cursor {
                    rows,
                    observer,
                    is_read_only: self.is_read_only,
                })
            }
            // The rows of the other arm borrow the connection, so it cannot be asked here; only the
            // error can.
            Err(error) => {
                let by_tables = C::fault(&error);
                if is_conflict(C::BACKEND, &error) {
                    observer.saw_conflict();
                }
                let hooks = self.engine.hooks();
                let (error, fault) = hooks.judge(error, by_tables, None, self.is_read_only);
                operation.finished(Some(fault));
                Err(error)
            }
        }
    }
}

impl<C> MigrationConnection for Connection<C>
where
    C: Driver + MigrationConnection,
{
    fn setup(&mut self) -> QueryResult<usize> {
        self.run(MigrationConnection::setup, String::new)
    }
}

impl<C, Changes, Output> UpdateAndFetchResults<Changes, Output> for Connection<C>
where
    C: Driver + UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.run(
            |connection| connection.update_and_fetch(changeset),
            String::new,
        )
    }
}

#[cfg(feature = "postgres")]
impl diesel::pg::GetPgMetadataCache for Connection<diesel::PgConnection> {
    fn get_metadata_cache(&mut self) -> &mut diesel::pg::PgMetadataCache {
        self.settle();
        match self.inner.settled() {
            Some(connection) => connection.get_metadata_cache(),
            None => &mut self.spare.metadata,
        }
    }
}
