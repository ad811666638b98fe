use std::{
    fmt,
    ops::{Deref, DerefMut},
    process,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use crate::Extensions;

/// Counts the connections of all pools of this process.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// A manager's connection, and what is kept beside it.
pub struct Managed<C> {
    /// Gone once it was released by whoever returned it.
    connection: Option<C>,
    pub(crate) extensions: Extensions,
    pub(crate) id: u64,
    pub(crate) birth: Instant,
    /// The process that opened it. A forked child has a copy, which it must not close.
    process: u32,
    /// Since when somebody has it, if anybody wants to know.
    pub(crate) lent: Option<Instant>,
    /// Whoever has it says that it is lost.
    pub(crate) is_lost: bool,
}

const PRESENT: &str = "what is released is not lent again";

impl<C> Managed<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self {
            connection: Some(connection),
            extensions: Extensions::new(),
            id: OPENED.fetch_add(1, Ordering::Relaxed) as u64,
            birth: Instant::now(),
            process: process::id(),
            lent: None,
            is_lost: false,
        }
    }

    /// The number of this connection, as its events tell it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether it is this process's to close.
    pub(crate) fn is_own(&self) -> bool {
        self.process == process::id()
    }

    /// The connection, and whether it is lost.
    pub(crate) fn parts(&mut self) -> (&mut C, &mut bool) {
        let connection = self.connection.as_mut().expect(PRESENT);
        (connection, &mut self.is_lost)
    }

    /// Nothing, if it was released before.
    pub(crate) fn take(&mut self) -> Option<C> {
        self.connection.take()
    }
}

impl<C> Deref for Managed<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect(PRESENT)
    }
}

impl<C> DerefMut for Managed<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect(PRESENT)
    }
}

impl<C: fmt::Debug> fmt::Debug for Managed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Managed")
            .field("id", &self.id)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
