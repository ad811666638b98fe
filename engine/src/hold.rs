use std::fmt;

#[cfg(feature = "tokio")]
use everpool_core::BoxFuture;
use everpool_core::{Connector, Detached, Fault, HookError, Info, Runtime, blocking::Lease};

/// The driver's connection that a Connection has.
pub(crate) enum Hold<K: Connector, R: Runtime> {
    /// It returns to the pool. → Detached
    Leased(Lease<K, R>),
    /// It has left the pool.
    Detached(Detached<K, R>),
}

impl<K: Connector, R: Runtime> Hold<K, R> {
    #[inline]
    pub(crate) fn connection(&mut self) -> &mut K::Connection {
        match self {
            Self::Leased(lease) => lease,
            Self::Detached(detached) => detached,
        }
    }

    pub(crate) fn peek(&self) -> &K::Connection {
        match self {
            Self::Leased(lease) => lease,
            Self::Detached(detached) => detached,
        }
    }

    pub(crate) fn info(&mut self) -> &mut Info {
        match self {
            Self::Leased(lease) => lease.info(),
            Self::Detached(detached) => detached.info(),
        }
    }

    /// Nothing, for one that does not return.
    pub(crate) fn at_return<F>(&mut self, undo: F)
    where
        F: FnOnce(&mut K::Connection) -> Result<(), HookError> + Send + 'static,
    {
        if let Self::Leased(lease) = self {
            lease.at_return(undo);
        }
    }

    /// As [`at_return`](Self::at_return), for what talks to an async driver.
    #[cfg(feature = "tokio")]
    pub(crate) fn at_return_async<F>(&mut self, undo: F)
    where
        F: for<'a> FnOnce(&'a mut K::Connection) -> BoxFuture<'a, Result<(), HookError>>
            + Send
            + 'static,
    {
        if let Self::Leased(lease) = self {
            lease.at_return_async(undo);
        }
    }

    pub(crate) fn is_detached(&self) -> bool {
        matches!(self, Self::Detached(..))
    }

    pub(crate) fn detached(self) -> Self {
        match self {
            Self::Leased(lease) => Self::Detached(lease.detach()),
            detached => detached,
        }
    }

    pub(crate) fn into_detached(self) -> Option<Detached<K, R>> {
        match self {
            Self::Detached(detached) => Some(detached),
            Self::Leased(_) => None,
        }
    }

    /// The driver's connection; if it was leased, its place in the pool stays taken.
    pub(crate) fn into_leaked(self) -> K::Connection {
        match self {
            Self::Leased(lease) => lease.leak(),
            Self::Detached(detached) => detached.into_connection(),
        }
    }

    /// Has it replaced when it returns.
    pub(crate) fn invalidate_soft(&mut self) {
        match self {
            Self::Leased(lease) => lease.invalidate_soft(),
            // Whoever is detached does not return.
            Self::Detached(..) => {}
        }
    }

    /// Lets it go as one that is not to be lent again. The pool learned of a fault of the server's
    /// when it was seen.
    pub(crate) fn invalidate(self) {
        match self {
            Self::Leased(lease) => lease.invalidate(Fault::Connection),
            // Whoever is detached is not lent again.
            Self::Detached(..) => {}
        }
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Hold<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leased(lease) => lease.fmt(f),
            Self::Detached(..) => f.write_str("Detached"),
        }
    }
}
