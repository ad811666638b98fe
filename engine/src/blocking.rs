//! The Connection, for threads.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use everpool_core::{
    CheckoutError, Connector, Fault, HookError, Info, blocking::Pool, machine::Generation,
};

use crate::{
    error::{ConnectionError, DetachError},
    hold::Hold,
    state::{self, Next},
};

/// A connection that outlives the driver's: it is lent one by the pool, and after that was lost it
/// is lent another, as soon as no transaction stands in the way.
///
/// ```text
///                 operate            failed(disconnect)
///  no connection ────────► connected ──────────────────► lost
///        ▲                                                 │ settle
///        └─────────────────────────────────────────────────┘
/// ```
pub struct Connection<K: Connector> {
    pool: Pool<K>,
    hold: Option<Hold<K>>,
    /// Set by whoever saw that this connection is lost: an operation, or a cursor that has
    /// outlived one. Each connection has its own.
    lost: Arc<AtomicBool>,
    /// An operation is under way. If it is still set when there is none, the operation was abandoned
    /// by a panic, and nobody knows what the connection would answer next.
    busy: bool,
}

impl<K: Connector> Connection<K> {
    /// A Connection that has none yet. Does not block.
    pub fn new(pool: Pool<K>) -> Self {
        Self {
            pool,
            hold: None,
            lost: Arc::default(),
            busy: false,
        }
    }

    /// Takes a connection from the pool, unless there is one; blocks for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Those of [`Pool::checkout_timeout`].
    pub fn checkout(&mut self, timeout: Duration) -> Result<(), CheckoutError<K::Error>> {
        self.settle();
        if self.hold.is_none() {
            self.hold = Some(Hold::Leased(self.pool.checkout_timeout(timeout)?));
            self.lost = Arc::default();
        }
        Ok(())
    }

    /// The driver's connection, for one operation. `depth` says how many levels of transaction are
    /// open, on it or on the one that was lost. Blocks if a connection must be taken.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::PendingRollback`] if there is none, and a transaction was open on the last.
    pub fn operate(&mut self, depth: u32) -> Result<InUse<'_, K>, ConnectionError<K::Error>> {
        self.settle();
        if state::next(self.hold.is_some(), depth)? == Next::Checkout {
            self.checkout(self.pool.timeout())?;
        }
        let Self {
            pool,
            hold,
            lost,
            busy,
        } = self;
        let hold = hold.as_mut().expect("`next` says Use only if there is one");
        let witness = Witness {
            pool,
            generation: hold.generation(),
            lost,
        };
        *busy = true;
        Ok((hold.connection(), Operation { witness, busy }))
    }

    /// The driver's connection, if there is one and nothing is known against it. Does not block.
    pub fn current(&mut self) -> Option<&mut K::Connection> {
        self.settle();
        self.hold.as_mut().map(Hold::connection)
    }

    /// What is kept beside the connection, if there is one; it is gone when the connection is.
    pub fn info(&mut self) -> Option<&mut Info> {
        self.settle();
        self.hold.as_mut().map(Hold::info)
    }

    /// Has something done with the connection on its return to the pool, before anybody else gets it;
    /// see [`Lease::at_return`](everpool_core::blocking::Lease::at_return). Nothing, if there is none
    /// or it is detached.
    pub fn at_return<F>(&mut self, undo: F)
    where
        F: FnOnce(&mut K::Connection) -> Result<(), HookError> + Send + 'static,
    {
        self.settle();
        if let Some(Hold::Leased(lease)) = &mut self.hold {
            lease.at_return(undo);
        }
    }

    /// Takes the connection out of the pool for good; it is used on, and closed at the end. Its place
    /// in the pool is free at once. Does not block.
    ///
    /// # Errors
    ///
    /// That there is none to detach.
    pub fn detach(&mut self) -> Result<(), DetachError> {
        self.settle();
        let hold = self.hold.take().ok_or(DetachError)?;
        self.hold = Some(hold.detached());
        Ok(())
    }

    /// Whether the connection has left the pool.
    pub fn is_detached(&self) -> bool {
        matches!(self.hold, Some(Hold::Detached(..)))
    }

    /// Whether there is a connection, and nothing is known against it.
    pub fn is_connected(&mut self) -> bool {
        self.settle();
        self.hold.is_some()
    }

    /// Lets a lost connection go, so that the next user of its slot need not wait for this one.
    /// True if there was one.
    pub fn settle(&mut self) -> bool {
        let abandoned = std::mem::take(&mut self.busy);
        if !abandoned && !self.lost.load(Ordering::Acquire) {
            return false;
        }
        self.invalidate()
    }

    /// Lets the connection go as one that is not to be lent again. Does not block.
    pub fn invalidate(&mut self) -> bool {
        self.lost = Arc::default();
        let hold = self.hold.take();
        hold.map(Hold::invalidate).is_some()
    }

    /// Returns the connection to the pool. May block for the ROLLBACK of what is open.
    pub fn release(&mut self) {
        self.settle();
        self.hold = None;
    }

    /// The pool this takes its connections from.
    pub fn pool(&self) -> &Pool<K> {
        &self.pool
    }
}

impl<K: Connector> Drop for Connection<K> {
    fn drop(&mut self) {
        self.settle();
    }
}

impl<K: Connector> fmt::Debug for Connection<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

/// A driver's connection for one operation, and what must be told the operation's end.
pub type InUse<'a, K> = (&'a mut <K as Connector>::Connection, Operation<'a, K>);

struct Witness<'a, K: Connector> {
    pool: &'a Pool<K>,
    generation: Generation,
    lost: &'a Arc<AtomicBool>,
}

/// One statement under way. It must be told the end, or the connection counts as abandoned.
#[must_use = "an operation that is not finished costs the connection"]
pub struct Operation<'a, K: Connector> {
    witness: Witness<'a, K>,
    busy: &'a mut bool,
}

impl<'a, K: Connector> Operation<'a, K> {
    /// The driver gave its answer, with a fault if it was an error. On a disconnect the connection
    /// counts as lost from now on, and the pool is recreated, once per outage.
    pub fn finished(self, fault: Option<Fault>) {
        *self.busy = false;
        if let Some(fault) = fault {
            observe(
                self.witness.pool,
                self.witness.generation,
                self.witness.lost,
                fault,
            );
        }
    }

    /// Something that sees errors after the operation is finished: while rows are fetched.
    pub fn observer(&self) -> Observer<K> {
        let Witness {
            pool,
            generation,
            lost,
        } = &self.witness;
        Observer {
            pool: Pool::clone(pool),
            generation: *generation,
            lost: Arc::clone(lost),
        }
    }
}

impl<K: Connector> fmt::Debug for Operation<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}

/// Sees the errors of one connection after the statement that they belong to.
pub struct Observer<K: Connector> {
    pool: Pool<K>,
    generation: Generation,
    lost: Arc<AtomicBool>,
}

impl<K: Connector> Observer<K> {
    /// An error was seen. As [`Operation::finished`].
    pub fn saw(&self, fault: Fault) {
        observe(&self.pool, self.generation, &self.lost, fault);
    }
}

impl<K: Connector> fmt::Debug for Observer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

fn observe<K: Connector>(pool: &Pool<K>, generation: Generation, lost: &AtomicBool, fault: Fault) {
    if fault.is_disconnect() {
        lost.store(true, Ordering::Release);
    }
    if fault == Fault::Server {
        pool.suspect(generation);
    }
}
