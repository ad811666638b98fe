use std::sync::Arc;

use diesel::{ConnectionError, connection::CacheSize, result::Error};
use everpool_core::{ConnectFault, Fault, ResetOnReturn, Residue};
use everpool_engine::{Role, Url, stage::StageError};

use crate::{
    driver::{Driver, TransactionStatus},
    hooks::Hooks,
    seen::Seen,
    stage::{self, Stage},
    status,
    tap::Tap,
    watch::Watch,
};

/// Opens, pings, resets and closes connections of Diesel's for a pool.
#[derive(Debug)]
pub struct Connector<C: Driver> {
    url: Url,
    role: Role,
    hooks: Arc<Hooks<C>>,
    watch: Arc<Watch>,
    cache_size: Option<CacheSize>,
    /// Where its one connection is from, if a test plays on it.
    stage: Option<Arc<Stage<C>>>,
}

/// An error of Diesel's, of either kind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// No connection was established.
    #[error(transparent)]
    Connect(#[from] ConnectionError),
    /// A statement or a reset failed; also one of those that come first on a new connection.
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
    /// What was to be undone with a test transaction is not there any more.
    #[error(transparent)]
    Stage(#[from] StageError),
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

impl<C: Driver> Connector<C> {
    pub(crate) fn hooks(&self) -> &Hooks<C> {
        &self.hooks
    }

    pub(crate) fn new(url: Url, role: Role, hooks: Arc<Hooks<C>>, watch: Arc<Watch>) -> Self {
        Self {
            url,
            role,
            hooks,
            watch,
            cache_size: None,
            stage: None,
        }
    }

    /// With the connection of a test, which `own` has opened.
    pub(crate) fn on_stage(self, own: &Self, stage: &Arc<Stage<C>>) -> Self {
        Self {
            cache_size: own.cache_size,
            stage: Some(Arc::clone(stage)),
            ..self
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
        if let Some(stage) = &self.stage {
            return stage.connect();
        }
        let mut connection = self.hooks.connect(&self.url)?;
        Tap::install_first(&mut connection, &self.watch);
        if let Some(size) = self.cache_size {
            connection.set_prepared_statement_cache_size(size);
        }
        connection.greet()?;
        if self.role.needs_wal() {
            let set = connection.set_journal_mode_wal();
            set.map_err(ConnectionError::CouldntSetupConfiguration)?;
        }
        Ok(connection)
    }

    async fn ping(&self, connection: &mut C) -> Result<(), DriverError> {
        connection.ping().map_err(DriverError::Ping)
    }

    fn is_alive(&self, connection: &mut C) -> Option<bool> {
        connection.is_alive()
    }

    async fn reset(&self, connection: &mut C, how: ResetOnReturn) -> Result<(), DriverError> {
        if self.stage.is_some() {
            return Ok(stage::settle(connection)?);
        }
        connection.reset(how)?;
        if connection.transaction_status() != TransactionStatus::Idle {
            return Err(DriverError::StillOpen);
        }
        status::set_depth(connection, 0);
        Ok(())
    }

    async fn close(&self, connection: C) {
        match &self.stage {
            Some(stage) => stage.close(connection),
            None => drop(connection),
        }
    }

    fn residue(&self, connection: &mut C) -> Residue {
        Tap::restore(connection, &self.watch);
        self.restore_cache_size(connection);
        if self.stage.is_some() {
            return match connection.transaction_status() {
                TransactionStatus::Dead => Residue::Broken,
                _ => Residue::Open,
            };
        }
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
            DriverError::Query(error) if C::fault(error).is_disconnect() => ConnectFault::Transient,
            _ => ConnectFault::Permanent,
        }
    }
}

impl<C: Driver> Connector<C> {
    /// The next user has not asked for the last one's.
    fn restore_cache_size(&self, connection: &mut C) {
        if Tap::seen(connection).is_some_and(Seen::take_cache_size_of_its_user) {
            let size = self.cache_size.unwrap_or(CacheSize::Unbounded);
            connection.set_prepared_statement_cache_size(size);
        }
    }
}

/// Whose fault an error is, by what it says and by what the client library knows.
pub(crate) fn fault<C: Driver>(error: &Error, connection: &mut C) -> Fault {
    or_dead(C::fault(error), connection)
}

/// Whose fault the errors were that nobody has classified, as far as they were seen.
pub(crate) fn fault_seen<C: Driver>(connection: &mut C) -> Fault {
    let seen = Tap::seen(connection).map_or(Fault::Statement, Seen::take_fault);
    or_dead(seen, connection)
}

fn or_dead<C: Driver>(fault: Fault, connection: &mut C) -> Fault {
    match fault {
        Fault::Statement if connection.transaction_status() == TransactionStatus::Dead => {
            Fault::Server
        }
        fault => fault,
    }
}
