use std::{
    fmt,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
};

use everpool_core::{BoxError, BoxFuture, ConnectFault, Fault};
use everpool_engine::{
    Backend, events,
    handlers::{Answer, ErrorContext, Handled, Handlers, Origin},
};
use sqlx::{ConnectOptions as _, Error};

use crate::{
    as_sqlx::{replaced, unwrapped},
    callbacks::Callbacks,
    classify,
    connector::DriverError,
    driver::{ConnectOptionsOf, Driver},
};

type Opened<'a, DB> = BoxFuture<'a, Result<Option<<DB as sqlx::Database>::Connection>, BoxError>>;
type DoConnect<DB> = dyn for<'a> Fn(&'a mut ConnectOptionsOf<DB>) -> Opened<'a, DB> + Send + Sync;

/// What the program has a say in: how connections are opened, and what errors mean.
pub(crate) struct Hooks<DB: Driver> {
    do_connect: RwLock<Vec<Arc<DoConnect<DB>>>>,
    handlers: Handlers<DriverError>,
    backend: Backend,
    read_only_is_disconnect: bool,
    is_memory: bool,
    callbacks: Callbacks<DB>,
}

impl<DB: Driver> Hooks<DB> {
    /// `is_memory`: the database dies with its connection.
    pub(crate) fn new(
        backend: Backend,
        read_only_is_disconnect: bool,
        is_memory: bool,
        callbacks: Callbacks<DB>,
    ) -> Self {
        Self {
            do_connect: RwLock::default(),
            handlers: Handlers::default(),
            backend,
            read_only_is_disconnect,
            is_memory,
            callbacks,
        }
    }

    pub(crate) fn callbacks(&self) -> &Callbacks<DB> {
        &self.callbacks
    }

    /// A connection, as the hooks would have it. `options` are a fresh copy.
    pub(crate) async fn connect(
        &self,
        options: ConnectOptionsOf<DB>,
    ) -> Result<DB::Connection, DriverError> {
        let opened = self.establish(options).await;
        opened.map_err(|error| self.judge_connect(error))
    }

    async fn establish(
        &self,
        mut options: ConnectOptionsOf<DB>,
    ) -> Result<DB::Connection, DriverError> {
        let hooks = self
            .do_connect
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for hook in hooks {
            if let Some(connection) = hook(&mut options).await.map_err(of_a_hook)? {
                return Ok(connection);
            }
        }
        options.connect().await.map_err(DriverError::Connect)
    }

    fn judge_connect(&self, error: DriverError) -> DriverError {
        let assumed = match &error {
            DriverError::Connect(error) => classify::connect_fault(error),
            _ => ConnectFault::Permanent,
        };
        match self.handlers.handle_connect(&error, self.backend, assumed) {
            None => error,
            Some((replacement, connect_fault)) => DriverError::Handled {
                error: replacement.unwrap_or_else(|| error.into()),
                connect_fault,
            },
        }
    }

    /// What is told of a statement's error, and whose fault it is. A connection that was asked to be
    /// read-only says nothing of its server when it takes no writes.
    pub(crate) fn judge(
        &self,
        error: Error,
        sql: Option<&str>,
        is_asked_to_read: bool,
    ) -> (Error, Fault) {
        let counts = self.read_only_is_disconnect && !is_asked_to_read;
        let fault = match counts && classify::is_read_only(&error) {
            true => Fault::Server,
            false => self.spared(&error),
        };
        let error = DriverError::Query(error);
        let handled = self.ask(&error, Origin::Execution(sql), fault);
        let told = handled
            .replacement
            .map_or_else(|| unwrapped(error), replaced);
        (told, handled.fault)
    }

    /// No error of another file costs a database in memory, which has none. But it ends with its worker.
    fn spared(&self, error: &Error) -> Fault {
        match error {
            Error::WorkerCrashed => Fault::Connection,
            _ if self.is_memory => Fault::Statement,
            error => classify::fault(error),
        }
    }

