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
    current: Option<Current<K>>,
    /// An operation is under way. If it is still set when there is none, the operation was abandoned
    /// by a panic, and nobody knows what the connection would answer next.
    busy: bool,
}

struct Current<K: Connector> {
    hold: Hold<K>,
    observer: Observer<K>,
}

impl<K: Connector> Connection<K> {
    /// A Connection that has none yet. Does not block.
    pub fn new(pool: Pool<K>) -> Self {
        Self {
            pool,
            current: None,
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
        if self.current.is_none() {
            let lease = self.pool.checkout_timeout(timeout)?;
            self.current = Some(Current {
                observer: Observer::new(self.pool.clone(), lease.generation()),
                hold: Hold::Leased(lease),
            });
        }
        Ok(())
    }

    /// The driver's connection, for one operation; called after [`settle`](Self::settle). `depth` says
    /// how many levels of transaction are open, on it or on the one that was lost. Blocks if a
    /// connection must be taken.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::PendingRollback`] if there is none, and a transaction was open on the last.
    #[inline]
    pub fn operate(&mut self, depth: u32) -> Result<InUse<'_, K>, ConnectionError<K::Error>> {
        if state::next(self.current.is_some(), depth)? == Next::Checkout {
            self.checkout(self.pool.timeout())?;
        }
        let Current { hold, observer } = self
            .current
            .as_mut()
            .expect("`next` says Use only if there is one");
        let busy = &mut self.busy;
        *busy = true;
        Ok((hold.connection(), Operation { observer, busy }))
    }

    /// The driver's connection, as [`settle`](Self::settle) left it. Does not block.
    #[inline]
    pub fn settled(&mut self) -> Option<&mut K::Connection> {
        self.current
            .as_mut()
            .map(|current| current.hold.connection())
    }

    /// The driver's connection, if there is one and nothing is known against it. Does not block.
    pub fn current(&mut self) -> Option<&mut K::Connection> {
        self.settle();
        self.settled()
    }

    /// The driver's connection, if there is one, to look at. Does not block.
    pub fn peek(&self) -> Option<&K::Connection> {
        self.current.as_ref().map(|current| current.hold.peek())
    }

    /// What is kept beside the connection, if there is one; it is gone when the connection is.
    pub fn info(&mut self) -> Option<&mut Info> {
        self.settle();
        self.current.as_mut().map(|current| current.hold.info())
    }

    /// Has something done with the connection on its return to the pool, before anybody else gets it;
    /// see [`Lease::at_return`](everpool_core::blocking::Lease::at_return). Nothing, if there is none
    /// or it is detached.
    pub fn at_return<F>(&mut self, undo: F)
    where
        F: FnOnce(&mut K::Connection) -> Result<(), HookError> + Send + 'static,
    {
        self.settle();
        if let Some(Current { hold, .. }) = &mut self.current {
            hold.at_return(undo);
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
        let Current { hold, observer } = self.current.take().ok_or(DetachError)?;
        self.current = Some(Current {
            hold: hold.detached(),
            observer,
        });
        Ok(())
    }

    /// Whether the connection has left the pool.
    pub fn is_detached(&self) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| current.hold.is_detached())
    }

    /// Whether there is a connection, and nothing is known against it.
    pub fn is_connected(&mut self) -> bool {
        self.settle();
        self.current.is_some()
    }

    /// Lets a lost connection go, so that the next user of its slot need not wait for this one.
    /// True if there was one.
    #[inline]
    pub fn settle(&mut self) -> bool {
        self.settle_after(|_| {})
    }

    /// As [`settle`](Self::settle); `last` takes from the lost connection what is to outlive it.
    #[inline]
    pub fn settle_after(&mut self, last: impl FnOnce(&mut K::Connection)) -> bool {
        let abandoned = std::mem::take(&mut self.busy);
        let current = self.current.as_ref();
        let is_lost = current.is_some_and(|current| abandoned || current.observer.is_lost());
        is_lost && self.give_up(last)
    }

    #[cold]
    fn give_up(&mut self, last: impl FnOnce(&mut K::Connection)) -> bool {
        self.settled().map(last);
        self.invalidate()
    }

    /// Lets the connection go as one that is not to be lent again. Does not block. True if there was
    /// one.
    pub fn invalidate(&mut self) -> bool {
        let current = self.current.take();
        current.map(|current| current.hold.invalidate()).is_some()
    }

    /// Returns the connection to the pool. May block for the ROLLBACK of what is open.
    pub fn release(&mut self) {
        self.settle();
        self.current = None;
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
            .field("hold", &self.current.as_ref().map(|current| &current.hold))
            .finish_non_exhaustive()
    }
}

/// A driver's connection for one operation, and what must be told the operation's end.
pub type InUse<'a, K> = (&'a mut <K as Connector>::Connection, Operation<'a, K>);

/// One statement under way. It must be told the end, or the connection counts as abandoned.
#[must_use = "an operation that is not finished costs the connection"]
pub struct Operation<'a, K: Connector> {
    observer: &'a Observer<K>,
    busy: &'a mut bool,
}

impl<'a, K: Connector> Operation<'a, K> {
    /// The driver gave its answer, with a fault if it was an error. On a disconnect the connection
    /// counts as lost from now on, and the pool is recreated, once per outage.
    #[inline]
    pub fn finished(self, fault: Option<Fault>) {
        *self.busy = false;
        if let Some(fault) = fault {
            self.observer.saw(fault);
        }
    }

    /// Something that sees errors after the operation is finished: while rows are fetched.
    #[inline]
    pub fn observer(&self) -> Observer<K> {
        self.observer.clone()
    }
}

impl<K: Connector> fmt::Debug for Operation<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}

/// Sees the errors of one connection, also after the statement that they belong to.
pub struct Observer<K: Connector>(Arc<Witness<K>>);

struct Witness<K: Connector> {
    pool: Pool<K>,
    generation: Generation,
    /// The connection is lost: an operation saw that, or a cursor that has outlived one.
    lost: AtomicBool,
}

impl<K: Connector> Observer<K> {
    fn new(pool: Pool<K>, generation: Generation) -> Self {
        Self(Arc::new(Witness {
            pool,
            generation,
            lost: AtomicBool::new(false),
        }))
    }

    /// What opened the connection.
    pub fn connector(&self) -> &K {
        self.0.pool.connector()
    }

    /// An error was seen. As [`Operation::finished`].
    #[cold]
    pub fn saw(&self, fault: Fault) {
        if fault.is_disconnect() {
            self.0.lost.store(true, Ordering::Release);
        }
        if fault == Fault::Server {
            self.0.pool.suspect(self.0.generation);
        }
    }

    #[inline]
    fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

impl<K: Connector> Clone for Observer<K> {
    #[inline]
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Connector> fmt::Debug for Observer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("generation", &self.0.generation)
            .finish_non_exhaustive()
    }
}
