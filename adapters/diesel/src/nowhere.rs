use std::{fmt, marker::PhantomData};

use diesel::{
    ConnectionError, ConnectionResult, QueryResult,
    backend::Backend,
    connection::{
        AnsiTransactionManager, CacheSize, Connection, ConnectionSealed, DynInstrumentation,
        Instrumentation, SimpleConnection,
    },
    query_builder::{QueryFragment, QueryId},
    result::Error,
};

/// What Diesel is shown where there is no connection: a transaction status and an instrumentation
/// slot. A transaction manager's status can only be set through a connection, so this is one, and
/// leads nowhere.
pub(crate) struct Nowhere<B> {
    transactions: AnsiTransactionManager,
    instrumentation: DynInstrumentation,
    /// The program's instrumentation waits here for the next connection.
    is_instrumented: bool,
    #[cfg(feature = "postgres")]
    pub(crate) metadata: diesel::pg::PgMetadataCache,
    backend: PhantomData<fn() -> B>,
}

impl<B> Default for Nowhere<B> {
    fn default() -> Self {
        Self {
            transactions: AnsiTransactionManager::default(),
            instrumentation: DynInstrumentation::none(),
            is_instrumented: false,
            #[cfg(feature = "postgres")]
            metadata: diesel::pg::PgMetadataCache::new(),
            backend: PhantomData,
        }
    }
}

impl<B> Nowhere<B> {
    pub(crate) fn keep_instrumentation(&mut self, instrumentation: DynInstrumentation) {
        self.instrumentation = instrumentation;
        self.is_instrumented = true;
    }

    pub(crate) fn take_instrumentation(&mut self) -> Option<DynInstrumentation> {
        let is_there = std::mem::take(&mut self.is_instrumented);
        is_there.then(|| std::mem::replace(&mut self.instrumentation, DynInstrumentation::none()))
    }
}

impl<B> fmt::Debug for Nowhere<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nowhere")
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}

impl<B> SimpleConnection for Nowhere<B> {
    fn batch_execute(&mut self, _: &str) -> QueryResult<()> {
        Err(Error::BrokenTransactionManager)
    }
}

impl<B> ConnectionSealed for Nowhere<B> {}

impl<B: Backend> Connection for Nowhere<B> {
    type Backend = B;
    type TransactionManager = AnsiTransactionManager;

    fn establish(_: &str) -> ConnectionResult<Self> {
        Err(ConnectionError::BadConnection(
            "there is no connection to nowhere".into(),
        ))
    }

    fn execute_returning_count<T>(&mut self, _: &T) -> QueryResult<usize>
    where
        T: QueryFragment<B> + QueryId,
    {
        Err(Error::BrokenTransactionManager)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        &mut self.transactions
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        &mut *self.instrumentation
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.keep_instrumentation(instrumentation.into());
    }

    fn set_prepared_statement_cache_size(&mut self, _: CacheSize) {}
}
