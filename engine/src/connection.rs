//! The Connection, but for what waits: that is `blocking` and `future`.

use std::{fmt, ops::Deref, panic::Location};

#[cfg(feature = "tokio")]
use everpool_core::BoxFuture;
use everpool_core::{
    Connector, Detached, Fault, Handle, HookError, Info, Runtime, Threads, blocking::Lease,
};

use crate::{
    error::DetachError,
    hold::Hold,
    sight::{Observer, Sight},
    state::{self, Next, PendingRollback},
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
///
/// `P` is the pool of one of the two faces.
pub struct Connection<K: Connector, P, R: Runtime> {
    pool: P,
    /// Where in the program it was made.
    place: &'static Location<'static>,
    current: Option<Current<K, R>>,
    /// An operation is under way. If it is still set when there is none, the operation was abandoned
    /// by a panic, and nobody knows what the connection would answer next.
    busy: bool,
}

struct Current<K: Connector, R: Runtime> {
    hold: Hold<K, R>,
    sight: Sight<K, R>,
}

impl<K, P, R> Connection<K, P, R>
where
    K: Connector,
    P: Deref<Target = Handle<K, R>>,
    R: Runtime,
{
    /// A Connection that has none yet. Does not block. Whoever calls this is told to be who has the
    /// connections that it takes.
    #[track_caller]
    pub fn new(pool: P) -> Self {
        Self {
            pool,
            place: Location::caller(),
            current: None,
            busy: false,
        }
    }

    /// Whether a checkout comes before the next operation. `depth` says how many levels of transaction
    /// are open, on the connection or on the one that was lost.
    #[inline]
    pub(crate) fn next(&self, depth: u32) -> Result<Next, PendingRollback> {
        state::next(self.current.is_some(), depth)
    }

    /// What a checkout gave.
    pub(crate) fn connected(&mut self, lease: Lease<K, R>) {
        self.current = Some(Current {
            sight: Sight::new(lease.generation()),
            hold: Hold::Leased(lease),
        });
    }

    /// The connection for an operation, if there is one.
    #[inline]
    pub(crate) fn start(&mut self) -> Option<InUse<'_, K, R>> {
        let Current { hold, sight } = self.current.as_mut()?;
        let (pool, busy) = (&*self.pool, &mut self.busy);
        *busy = true;
        Some((hold.connection(), Operation { pool, sight, busy }))
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

    /// As [`at_return`](Self::at_return), for what talks to an async driver.
    #[cfg(feature = "tokio")]
    pub fn at_return_async<F>(&mut self, undo: F)
    where
        F: for<'a> FnOnce(&'a mut K::Connection) -> BoxFuture<'a, Result<(), HookError>>
            + Send
            + 'static,
    {
        self.settle();
        if let Some(Current { hold, .. }) = &mut self.current {
            hold.at_return_async(undo);
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
        let Current { hold, sight } = self.current.take().ok_or(DetachError)?;
        self.current = Some(Current {
            hold: hold.detached(),
            sight,
        });
        Ok(())
    }

    /// The connection that has left the pool, for whoever keeps it.
    pub fn take_detached(&mut self) -> Option<Detached<K, R>> {
        self.settle();
        self.current.take()?.hold.into_detached()
    }

    /// The driver's connection, whose place in the pool stays taken for ever.
    pub fn take_leaked(&mut self) -> Option<K::Connection> {
        self.settle();
        Some(self.current.take()?.hold.into_leaked())
    }

    /// Has the connection closed, and not lent again, when it returns. It is used on until then. Does
    /// not block.
    pub fn invalidate_soft(&mut self) {
        self.settle();
        if let Some(Current { hold, .. }) = &mut self.current {
            hold.invalidate_soft();
        }
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

    /// Returns the connection to the pool. May block for the ROLLBACK of what is open.
    pub fn release(&mut self) {
        self.settle();
        self.current = None;
    }

    /// Takes its connections from another pool, from now on. Returns the one that it has first, so it may
    /// block as [`release`](Self::release) does.
    pub fn turn_to(&mut self, pool: P) {
        self.release();
        self.pool = pool;
    }

    /// An error was seen on the connection. On a disconnect it counts as lost from now on, and the pool is
    /// recreated, once per outage.
    pub fn saw(&mut self, fault: Fault) {
        if let Some(Current { sight, .. }) = &mut self.current {
            sight.saw(fault, &self.pool);
        }
    }

    /// Whoever asks for the connection stands there, and not where this was made.
    pub fn is_asked_for_at(&mut self, place: &'static Location<'static>) {
        self.place = place;
    }

    pub(crate) fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Whether an [`Observer`] saw a conflict on this connection since it was asked last. Does not block.
    pub fn take_conflict(&mut self) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| current.sight.take_conflict())
    }

    /// The pool this takes its connections from.
    pub fn pool(&self) -> &P {
        &self.pool
    }
}

impl<K: Connector, P, R: Runtime> Connection<K, P, R> {
    /// The driver's connection, as [`settle`](Self::settle) left it. Does not block.
    #[inline]
    pub fn settled(&mut self) -> Option<&mut K::Connection> {
        let current = self.current.as_mut();
        current.map(|current| current.hold.connection())
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
        let is_lost = current.is_some_and(|current| abandoned || current.sight.is_lost());
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
}

impl<K: Connector, P, R: Runtime> Drop for Connection<K, P, R> {
    fn drop(&mut self) {
        self.settle();
    }
}

impl<K: Connector, P, R: Runtime> fmt::Debug for Connection<K, P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("hold", &self.current.as_ref().map(|current| &current.hold))
            .finish_non_exhaustive()
    }
}

/// A driver's connection for one operation, and what must be told the operation's end.
pub type InUse<'a, K, R = Threads> = (&'a mut <K as Connector>::Connection, Operation<'a, K, R>);

/// One statement under way. It must be told the end, or the connection counts as abandoned.
#[must_use = "an operation that is not finished costs the connection"]
pub struct Operation<'a, K: Connector, R: Runtime = Threads> {
    pool: &'a Handle<K, R>,
    sight: &'a mut Sight<K, R>,
    busy: &'a mut bool,
}

impl<'a, K: Connector, R: Runtime> Operation<'a, K, R> {
    /// The driver gave its answer, with a fault if it was an error. On a disconnect the connection
    /// counts as lost from now on, and the pool is recreated, once per outage.
    #[inline]
    pub fn finished(self, fault: Option<Fault>) {
        *self.busy = false;
        if let Some(fault) = fault {
            self.sight.saw(fault, self.pool);
        }
    }

    /// Something that sees errors after the operation is finished: while rows are fetched.
    #[inline]
    pub fn observer(&mut self) -> Observer<K, R> {
        self.sight.observer(self.pool)
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Operation<'_, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}
