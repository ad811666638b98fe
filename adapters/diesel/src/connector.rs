use std::sync::Arc;

use diesel::{ConnectionError, result::Error};
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
}

/// An error of Diesel's, of either kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// No connection was established.
    #[error(transparent)]
    Connect(#[from] ConnectionError),
    /// A ping or a reset failed.
    #[error(transparent)]
    Query(#[from] Error),
    /// A ROLLBACK or COMMIT on return succeeded, and a transaction is open all the same.
    #[error("a transaction is still open after the reset")]
    StillOpen,
}

impl<C> Connector<C> {
    pub(crate) fn new(url: Url, hooks: Arc<Hooks<C>>, watch: Arc<Watch>) -> Self {
        Self { url, hooks, watch }
    }
}

impl<C: Driver> everpool_core::Connector for Connector<C> {
    type Connection = C;
    type Error = DriverError;

    async fn connect(&self) -> Result<C, DriverError> {
        let mut connection = self.hooks.connect(&self.url)?;
        Tap::install_default(&mut connection, &self.watch);
        Ok(connection)
    }

    async fn ping(&self, connection: &mut C) -> Result<(), DriverError> {
        Ok(connection.batch_execute("SELECT 1")?)
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
        match error {
            DriverError::Query(error) => fault(error, connection),
            DriverError::Connect(_) | DriverError::StillOpen => Fault::Connection,
        }
    }

    fn connect_fault(&self, error: &DriverError) -> ConnectFault {
        match error {
            DriverError::Connect(error) => C::connect_fault(error),
            DriverError::Query(_) | DriverError::StillOpen => ConnectFault::Permanent,
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
