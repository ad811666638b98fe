use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use diesel::{
    ConnectionError, ConnectionResult, QueryResult,
    connection::{
        AnsiTransactionManager, CacheSize, ConnectionSealed, Instrumentation, LoadConnection,
        SimpleConnection, TransactionManager,
    },
    expression::QueryMetadata,
    migration::MigrationConnection,
    query_builder::{Query, QueryFragment, QueryId},
    query_dsl::UpdateAndFetchResults,
    result::Error,
};
use everpool_core::{ResetOnReturn, blocking::Pool};
use everpool_engine::{EngineOptions, blocking};
use everpool_session::blocking::{Standing, Transactional};

use crate::{
    connector::{self, Connector},
    cursor::Cursor,
    driver::{Driver, TransactionStatus},
    engine::{CheckoutError, create_engine},
    error::{not_sent, rolled_back},
    nowhere::Nowhere,
    status,
    tap::Tap,
};

/// A connection from an [`Engine`](crate::Engine), which is a Diesel connection.
///
/// An error that means a disconnect is seen before the program sees it: the connection is given up,
/// and the engine's pool replaces all that died with it. After that, the next statement takes
/// another connection. If a transaction was open, statements fail until it is rolled back (by
/// leaving `transaction(…)`, or by [`rollback`](Self::rollback)), because what was done in it is
/// gone. Session state (`SET`, temporary tables) is lost with the connection it was made on.
///
/// Dropped, it returns to the pool; a transaction that is still open is rolled back first.
pub struct Connection<C: Driver> {
    inner: blocking::Connection<Connector<C>>,
    /// The levels of transaction that were open when the connection was last seen alive.
    depth: u32,
    /// What Diesel is shown while there is no connection.
    spare: Nowhere<C::Backend>,
}

type Operation<'a, C> = blocking::Operation<'a, Connector<C>>;

impl<C: Driver> Connection<C> {
    pub(crate) fn unconnected(pool: Pool<Connector<C>>) -> Self {
        Self {
            inner: blocking::Connection::new(pool),
            depth: 0,
            spare: Nowhere::default(),
        }
    }

    pub(crate) fn checkout(&mut self, timeout: Duration) -> Result<(), CheckoutError> {
        self.settle();
        self.inner.checkout(timeout)
    }

    /// Whether the connection was lost or invalidated, and no other was taken yet. Does not block.
    pub fn invalidated(&mut self) -> bool {
        !self.is_connected()
    }

    /// Gives the connection up: it is closed and not lent again. A transaction that was open must be
    /// rolled back before the next statement. Does not block.
    pub fn invalidate(&mut self) {
        self.see_depth();
        if self.inner.invalidate() {
            status::set_lost(&mut self.spare, self.depth);
        }
    }

    /// Sends BEGIN. Blocks.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyInTransaction`], or the driver's.
    pub fn begin(&mut self) -> QueryResult<()> {
        AnsiTransactionManager::begin_transaction_sql(self, "BEGIN")
    }

    /// Commits the outermost transaction and with it all savepoints; without a transaction, nothing.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// The driver's. If the connection was lost at COMMIT, it is not known whether it was committed.
    /// If a statement had failed and the server would answer COMMIT by a rollback and no error, it is
    /// rolled back here, and that is the error.
    pub fn commit(&mut self) -> QueryResult<()> {
        match self.standing() {
            Standing::Pending => return Ok(()),
            Standing::Aborted => return self.rollback().and_then(|()| Err(rolled_back())),
            Standing::Begun | Standing::Lost { .. } => {}
        }
        if self.is_connected() {
            status::set_depth(self, 1);
        }
        AnsiTransactionManager::commit_transaction(self)
    }

