use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use everpool_core::{ConnectFault, Fault, ResetOnReturn, Residue};
use everpool_engine::{Backend, Role, wal};
use sqlx::{Connection, Error, error::DatabaseError};

use crate::{
    classify,
    driver::{ConnectOptionsOf, Driver},
    flags::Progress,
    hooks::Hooks,
    wire::Wire,
};

/// Opens, pings, resets and closes connections of SQLx's for a pool.
pub struct Connector<DB: Driver> {
    options: RwLock<ConnectOptionsOf<DB>>,
    backend: Backend,
    role: Role,
    keeps_statements: bool,
    hooks: Arc<Hooks<DB>>,
}

/// Without the options, which show their password.
impl<DB: Driver> fmt::Debug for Connector<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

/// An error of SQLx's, and where it came from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// No connection was established.
    #[error(transparent)]
    Connect(Error),
    /// A statement or a reset failed; also one of those that come first on a new connection.
    #[error(transparent)]
    Query(Error),
    /// A ping failed.
    #[error(transparent)]
    Ping(Error),
    /// `after_connect` of a [`PoolOptions`](crate::pool::PoolOptions) failed.
    #[error(transparent)]
    AfterConnect(Error),
    /// What a handler of `handle_error` made of an error at connect.
    #[error("{error}")]
    Handled {
        /// What it gave to be told, or the driver's error.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
        /// Whether the connect may succeed if tried again soon.
        connect_fault: ConnectFault,
    },
    /// The driver reads the answers to other statements than it asks, since something was given up in
    /// the middle.
    #[error("the connection is out of step with its server")]
    OutOfStep,
}

impl DriverError {
    /// SQLx's error.
    pub fn sqlx_error(&self) -> Option<&Error> {
        match self {
            Self::Connect(error)
            | Self::Query(error)
            | Self::Ping(error)
            | Self::AfterConnect(error) => Some(error),
            _ => None,
        }
    }
}

impl<DB: Driver> Connector<DB> {
    pub(crate) fn new(
        options: ConnectOptionsOf<DB>,
        role: Role,
        keeps_statements: bool,
        hooks: Arc<Hooks<DB>>,
    ) -> Self {
        Self {
            backend: DB::backend(&options),
            options: RwLock::new(options),
            role,
            keeps_statements,
            hooks,
        }
    }

    /// What connections are opened with.
    pub(crate) fn options(&self) -> ConnectOptionsOf<DB> {
        let options = self.options.read();
        options.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the next ones are opened with.
    pub(crate) fn set_options(&self, options: ConnectOptionsOf<DB>) {
        let mut current = self.options.write().unwrap_or_else(PoisonError::into_inner);
        *current = options;
    }

    /// Has statements commit themselves, and a COMMIT begin nothing, where a server may be told
    /// otherwise.
    async fn greet(&self, wire: &mut Wire<DB>) -> Result<(), Error> {
        match self.backend {
            Backend::Mysql => self.greet_mysql(wire).await,
            Backend::Sqlite if self.role.needs_wal() => {
                let answer = DB::texts(wire.own(), wal::STATEMENT).await?.concat();
                wal::check(&answer.concat()).map_err(|error| Error::Configuration(Box::new(error)))
            }
            _ => Ok(()),
        }
    }

    async fn greet_mysql(&self, wire: &mut Wire<DB>) -> Result<(), Error> {
        DB::run(wire.own(), MYSQL_GREETING.to_owned()).await?;
        if DB::number(wire.own(), "SELECT @@autocommit".to_owned()).await? != 1 {
            wire.flags_mut().distrust();
        }
        Ok(())
    }

    async fn end_transaction(
        &self,
        wire: &mut Wire<DB>,
        how: ResetOnReturn,
    ) -> Result<(), DriverError> {
        wire.pay().await.map_err(DriverError::Query)?;
        let is_doubtful =
            wire.flags().is_lent_out() || wire.flags().progress() != Progress::Resting;
        if wire.should_flush() || wire.flags().progress() != Progress::Resting {
            self.drain(wire).await?;
        }
        while wire.depth() > 0 {
            wire.rollback().await.or_else(unless_nothing_is_open)?;
        }
        if wire.flags().may_be_open() || is_doubtful {
            let ended = wire.run(ending(how).to_owned()).await;
            ended.or_else(unless_nothing_is_open)?;
        }
        if is_doubtful && !wire.is_in_step().await.map_err(DriverError::Query)? {
            return Err(DriverError::OutOfStep);
        }
        wire.flags_mut().reset();
        Ok(())
    }

    /// Reads what is still to be read. The error of a statement that was given up is nobody's.
    async fn drain(&self, wire: &mut Wire<DB>) -> Result<(), DriverError> {
        match wire.ping().await {
            Err(error) if !classify::fault(&error).is_disconnect() => wire.ping().await,
            answer => answer,
        }
        .map_err(DriverError::Query)
    }
}

const MYSQL_GREETING: &str = "ROLLBACK; SET SESSION completion_type = 0";

fn ending(how: ResetOnReturn) -> &'static str {
    match how {
        ResetOnReturn::Commit => "COMMIT",
        ResetOnReturn::Rollback | ResetOnReturn::Nothing => "ROLLBACK",
    }
}

