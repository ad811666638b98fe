use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use everpool_core::{ConnectFault, Fault, ResetOnReturn, Residue};

use crate::{
    ManageConnection,
    config::Config,
    event::{AcquireEvent, CheckinEvent, ReleaseEvent},
    managed::Managed,
};

/// What an r2d2 manager said of a connect or a test that failed. The error itself went to the pool's
/// [`HandleError`](crate::HandleError): it may be bound to a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    pub(crate) fault: Fault,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.trim_end())
    }
}

impl std::error::Error for Failure {}

/// Makes an r2d2 manager known to the pools of [`everpool_core`].
///
/// `has_broken` is asked when a connection comes back, and decides whether it is lent again. A failed
/// connect is tried again as long as a caller waits, since a manager cannot say that it is in vain.
pub struct Connector<M: ManageConnection> {
    manager: M,
    pub(crate) config: Config<M::Connection, M::Error>,
    /// The last error of a connect, until one succeeds.
    last_failure: Mutex<Option<Failure>>,
    /// The pool is gone: nobody is to be told of the end of its connections.
    is_over: AtomicBool,
}

impl<M: ManageConnection> Connector<M> {
    /// A connector that logs the manager's errors, as r2d2 does.
    pub fn new(manager: M) -> Self {
        Self::with_config(manager, Config::default())
    }

    pub(crate) fn with_config(manager: M, config: Config<M::Connection, M::Error>) -> Self {
        Self {
            manager,
            config,
            last_failure: Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// The manager.
    pub fn manager(&self) -> &M {
        &self.manager
    }

    pub(crate) fn last_failure(&self) -> Option<Failure> {
        let last = self.last_failure.lock();
        last.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, failure: Option<Failure>) {
        let last = self.last_failure.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Connections that are closed from now on are closed without a word.
    pub(crate) fn ends(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn failed(&self, error: M::Error, fault: Fault) -> Failure {
        let message = error.to_string();
        self.config.error_handler.handle_error(error);
        Failure { message, fault }
    }

    fn open(&self) -> Result<M::Connection, M::Error> {
        let mut connection = self.manager.connect()?;
        let customizer = &self.config.connection_customizer;
        customizer.on_acquire(&mut connection)?;
        Ok(connection)
    }

    /// Asks the manager whether the connection is valid. Blocks as the manager does.
    pub(crate) fn test(&self, connection: &mut Managed<M::Connection>) -> Result<(), Failure> {
        let tested = self.manager.is_valid(connection);
        tested.map_err(|error| {
            let fault = (self.config.fault_of)(&error, connection);
            self.failed(error, fault.max(Fault::Connection))
        })
    }

    /// Hands a connection over to the customizer, which closes it.
    pub(crate) fn release(&self, connection: &mut Managed<M::Connection>) {
        let (id, birth) = (connection.id, connection.birth);
        let Some(connection) = connection.take() else {
            return;
        };
        if self.is_over.load(Ordering::Relaxed) {
            return;
        }
        if self.config.is_watched {
            let age = birth.elapsed();
            let released = ReleaseEvent { id, age };
            self.config.event_handler.handle_release(released);
        }
        self.config.connection_customizer.on_release(connection);
    }

    fn checked_in(&self, connection: &mut Managed<M::Connection>) {
        if self.config.is_watched {
            let lent = connection.lent.take();
            self.config.event_handler.handle_checkin(CheckinEvent {
                id: connection.id,
                duration: lent.map(|lent| lent.elapsed()).unwrap_or_default(),
            });
        }
    }
}

impl<M: ManageConnection> everpool_core::Connector for Connector<M> {
    type Connection = Managed<M::Connection>;
    type Error = Failure;

    async fn connect(&self) -> Result<Managed<M::Connection>, Failure> {
        let opened = self.open();
        let opened = opened.map_err(|error| self.failed(error, Fault::Connection));
        self.remember(opened.as_ref().err().cloned());
        let connection = Managed::new(opened?);
        if self.config.is_watched {
            let acquired = AcquireEvent { id: connection.id };
            self.config.event_handler.handle_acquire(acquired);
        }
        Ok(connection)
    }

    async fn ping(&self, connection: &mut Managed<M::Connection>) -> Result<(), Failure> {
        self.test(connection)
    }

    /// A manager knows of nothing to reset.
    async fn reset(&self, _: &mut Managed<M::Connection>, _: ResetOnReturn) -> Result<(), Failure> {
        Ok(())
    }

    async fn close(&self, mut connection: Managed<M::Connection>) {
        self.release(&mut connection);
    }

    /// What is broken is released here and now, by whoever returns it.
    fn residue(&self, connection: &mut Managed<M::Connection>) -> Residue {
        self.checked_in(connection);
        if !connection.is_lost && !self.manager.has_broken(connection) {
            return Residue::Clean;
        }
        if connection.is_own() {
            self.release(connection);
        }
        Residue::Broken
    }

    fn fault(&self, error: &Failure, _: &mut Managed<M::Connection>) -> Fault {
        error.fault
    }

    fn connect_fault(&self, _: &Failure) -> ConnectFault {
        ConnectFault::Transient
    }
}

impl<M: ManageConnection> fmt::Debug for Connector<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
