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
    result::Error,
};
use everpool_session::blocking::{self, Transactional};

use crate::{connection::Connection, driver::Driver, engine::Engine, nowhere::Nowhere, status};

/// Why a session could not commit or roll back.
pub type SessionError = everpool_session::SessionError<Error>;

/// A transaction scope, which is a Diesel connection.
///
/// Nothing is sent, and no connection taken, before the first statement. That one is preceded by
/// BEGIN; if BEGIN meets a connection that died in the pool, another is taken and the program does
/// not hear of it. After [`commit`](Self::commit) or [`rollback`](Self::rollback) the connection is
/// back in the pool, and the next statement begins another transaction. Dropped, it rolls back.
///
/// `transaction(…)` inside of a session is a savepoint.
pub struct Session<C: Driver> {
    inner: blocking::Session<Connection<C>>,
    /// What Diesel is shown before BEGIN is sent: a transaction is open, so that whatever it opens is
    /// a savepoint.
    promised: Nowhere<C::Backend>,
}

impl<C: Driver> Session<C> {
    /// A session that will take its connection from `engine`. Does not block: nothing is taken or sent
    /// before the first statement.
    ///
    /// # Errors
    ///
    /// None so far: what goes wrong with the connection or with BEGIN is the first statement's error.
    pub fn begin(engine: &Engine<C>) -> Result<Self, SessionError> {
        let connection = Connection::unconnected(engine.clone());
        Ok(Self {
            inner: blocking::Session::new(connection),
            promised: Nowhere::default(),
        })
    }

    /// Commits what was done since the first statement; if there was none, nothing is sent. Blocks
    /// for COMMIT.
    ///
    /// # Errors
    ///
    /// - [`CommitOutcomeUnknown`](everpool_session::SessionError::CommitOutcomeUnknown) if the
    ///   connection was lost at COMMIT.
    /// - [`Aborted`](everpool_session::SessionError::Aborted) if a statement had failed and the
    ///   database will only roll back, and
    ///   [`PendingRollback`](everpool_session::SessionError::PendingRollback) if the connection had
    ///   been lost before: the session must be rolled back.
    /// - [`Database`](everpool_session::SessionError::Database) if the database said no: the
    ///   transaction is rolled back.
    pub fn commit(&mut self) -> Result<(), SessionError> {
        self.inner.commit()
    }

    /// Undoes what was done since the first statement; if there was none, nothing is sent. Blocks for
    /// ROLLBACK.
    ///
    /// # Errors
    ///
    /// The database's. A lost connection is none: what was done on it is undone.
    pub fn rollback(&mut self) -> Result<(), SessionError> {
        self.inner.rollback()
    }

    /// The driver's own connection, in this session's transaction, for what needs its type; see
    /// [`Connection::driver_connection`]. Blocks for a checkout and a BEGIN, if there is no transaction yet.
    ///
    /// # Errors
    ///
    /// The driver's, of BEGIN, or that there is no connection.
    pub fn driver_connection(&mut self) -> QueryResult<&mut C> {
        self.inner.ready()?.driver_connection()
    }

    /// Whether a transaction is open, or was when the connection was lost. Does not block.
    pub fn in_transaction(&mut self) -> bool {
        self.inner.connection().has_begun()
    }
}

impl<C: Driver> SimpleConnection for Session<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.inner.ready()?.batch_execute(query)
    }
}

impl<C: Driver> ConnectionSealed for Session<C> {}

impl<C: Driver> diesel::Connection for Session<C> {
    type Backend = C::Backend;
    type TransactionManager = AnsiTransactionManager;

    /// A session of an engine of its own, with default options.
    fn establish(database_url: &str) -> ConnectionResult<Self> {
        let connection = Connection::establish(database_url)?;
        let promised = Nowhere::default();
        Ok(Self {
            inner: blocking::Session::new(connection),
            promised,
        })
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Self::Backend> + QueryId,
    {
        self.inner.ready()?.execute_returning_count(source)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        if self.in_transaction() {
            return self.inner.connection().transaction_state();
        }
        status::set_depth(&mut self.promised, 1);
        self.promised.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.connection().instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.connection().set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner
            .connection()
            .set_prepared_statement_cache_size(size);
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
        self.inner.ready()?.load(source)
    }
}

impl<C> MigrationConnection for Session<C>
where
    C: Driver + MigrationConnection,
{
    fn setup(&mut self) -> QueryResult<usize> {
        self.inner.ready()?.setup()
    }
}

impl<C, Changes, Output> UpdateAndFetchResults<Changes, Output> for Session<C>
where
    C: Driver + UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.inner.ready()?.update_and_fetch(changeset)
    }
}

#[cfg(feature = "postgres")]
impl diesel::pg::GetPgMetadataCache for Session<diesel::PgConnection> {
    fn get_metadata_cache(&mut self) -> &mut diesel::pg::PgMetadataCache {
        self.inner.connection().get_metadata_cache()
    }
}

impl<C: Driver> std::fmt::Debug for Session<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
