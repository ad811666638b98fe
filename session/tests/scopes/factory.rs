//! Sessions that are counted.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, ThreadId},
};

use everpool_session::{
    SessionError,
    scope::{ScopeError, SessionFactory},
};

#[derive(Clone, Default)]
pub(crate) struct Factory {
    made: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    /// The drop of a session panics.
    is_bad: bool,
}

pub(crate) struct Numbered {
    /// The first one is 1.
    pub(crate) number: usize,
    factory: Factory,
    pub(crate) made_in: ThreadId,
}

impl Factory {
    /// Whose sessions panic when they are dropped.
    pub(crate) fn bad() -> Self {
        Self {
            is_bad: true,
            ..Self::default()
        }
    }

    /// How many sessions are there.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

impl SessionFactory for Factory {
    type Session = Numbered;
    type Error = io::Error;

    fn make(&self) -> Numbered {
        self.open.fetch_add(1, Ordering::SeqCst);
        Numbered {
            number: self.made.fetch_add(1, Ordering::SeqCst) + 1,
            factory: self.clone(),
            made_in: thread::current().id(),
        }
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        self.factory.open.fetch_sub(1, Ordering::SeqCst);
        assert!(!self.factory.is_bad, "this session does not go well");
    }
}

pub(crate) fn refused<T>(result: Result<T, SessionError<io::Error>>) -> ScopeError {
    match result {
        Err(SessionError::Scope(error)) => error,
        Err(other) => panic!("refused otherwise: {other}"),
        Ok(_) => panic!("not refused"),
    }
}
