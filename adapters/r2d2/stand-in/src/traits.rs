//! What others implement: names and signatures are r2d2's.

use std::{error, fmt};

/// Opens and tests connections of some kind. Each method may be called by several threads at once.
pub trait ManageConnection: Send + Sync + 'static {
    /// The connection.
    type Connection: Send + 'static;

    /// What goes wrong with it.
    type Error: error::Error + 'static;

    /// Opens a connection. Called in the pool's background; may block.
    ///
    /// # Errors
    ///
    /// There is none; it is tried again.
    fn connect(&self) -> Result<Self::Connection, Self::Error>;

    /// Asks the server for a sign of life. Called before an idle connection is lent, if the pool is to
    /// test connections; may block.
    ///
    /// # Errors
    ///
    /// There was none; the connection is released.
    fn is_valid(&self, conn: &mut Self::Connection) -> Result<(), Self::Error>;

    /// Whether a connection is not to be lent again. Called whenever one is returned, by the thread
    /// that returns it; must not block.
    fn has_broken(&self, conn: &mut Self::Connection) -> bool;
}

/// Is told the errors of a manager.
pub trait HandleError<E>: fmt::Debug + Send + Sync + 'static {
    /// A connect, a customizer or a test failed.
    fn handle_error(&self, error: E);
}

/// Listens to no error.
#[derive(Clone, Copy, Debug)]
pub struct NopErrorHandler;

impl<E> HandleError<E> for NopErrorHandler {
    fn handle_error(&self, _: E) {}
}

/// Logs each error, at the level `error`.
#[derive(Clone, Copy, Debug)]
pub struct LoggingErrorHandler;

impl<E: error::Error> HandleError<E> for LoggingErrorHandler {
    fn handle_error(&self, error: E) {
        log::error!("{error}");
    }
}

/// Prepares connections, and takes them at their end.
pub trait CustomizeConnection<C, E>: fmt::Debug + Send + Sync + 'static {
    /// A connection was opened; nobody had it yet. May block. Does nothing unless implemented.
    ///
    /// # Errors
    ///
    /// The connection is dropped, and another one opened.
    fn on_acquire(&self, conn: &mut C) -> Result<(), E> {
        let _as_it_is = conn;
        Ok(())
    }

    /// A connection has left the pool, broken or not. Drops it unless implemented.
    fn on_release(&self, conn: C) {
        drop(conn);
    }
}

/// Leaves connections as they are.
#[derive(Clone, Copy, Debug)]
pub struct NopConnectionCustomizer;

impl<C, E> CustomizeConnection<C, E> for NopConnectionCustomizer {}
