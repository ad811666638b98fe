use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use everpool_core::{ConnectFault, Fault, ResetOnReturn, Residue};
use everpool_engine::{Backend, Role, stage::StageError, wal};
use sqlx::{Connection, Error, error::DatabaseError};

use crate::{
    as_sqlx::out_of_step,
    classify,
    driver::{ConnectOptionsOf, Driver},
    hooks::Hooks,
    stage::Stage,
    wire::Wire,
};

/// Opens, pings, resets and closes connections of SQLx's for a pool.
pub struct Connector<DB: Driver> {
    options: RwLock<ConnectOptionsOf<DB>>,
    backend: Backend,
    role: Role,
    keeps_statements: bool,
    hooks: Arc<Hooks<DB>>,
    /// What becomes at the return of a transaction that a text began.
    how: ResetOnReturn,
    /// Where its one connection is from, if a test plays on it.
    stage: Option<Arc<Stage<DB>>>,
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
    /// What was to be undone with a test transaction is not there any more.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// What a handler of `handle_error` made of an error at connect.
    #[error("{error}")]
    Handled {
        /// What it gave to be told, or the driver's error.
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
        /// Whether the connect may succeed if tried again soon.
        connect_fault: ConnectFault,
    },
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
        how: ResetOnReturn,
    ) -> Self {
        Self {
            backend: DB::backend(&options),
            options: RwLock::new(options),
            role,
            keeps_statements,
            hooks,
            how,
            stage: None,
        }
    }

    /// For the one connection of a test.
    pub(crate) fn on_stage(&self, stage: &Arc<Stage<DB>>) -> Self {
        Self {
            options: RwLock::new(self.options()),
            backend: self.backend,
            role: self.role,
            keeps_statements: self.keeps_statements,
            hooks: Arc::clone(&self.hooks),
            how: ResetOnReturn::Rollback,
            stage: Some(Arc::clone(stage)),
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

    /// What was begun through a Connection is rolled back, and so is what was given up in the middle. What
    /// a text began, or the program on the driver's own connection, is ended as the pool's option says.
    pub(crate) async fn put_in_order(&self, wire: &mut Wire<DB>) -> Result<(), Error> {
        if self.stage.is_some() {
            return settle_stage(wire).await;
        }
        let is_clean = self.left(wire) == Residue::Clean;
        let (was_cut, was_lent_out) = (wire.is_cut(), wire.flags().is_lent_out());
        if wire.is_behind() || wire.should_flush() || was_lent_out {
            wire.spend_ignored_rollback();
            wire.catch_up().await?;
        }
        wire.pay().await?;
        while wire.depth() > 0 {
            wire.rollback().await?;
        }
        let how = match was_cut {
            true => ResetOnReturn::Rollback,
            false => self.how,
        };
        if was_lent_out || is_clean || wire.flags().may_be_open() {
            self.end(wire, how).await?;
        }
        if (was_cut || was_lent_out) && !wire.is_in_step().await? {
            return Err(out_of_step());
        }
        wire.flags_mut().put_in_order();
        Ok(())
    }

    async fn end(&self, wire: &mut Wire<DB>, how: ResetOnReturn) -> Result<(), Error> {
        let ended = match how {
            ResetOnReturn::Nothing => {
                wire.flags_mut().left_open();
                Ok(())
            }
            ResetOnReturn::Rollback => wire.run(self.unchained("ROLLBACK")).await,
            ResetOnReturn::Commit => wire.run(self.unchained("COMMIT")).await,
        };
        ended.or_else(unless_nothing_is_open)
    }

    /// An end of a transaction that does not begin the next, whatever MySQL was told.
    fn unchained(&self, end: &str) -> String {
        match self.backend {
            Backend::Mysql => format!("{end} AND NO CHAIN"),
            _ => end.to_owned(),
        }
    }

    /// What is left on a connection, as far as it is known without asking.
    #[inline]
    pub(crate) fn left(&self, wire: &Wire<DB>) -> Residue {
        if self.stage.is_some() {
            return match wire.is_cut() && !classify::survives_a_cut(self.backend) {
                true => Residue::Broken,
                false => Residue::Open,
            };
        }
        let flags = wire.flags();
        let is_quiet = wire.depth() == 0 && !wire.should_flush() && !wire.owes_anything();
        if flags.is_in_order() && is_quiet {
            return match flags.may_be_open() && self.how != ResetOnReturn::Nothing {
                true => Residue::Open,
                false => Residue::Clean,
            };
        }
        match wire.is_cut() && !classify::survives_a_cut(self.backend) {
            true => Residue::Broken,
            false => Residue::Open,
        }
    }
}

/// What is not ended on a connection of a test is undone, and the rest counts as committed.
#[cold]
async fn settle_stage<DB: Driver>(wire: &mut Wire<DB>) -> Result<(), Error> {
    let (was_cut, was_lent_out) = (wire.is_cut(), wire.flags().is_lent_out());
    if wire.is_behind() || wire.should_flush() || was_lent_out {
        wire.catch_up().await?;
    }
    wire.pay().await?;
    while wire.depth() > 0 {
        wire.rollback().await?;
    }
    wire.mark(was_cut).await?;
    if (was_cut || was_lent_out) && !wire.is_in_step().await? {
        return Err(out_of_step());
    }
    wire.flags_mut().put_in_order();
    Ok(())
}

const MYSQL_GREETING: &str = "ROLLBACK; SET SESSION completion_type = 0";

/// Only SQLite calls it an error that there is nothing to end.
fn unless_nothing_is_open(error: Error) -> Result<(), Error> {
    let is_that = |error: &dyn DatabaseError| error.message().ends_with("no transaction is active");
    match error.as_database_error().is_some_and(is_that) {
        true => Ok(()),
        false => Err(error),
    }
}

impl<DB: Driver> everpool_core::Connector for Connector<DB> {
    type Connection = Wire<DB>;
    type Error = DriverError;

    async fn connect(&self) -> Result<Wire<DB>, DriverError> {
        if let Some(stage) = &self.stage {
            return stage.connect();
        }
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

    /// What is to be sent is this connector's to know: the pool is always told to reset.
    async fn reset(&self, wire: &mut Wire<DB>, _: ResetOnReturn) -> Result<(), DriverError> {
        self.put_in_order(wire).await.map_err(DriverError::Query)
    }

    /// One that was given up in the middle is dropped: a farewell would wait for the answer.
    async fn close(&self, mut wire: Wire<DB>) {
        if let Some(stage) = &self.stage {
            let is_lost = self.left(&wire) == Residue::Broken;
            let is_sound = !is_lost && self.put_in_order(&mut wire).await.is_ok();
            return stage.close(wire, is_sound).await;
        }
        if !wire.is_cut() {
            // There is nobody to tell.
            let _lost = wire.into_inner().close().await;
        }
    }

    #[inline]
    fn residue(&self, wire: &mut Wire<DB>) -> Residue {
        self.left(wire)
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
