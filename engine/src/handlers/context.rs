use std::{error::Error, fmt};

use super::Replacement;
use crate::{Backend, fault::Fault};

/// Where an error came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin<'a> {
    /// While a connection was opened.
    Connect,
    /// While an idle connection was asked for a sign of life, before it is lent.
    PrePing,
    /// While a statement was prepared or executed, or its rows fetched; BEGIN, COMMIT and ROLLBACK
    /// too. Its text, where the driver shows it.
    Execution(Option<&'a str>),
}

/// An error, with all that a handler may want to know of it and the two things that it may change.
/// SQLAlchemy's `ExceptionContext`.
pub struct ErrorContext<'a, E> {
    original: &'a E,
    backend: Backend,
    origin: Origin<'a>,
    pub(super) chained: Option<Replacement>,
    pub(super) flags: Flags,
}

#[derive(Clone, Copy)]
pub(super) struct Flags {
    disconnect: bool,
    invalidate_pool: bool,
}

impl<'a, E> ErrorContext<'a, E> {
    /// `fault` is what the tables of [`fault`](crate::fault) say of it.
    pub(super) fn new(original: &'a E, backend: Backend, origin: Origin<'a>, fault: Fault) -> Self {
        Self {
            original,
            backend,
            origin,
            chained: None,
            flags: Flags {
                disconnect: fault.is_disconnect(),
                // True for what is no disconnect, as in SQLAlchemy: a handler that makes it one
                // means all connections, unless it says more.
                invalidate_pool: fault != Fault::Connection,
            },
        }
    }

    /// The driver's error.
    pub fn original(&self) -> &'a E {
        self.original
    }

    /// The database.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Where it came up.
    pub fn origin(&self) -> Origin<'a> {
        self.origin
    }

    /// The text of the statement, if there was one and the driver shows it.
    pub fn statement(&self) -> Option<&'a str> {
        match self.origin {
            Origin::Execution(statement) => statement,
            Origin::Connect | Origin::PrePing => None,
        }
    }

    /// Whether it came up in a ping before a checkout.
    pub fn is_pre_ping(&self) -> bool {
        self.origin == Origin::PrePing
    }

    /// Whether it came up while a connection was opened.
    pub fn is_connect(&self) -> bool {
        self.origin == Origin::Connect
    }

    /// What the last handler before this one wants told instead, if any did.
    pub fn chained(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.chained.as_deref()
    }

    /// Whether the connection counts as lost.
    pub fn is_disconnect(&self) -> bool {
        self.flags.disconnect
    }

    /// Decides whether the connection counts as lost.
    pub fn set_disconnect(&mut self, disconnect: bool) {
        self.flags.disconnect = disconnect;
    }

    /// Whether, if the connection is lost, all others in the pool count as lost too.
    pub fn invalidate_pool_on_disconnect(&self) -> bool {
        self.flags.invalidate_pool
    }

    /// Decides whether, if the connection is lost, all others in the pool count as lost too.
    pub fn set_invalidate_pool_on_disconnect(&mut self, invalidate: bool) {
        self.flags.invalidate_pool = invalidate;
    }

    pub(super) fn fault(&self) -> Fault {
        if !self.flags.disconnect {
            Fault::Statement
        } else if self.flags.invalidate_pool {
            Fault::Server
        } else {
            Fault::Connection
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for ErrorContext<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorContext")
            .field("original", &self.original)
            .field("backend", &self.backend)
            .field("origin", &self.origin)
            .field("chained", &self.chained)
            .field("is_disconnect", &self.flags.disconnect)
            .field("invalidate_pool_on_disconnect", &self.flags.invalidate_pool)
            .finish()
    }
}
