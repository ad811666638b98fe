use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use everpool_core::{Connector, Fault, Handle, Runtime, Threads, machine::Generation};

/// What was seen of one connection.
pub(crate) struct Sight<K: Connector, R: Runtime> {
    generation: Generation,
    /// An operation saw that the connection is lost.
    is_lost: bool,
    /// Who sees errors besides; most connections are returned before anybody asks for one.
    observer: Option<Observer<K, R>>,
}

impl<K: Connector, R: Runtime> Sight<K, R> {
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            generation,
            is_lost: false,
            observer: None,
        }
    }

    #[cold]
    pub(crate) fn saw(&mut self, fault: Fault, pool: &Handle<K, R>) {
        self.is_lost |= fault.is_disconnect();
        if fault == Fault::Server {
            pool.suspect(self.generation);
        }
    }

    #[inline]
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost || self.observer.as_ref().is_some_and(Observer::is_lost)
    }

    /// Whether a cursor met a conflict since this was asked last.
    pub(crate) fn take_conflict(&self) -> bool {
        let observer = self.observer.as_ref();
        observer.is_some_and(Observer::take_conflict)
    }

    #[inline]
    pub(crate) fn observer(&mut self, pool: &Handle<K, R>) -> Observer<K, R> {
        let new = || Observer::new(pool.clone(), self.generation);
        self.observer.get_or_insert_with(new).clone()
    }
}

/// Sees the errors of one connection, also after the statement that they belong to.
pub struct Observer<K: Connector, R: Runtime = Threads>(Arc<Witness<K, R>>);

struct Witness<K: Connector, R: Runtime> {
    pool: Handle<K, R>,
    generation: Generation,
    /// A cursor that has outlived its operation saw that the connection is lost.
    lost: AtomicBool,
    /// It met a conflict with another transaction.
    conflict: AtomicBool,
}

impl<K: Connector, R: Runtime> Observer<K, R> {
    fn new(pool: Handle<K, R>, generation: Generation) -> Self {
        Self(Arc::new(Witness {
            pool,
            generation,
            lost: AtomicBool::new(false),
            conflict: AtomicBool::new(false),
        }))
    }

    /// What opened the connection.
    pub fn connector(&self) -> &K {
        self.0.pool.connector()
    }

    /// An error was seen. As [`Operation::finished`](crate::connection::Operation::finished).
    #[cold]
    pub fn saw(&self, fault: Fault) {
        if fault.is_disconnect() {
            self.0.lost.store(true, Ordering::Release);
        }
        if fault == Fault::Server {
            self.0.pool.suspect(self.0.generation);
        }
    }

    /// The error is a conflict with another transaction:
    /// [`take_conflict`](crate::connection::Connection::take_conflict) tells of it.
    #[cold]
    pub fn saw_conflict(&self) {
        self.0.conflict.store(true, Ordering::Release);
    }

    #[inline]
    fn take_conflict(&self) -> bool {
        let conflict = &self.0.conflict;
        conflict.load(Ordering::Acquire) && conflict.swap(false, Ordering::AcqRel)
    }

    #[inline]
    fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

impl<K: Connector, R: Runtime> Clone for Observer<K, R> {
    #[inline]
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Observer<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("generation", &self.0.generation)
            .finish_non_exhaustive()
    }
}
