use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Instant,
};

use everpool_core::{Fault, Generation, blocking::Lease};

use crate::{Extensions, ManageConnection, Pool, connector::Connector};

/// A connection that returns to its pool when this is dropped, unless its manager calls it broken
/// then ([`ManageConnection::has_broken`]): then it is released by this thread.
pub struct PooledConnection<M: ManageConnection> {
    lease: Lease<Connector<M>>,
    /// After the lease: a pool outlives its connections.
    pool: Pool<M>,
}

impl<M: ManageConnection> PooledConnection<M> {
    #[inline]
    pub(crate) fn new(pool: &Pool<M>, mut lease: Lease<Connector<M>>) -> Self {
        if pool.config().is_watched {
            lease.lent = Some(Instant::now());
        }
        let pool = pool.clone();
        Self { lease, pool }
    }

    pub(crate) fn id(&self) -> u64 {
        self.lease.id
    }

    /// What is kept beside this connection.
    pub fn extensions(this: &Self) -> &Extensions {
        &this.lease.extensions
    }

    /// What is kept beside this connection, to be changed.
    pub fn extensions_mut(this: &mut Self) -> &mut Extensions {
        &mut this.lease.extensions
    }

    /// Says that this connection is lost (r2d2 has nothing like this): it is not lent again, whatever
    /// its manager says of it. With [`Fault::Server`] all of its generation are replaced, at once if
    /// they are idle; with [`Fault::Statement`] nothing happens. Does not block.
    pub fn invalidate(this: &mut Self, fault: Fault) {
        let (_, verdict) = Self::in_use(this);
        verdict.is(fault);
    }

    /// The connection, and beside it what is to be told if a call of it fails, for a driver whose
    /// answers borrow the connection (r2d2 has nothing like this).
    pub fn in_use(this: &mut Self) -> (&mut M::Connection, Verdict<'_, M>) {
        let generation = this.lease.generation();
        let (connection, is_lost) = this.lease.parts();
        let verdict = Verdict {
            pool: &this.pool,
            generation,
            is_lost,
        };
        (connection, verdict)
    }
}

/// Whose fault the failure of a call was. Dropped, it says that there was none.
pub struct Verdict<'a, M: ManageConnection> {
    pool: &'a Pool<M>,
    generation: Generation,
    is_lost: &'a mut bool,
}

impl<M: ManageConnection> Verdict<'_, M> {
    /// As [`PooledConnection::invalidate`].
    pub fn is(self, fault: Fault) {
        *self.is_lost |= fault.is_disconnect();
        if fault == Fault::Server {
            self.pool.everpool().suspect(self.generation);
        }
    }
}

impl<M: ManageConnection> fmt::Debug for Verdict<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdict")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl<M: ManageConnection> Deref for PooledConnection<M> {
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        &self.lease
    }
}

impl<M: ManageConnection> DerefMut for PooledConnection<M> {
    fn deref_mut(&mut self) -> &mut M::Connection {
        &mut self.lease
    }
}

impl<M: ManageConnection> fmt::Debug for PooledConnection<M>
where
    M::Connection: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
