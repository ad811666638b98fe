use std::{
    fmt,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
};

use diesel::{ConnectionError, result::Error};
use everpool_core::{BoxError, ConnectFault, Fault};
use everpool_engine::{
    Url, events,
    handlers::{Answer, ErrorContext, Handled, Handlers, Origin},
};

use crate::{
    classify::is_read_only,
    connector::DriverError,
    driver::Driver,
    error::{replaced, unwrapped},
};

type DoConnect<C> = dyn Fn(&mut Url) -> Result<Option<C>, BoxError> + Send + Sync;

/// What the program has a say in: how connections are opened, and what errors mean.
pub(crate) struct Hooks<C> {
    do_connect: RwLock<Vec<Arc<DoConnect<C>>>>,
    handlers: Handlers<DriverError>,
    read_only_is_disconnect: bool,
    is_memory: bool,
}

impl<C: Driver> Hooks<C> {
    /// `is_memory`: the database dies with its connection.
    pub(crate) fn new(read_only_is_disconnect: bool, is_memory: bool) -> Self {
        Self {
            do_connect: RwLock::default(),
            handlers: Handlers::default(),
            read_only_is_disconnect,
            is_memory,
        }
    }

    /// A connection to `url`, as the hooks would have it. Blocks.
    pub(crate) fn connect(&self, url: &Url) -> Result<C, DriverError> {
        self.establish(url)
            .map_err(|error| self.judge_connect(error))
    }

    fn establish(&self, url: &Url) -> Result<C, DriverError> {
        let hooks = self
            .do_connect
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // Fresh for each connection.
        let mut url = url.clone();
        for hook in hooks {
            if let Some(connection) = hook(&mut url).map_err(of_a_hook)? {
                return Ok(connection);
            }
        }
        let mut connection = C::establish(&url.render_for_driver())?;
        if let Some(timeout) = url.busy_timeout() {
            let set = connection.set_busy_timeout(timeout);
            set.map_err(ConnectionError::CouldntSetupConfiguration)?;
        }
        Ok(connection)
    }

    fn judge_connect(&self, error: DriverError) -> DriverError {
        let assumed = match &error {
            DriverError::Connect(error) => C::connect_fault(error),
            _ => ConnectFault::Permanent,
        };
        match self.handlers.handle_connect(&error, C::BACKEND, assumed) {
            None => error,
            Some((replacement, connect_fault)) => DriverError::Handled {
                error: replacement.unwrap_or_else(|| error.into()),
                connect_fault,
            },
        }
    }

    /// What is told of a statement's error, and whose fault it is. `fault` is what the tables say. A
    /// connection that was asked to be read-only says nothing of its server when it takes no writes.
    pub(crate) fn judge(
        &self,
        error: Error,
        fault: Fault,
        sql: Option<&str>,
        is_asked_to_read: bool,
    ) -> (Error, Fault) {
        let counts = self.read_only_is_disconnect && !is_asked_to_read;
        let fault = match counts && is_read_only::<C>(&error) {
            true => Fault::Server,
            false => self.spared(fault),
        };
        let error = DriverError::Query(error);
        let handled = self.ask(&error, Origin::Execution(sql), fault);
        let told = handled
            .replacement
            .map_or_else(|| unwrapped(error), replaced);
        (told, handled.fault)
    }

    /// No error of another file costs a database in memory, which has none.
    pub(crate) fn spared(&self, fault: Fault) -> Fault {
        match self.is_memory {
            true => Fault::Statement,
            false => fault,
        }
    }

    /// Whose fault the error of a ping or a reset is.
    pub(crate) fn judge_in_pool(&self, error: &DriverError, fault: Fault) -> Fault {
        let origin = match error {
            DriverError::Ping(_) => Origin::PrePing,
            _ => Origin::Execution(None),
        };
        self.ask(error, origin, self.spared(fault)).fault
    }