    /// Whose fault the error of a ping or a reset is.
    pub(crate) fn judge_in_pool(&self, error: &DriverError) -> Fault {
        let (origin, fault) = match error {
            DriverError::Ping(error) => (Origin::PrePing, self.spared(error)),
            DriverError::Query(error) => (Origin::Execution(None), self.spared(error)),
            _ => (Origin::Execution(None), Fault::Connection),
        };
        self.ask(error, origin, fault).fault
    }

    fn ask(&self, error: &DriverError, origin: Origin<'_>, fault: Fault) -> Handled {
        self.handlers.handle(error, self.backend, origin, fault)
    }
}

/// Why a hook opened no connection. What SQLx did not say, waiting does not mend.
fn of_a_hook(error: BoxError) -> DriverError {
    match error.downcast::<Error>() {
        Ok(error) => DriverError::Connect(*error),
        Err(error) => DriverError::Handled {
            error,
            connect_fault: ConnectFault::Permanent,
        },
    }
}

impl<DB: Driver> fmt::Debug for Hooks<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// Registers listeners on an engine: those of `everpool_engine`'s [`Events`](events::Events), and
/// what depends on the driver. For the pool's events see [`Engine::pool`](crate::Engine::pool).
pub struct EngineEvents<'a, DB: Driver> {
    plain: events::Events<'a>,
    hooks: &'a Hooks<DB>,
}

impl<'a, DB: Driver> EngineEvents<'a, DB> {
    pub(crate) fn new(board: &'a events::Board, hooks: &'a Hooks<DB>) -> Self {
        Self {
            plain: events::Events::new(board),
            hooks,
        }
    }

    /// A connection is to be opened. The hook may change the options, which are a fresh copy each time:
    /// a password that rotates, a host that moved. It may also open a connection itself, and return it.
    /// Called in the pool's background, for at most the pool's connect timeout. If it fails with an
    /// [`Error`] of SQLx's, that counts as one of the connect; with any other error, a caller is told at
    /// once.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")] {
    /// # fn password_of_this_hour() -> &'static str { "s3cret" }
    /// use everpool_sqlx::{EngineOptions, Postgres, create_engine};
    ///
    /// let options = EngineOptions::default();
    /// let engine = create_engine::<Postgres>("postgresql://scott@localhost/shop", options)?;
    /// engine.events().do_connect(|options| {
    ///     Box::pin(async {
    ///         *options = options.clone().password(password_of_this_hour());
    ///         Ok(None) // None was opened here: the engine does it.
    ///     })
    /// });
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn do_connect<F>(&self, hook: F) -> &Self
    where
        F: for<'o> Fn(&'o mut ConnectOptionsOf<DB>) -> Opened<'o, DB> + Send + Sync + 'static,
    {
        let hooks = self.hooks.do_connect.write();
        hooks
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(hook));
        self
    }

    /// Asked about each error of the driver: of a statement, a ping, a connect; not of what the program
    /// does with the driver's own connection. It may say that the connection is lost, or that it is
    /// not, and give another error to be told; `Ok(None)` leaves what is told as it is. What it gives for
    /// a failed ping is not told: the pool tells the driver's. Must not block; see [`Handlers`].
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
engine.events().handle_error(|context| {
    if context.original().to_string().contains("no such table") {
        context.set_disconnect(true);
    }
    Ok(None)
});
let mut connection = engine.connect().await?;
query("DELETE FROM nowhere").execute(&mut *connection).await.unwrap_err();
assert!(connection.invalidated());
# Ok(())
# }
```
"#
    )]
    pub fn handle_error<F>(&self, handler: F) -> &Self
    where
        F: Fn(&mut ErrorContext<'_, DriverError>) -> Answer + Send + Sync + 'static,
    {
        self.hooks.handlers.listen(handler);
        self
    }
}

impl<'a, DB: Driver> Deref for EngineEvents<'a, DB> {
    type Target = events::Events<'a>;

    fn deref(&self) -> &events::Events<'a> {
        &self.plain
    }
}

impl<DB: Driver> fmt::Debug for EngineEvents<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineEvents").finish_non_exhaustive()
    }
}