    /// Rolls the outermost transaction back and with it all savepoints; without a transaction,
    /// nothing. If the connection was lost there is nothing left to undo: the next statement takes
    /// another. Blocks for ROLLBACK.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn rollback(&mut self) -> QueryResult<()> {
        if self.depth() == 0 {
            return Ok(());
        }
        status::set_depth(self, 1);
        AnsiTransactionManager::rollback_transaction(self)
    }

    /// Rolls back what was begun and not ended, where the pool would do something else with it.
    fn end_transaction(&mut self) {
        let open = self.depth() > 0 && self.inner.is_connected();
        if !open || self.inner.pool().reset_on_return() == ResetOnReturn::Rollback {
            return;
        }
        if self
            .inner
            .current()
            .is_some_and(|connection| status::is_test_transaction(connection))
        {
            return;
        }
        // This runs in destructors, in which nobody can be told, and nothing may panic.
        let rolled_back = catch_unwind(AssertUnwindSafe(|| self.rollback()));
        if !matches!(rolled_back, Ok(Ok(()))) {
            self.inner.invalidate();
        }
    }

    /// Takes note of a connection that was lost.
    fn settle(&mut self) {
        if self.inner.settle() {
            status::set_lost(&mut self.spare, self.depth);
        }
    }

    fn see_depth(&mut self) {
        self.settle();
        // If Diesel has lost count, what was open is open still.
        self.depth = status::depth(self).unwrap_or(self.depth.max(1));
    }

    fn depth(&mut self) -> u32 {
        self.see_depth();
        self.depth
    }

    fn operate(&mut self) -> QueryResult<(&mut C, Operation<'_, C>)> {
        let depth = self.depth();
        self.inner.operate(depth).map_err(not_sent)
    }

    /// Every statement but `load` passes here.
    fn run<T>(&mut self, statement: impl FnOnce(&mut C) -> QueryResult<T>) -> QueryResult<T> {
        let (connection, operation) = self.operate()?;
        let result = statement(connection);
        let fault = result
            .as_ref()
            .err()
            .map(|error| connector::fault(error, connection));
        operation.finished(fault);
        self.settle();
        result
    }
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
        let result = self.run(|connection| connection.batch_execute(query));
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
        self.run(|connection| connection.execute_returning_count(source))
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.settle();
        match self.inner.current() {
            Some(connection) => connection.transaction_state(),
            None => self.spare.transaction_state(),
        }
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.settle();
        let Some(connection) = self.inner.current() else {
            return self.spare.instrumentation();
        };
        if Tap::of(connection).is_some() {
            return Tap::of(connection)
                .map(Tap::user)
                .expect("it was there a line ago");
        }
        connection.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.settle();
        match self.inner.current() {
            Some(connection) => Tap::install(connection, instrumentation.into()),
            None => self.spare.set_instrumentation(instrumentation),
        }
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.settle();
        if let Some(connection) = self.inner.current() {
            connection.set_prepared_statement_cache_size(size);
        }
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
        let (connection, operation) = self.operate()?;
        let observer = operation.observer();
        match connection.load(source) {
            Ok(rows) => {
                operation.finished(None);
                Ok(Cursor { rows, observer })
            }
            // The rows of the other arm borrow the connection, so it cannot be asked here; only the
            // error can.
            Err(error) => {
                operation.finished(Some(C::fault(&error)));
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
        self.run(MigrationConnection::setup)
    }
}

impl<C, Changes, Output> UpdateAndFetchResults<Changes, Output> for Connection<C>
where
    C: Driver + UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.run(|connection| connection.update_and_fetch(changeset))
    }
}

#[cfg(feature = "postgres")]
impl diesel::pg::GetPgMetadataCache for Connection<diesel::PgConnection> {
    fn get_metadata_cache(&mut self) -> &mut diesel::pg::PgMetadataCache {
        self.settle();
        match self.inner.current() {
            Some(connection) => connection.get_metadata_cache(),
            None => &mut self.spare.metadata,
        }
    }
}

impl<C: Driver> Transactional for Connection<C> {
    type Error = Error;

    fn has_begun(&mut self) -> bool {
        self.depth() > 0
    }

    fn standing(&mut self) -> Standing {
        let depth = self.depth();
        match self.inner.current() {
            _ if depth == 0 => Standing::Pending,
            None => Standing::Lost {
                savepoint: depth > 1,
            },
            Some(connection) => match connection.transaction_status() {
                TransactionStatus::Failed => Standing::Aborted,
                _ => Standing::Begun,
            },
        }
    }

    fn is_connected(&mut self) -> bool {
        self.settle();
        self.inner.is_connected()
    }

    fn timeout(&self) -> Duration {
        self.inner.pool().timeout()
    }

    fn checkout(&mut self, timeout: Duration) -> QueryResult<()> {
        Connection::checkout(self, timeout).map_err(|error| not_sent(error.into()))
    }

    fn begin(&mut self) -> QueryResult<()> {
        Connection::begin(self)
    }

    fn commit(&mut self) -> QueryResult<()> {
        Connection::commit(self)
    }

    fn rollback(&mut self) -> QueryResult<()> {
        Connection::rollback(self)
    }

    fn release(&mut self) {
        self.end_transaction();
        self.inner.release();
        status::set_depth(&mut self.spare, 0);
        self.depth = 0;
    }
}

impl<C: Driver> Drop for Connection<C> {
    fn drop(&mut self) {
        self.end_transaction();
    }
}

impl<C: Driver> std::fmt::Debug for Connection<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("inner", &self.inner)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