    fn ask(&self, error: &DriverError, origin: Origin<'_>, fault: Fault) -> Handled {
        self.handlers.handle(error, C::BACKEND, origin, fault)
    }

    fn do_connect(&self, hook: Arc<DoConnect<C>>) {
        let mut hooks = self
            .do_connect
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        hooks.push(hook);
    }
}

/// Why a hook opened no connection. What Diesel did not say, waiting does not mend.
fn of_a_hook(error: BoxError) -> DriverError {
    match error.downcast::<ConnectionError>() {
        Ok(error) => DriverError::Connect(*error),
        Err(error) => DriverError::Handled {
            error,
            connect_fault: ConnectFault::Permanent,
        },
    }
}

impl<C> fmt::Debug for Hooks<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// Registers listeners on an engine: those of `everpool_engine`'s [`Events`](events::Events), and
/// what depends on the driver. For the pool's events see [`Engine::pool`](crate::Engine::pool).
pub struct EngineEvents<'a, C: Driver> {
    plain: events::Events<'a>,
    hooks: &'a Hooks<C>,
}

impl<'a, C: Driver> EngineEvents<'a, C> {
    pub(crate) fn new(board: &'a events::Board, hooks: &'a Hooks<C>) -> Self {
        Self {
            plain: events::Events::new(board),
            hooks,
        }
    }

    /// A connection is to be opened. The hook may change the URL, which is a fresh copy each time: a
    /// password that rotates, a host that moved. It may also open a connection itself, and return it.
    /// Called in the pool's background, so it may block, for at most the pool's connect timeout. If it
    /// fails with a [`ConnectionError`], that counts as one of Diesel's own; with any other error, a
    /// caller is told at once.
    ///
    /// ```
    /// # #[cfg(feature = "postgres")] {
    /// # fn password_of_this_hour() -> &'static str { "s3cret" }
    /// use diesel::PgConnection;
    /// use everpool_diesel::{EngineOptions, create_engine};
    ///
    /// let options = EngineOptions::default();
    /// let engine = create_engine::<PgConnection>("postgresql://scott@localhost/shop", options)?;
    /// engine.events().do_connect(|url| {
    ///     *url = url.clone().with_password(password_of_this_hour())?;
    ///     Ok(None) // None was opened here: the engine does it.
    /// });
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn do_connect<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut Url) -> Result<Option<C>, BoxError> + Send + Sync + 'static,
    {
        self.hooks.do_connect(Arc::new(hook));
        self
    }

    /// Asked about each error of the driver: of a statement, a ping, a connect; not of what the program
    /// does with [`driver_connection`](crate::Connection::driver_connection). It may say that the
    /// connection is lost, or that it is not, and give another error to be told; `Ok(None)` leaves
    /// what is told as it is. What it gives for a failed ping is not told: the pool tells the
    /// driver's. Must not block; see [`Handlers`].
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")] {
    /// use diesel::prelude::*;
    /// use everpool_diesel::{EngineOptions, create_engine};
    ///
    /// let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
    /// engine.events().handle_error(|context| {
    ///     if context.original().to_string().contains("no such table") {
    ///         context.set_disconnect(true);
    ///     }
    ///     Ok(None)
    /// });
    /// let mut connection = engine.connect()?;
    /// diesel::sql_query("DELETE FROM nowhere").execute(&mut connection).unwrap_err();
    /// assert!(connection.invalidated());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_error<F>(&self, handler: F) -> &Self
    where
        F: Fn(&mut ErrorContext<'_, DriverError>) -> Answer + Send + Sync + 'static,
    {
        self.hooks.handlers.listen(handler);
        self
    }
}

impl<'a, C: Driver> Deref for EngineEvents<'a, C> {
    type Target = events::Events<'a>;

    fn deref(&self) -> &events::Events<'a> {
        &self.plain
    }
}

impl<C: Driver> fmt::Debug for EngineEvents<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineEvents").finish_non_exhaustive()
    }
}
