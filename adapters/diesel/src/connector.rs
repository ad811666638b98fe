use std::sync::Arc;

use diesel::{ConnectionError, connection::CacheSize, result::Error};
use everpool_core::{ConnectFault, Fault, ResetOnReturn, Residue};
use everpool_engine::Url;

use crate::{
    driver::{Driver, TransactionStatus},
    hooks::Hooks,
    status,
    tap::Tap,
    watch::Watch,
};

/// Opens, pings, resets and closes connections of Diesel's for a pool.
#[derive(Debug)]
pub struct Connector<C> {
    url: Url,
    hooks: Arc<Hooks<C>>,
    watch: Arc<Watch>,
    cache_size: Option<CacheSize>,
}

/// An error of Diesel's, of either kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// No connection was established.
    #[error(transparent)]
    Connect(#[from] ConnectionError),
    /// A statement or a reset failed.
    #[error(transparent)]
    Query(#[from] Error),
    /// A ping failed.
    #[error(transparent)]
    Ping(Error),
    /// What a handler of `handle_error` made of an error at connect.
    #[error("{error}")]
    Handled {
        /// What it gave to be told, or the driver's error.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
        /// Whether the connect may succeed if tried again soon.
        connect_fault: ConnectFault,
    },
    /// A ROLLBACK or COMMIT on return succeeded, and a transaction is open all the same.
    #[error("a transaction is still open after the reset")]
    StillOpen,
}

impl DriverError {
    /// Diesel's error of a statement, a reset or a ping; `None` of a connect.
    pub fn query_error(&self) -> Option<&Error> {
        match self {
            Self::Query(error) | Self::Ping(error) => Some(error),
            _ => None,
        }
    }
}

impl<C> Connector<C> {
    pub(crate) fn hooks(&self) -> &Hooks<C> {
        &self.hooks
    }

    pub(crate) fn new(url: Url, hooks: Arc<Hooks<C>>, watch: Arc<Watch>) -> Self {
        Self {
            url,
            hooks,
            watch,
            cache_size: None,
        }
    }

    /// `query_cache_size`: 0 prepares each statement anew; Diesel has no other limit.
    pub(crate) fn with_cache_size(self, statements: Option<u32>) -> Self {
        let cache_size = statements.map(|statements| match statements {
            0 => CacheSize::Disabled,
            _ => CacheSize::Unbounded,
        });
        Self { cache_size, ..self }
    }
}

impl<C: Driver> everpool_core::Connector for Connector<C> {
    type Connection = C;
    type Error = DriverError;

    async fn connect(&self) -> Result<C, DriverError> {
        let mut connection = self.hooks.connect(&self.url)?;
        Tap::install_default(&mut connection, &self.watch);
        if let Some(size) = self.cache_size {
            connection.set_prepared_statement_cache_size(size);
        }
        Ok(connection)
    }

    async fn ping(&self, connection: &mut C) -> Result<(), DriverError> {
        connection
            .batch_execute("SELECT 1")
            .map_err(DriverError::Ping)
    }

    async fn reset(&self, connection: &mut C, how: ResetOnReturn) -> Result<(), DriverError> {
        connection.batch_execute(match how {
            ResetOnReturn::Commit => "COMMIT",
            ResetOnReturn::Rollback | ResetOnReturn::Nothing => "ROLLBACK",
        })?;
        if connection.transaction_status() != TransactionStatus::Idle {
            return Err(DriverError::StillOpen);
        }
        status::set_depth(connection, 0);
        Ok(())
    }

    async fn close(&self, connection: C) {
        drop(connection);
    }

    fn residue(&self, connection: &mut C) -> Residue {
        Tap::restore(connection, &self.watch);
        if status::is_test_transaction(connection) {
            return Residue::Clean;
        }
        match connection.transaction_status() {
            TransactionStatus::Idle => {
                // After a panic in a transaction that the server has ended, Diesel still counts it.
                status::set_depth(connection, 0);
                Residue::Clean
            }
            TransactionStatus::MaybeOpen | TransactionStatus::Failed => Residue::Open,
            TransactionStatus::Dead => Residue::Broken,
        }
    }

    fn fault(&self, error: &DriverError, connection: &mut C) -> Fault {
        let by_tables = match error {
            DriverError::Query(error) | DriverError::Ping(error) => fault(error, connection),
            _ => Fault::Connection,
        };
        self.hooks.judge_in_pool(error, by_tables)
    }

    fn connect_fault(&self, error: &DriverError) -> ConnectFault {
        match error {
            DriverError::Connect(error) => C::connect_fault(error),
            DriverError::Handled { connect_fault, .. } => *connect_fault,
            _ => ConnectFault::Permanent,
        }
    }
}

/// Whose fault an error is, by what it says and by what the client library knows.
pub(crate) fn fault<C: Driver>(error: &Error, connection: &mut C) -> Fault {
    match C::fault(error) {
        Fault::Statement if connection.transaction_status() == TransactionStatus::Dead => {
            Fault::Server
        }
        fault => fault,
    }
}