/// Only SQLite calls it an error that there is nothing to end.
fn unless_nothing_is_open(error: Error) -> Result<(), DriverError> {
    let is_that = |error: &Error| {
        let message = error.as_database_error().map(DatabaseError::message);
        message.is_some_and(|message| message.ends_with("no transaction is active"))
    };
    match is_that(&error) {
        true => Ok(()),
        false => Err(DriverError::Query(error)),
    }
}

impl<DB: Driver> everpool_core::Connector for Connector<DB> {
    type Connection = Wire<DB>;
    type Error = DriverError;

    async fn connect(&self) -> Result<Wire<DB>, DriverError> {
        let connection = self.hooks.connect(self.options()).await?;
        let mut wire = Wire::new(connection, self.backend, self.keeps_statements);
        self.greet(&mut wire).await.map_err(DriverError::Connect)?;
        match self.hooks.callbacks().connected(&mut wire).await {
            Ok(()) => Ok(wire),
            Err(error) => {
                self.close(wire).await;
                Err(error)
            }
        }
    }

    async fn ping(&self, wire: &mut Wire<DB>) -> Result<(), DriverError> {
        wire.ping().await.map_err(DriverError::Ping)
    }

    async fn reset(&self, wire: &mut Wire<DB>, how: ResetOnReturn) -> Result<(), DriverError> {
        self.end_transaction(wire, how).await
    }

    /// One that was given up in the middle is dropped: a farewell would wait for the answer.
    async fn close(&self, wire: Wire<DB>) {
        if !wire.is_cut() {
            // There is nobody to tell.
            let _lost = wire.into_inner().close().await;
        }
    }

    #[inline]
    fn residue(&self, wire: &mut Wire<DB>) -> Residue {
        let is_quiet = wire.depth() == 0 && !wire.should_flush() && !wire.owes_anything();
        if wire.flags().is_clean() && is_quiet {
            return Residue::Clean;
        }
        match wire.is_cut() && !classify::survives_a_cut(self.backend) {
            true => Residue::Broken,
            false => Residue::Open,
        }
    }

    fn fault(&self, error: &DriverError, _: &mut Wire<DB>) -> Fault {
        self.hooks.judge_in_pool(error)
    }

    fn connect_fault(&self, error: &DriverError) -> ConnectFault {
        match error {
            DriverError::Connect(error) => classify::connect_fault(error),
            DriverError::Handled { connect_fault, .. } => *connect_fault,
            // As SQLx's pool has it.
            DriverError::AfterConnect(_) => ConnectFault::Transient,
            DriverError::Query(error) if classify::fault(error).is_disconnect() => {
                ConnectFault::Transient
            }
            _ => ConnectFault::Permanent,
        }
    }
}
