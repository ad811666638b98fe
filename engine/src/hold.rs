use std::fmt;

use everpool_core::{
    Connector, Detached, Fault, Info, Threads, blocking::Lease, machine::Generation,
};

/// The driver's connection that a Connection has.
pub(crate) enum Hold<K: Connector> {
    /// It returns to the pool. → Detached
    Leased(Lease<K>),
    /// It has left the pool.
    Detached(Detached<K, Threads>, Generation),
}

impl<K: Connector> Hold<K> {
    pub(crate) fn connection(&mut self) -> &mut K::Connection {
        match self {
            Self::Leased(lease) => lease,
            Self::Detached(detached, _) => detached,
        }
    }

    pub(crate) fn generation(&self) -> Generation {
        match self {
            Self::Leased(lease) => lease.generation(),
            Self::Detached(_, generation) => *generation,
        }
    }

    pub(crate) fn info(&mut self) -> &mut Info {
        match self {
            Self::Leased(lease) => lease.info(),
            Self::Detached(detached, _) => detached.info(),
        }
    }

    pub(crate) fn detached(self) -> Self {
        match self {
            Self::Leased(lease) => {
                let generation = lease.generation();
                Self::Detached(lease.detach(), generation)
            }
            detached => detached,
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

impl<K: Connector> fmt::Debug for Hold<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leased(lease) => lease.fmt(f),
            Self::Detached(..) => f.write_str("Detached"),
        }
    }
}
