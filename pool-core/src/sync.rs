//! What threads share, in one place, so that a model checker can take its place.

#[cfg(not(loom))]
pub(crate) use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

#[cfg(loom)]
pub(crate) use loom::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

#[cfg(loom)]
use loom::sync as locks;
#[cfg(not(loom))]
use parking_lot as locks;

pub(crate) use locks::MutexGuard as Guard;

/// A lock that a panic does not poison.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(locks::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(locks::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        #[cfg(loom)]
        return self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        #[cfg(not(loom))]
        self.0.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        #[cfg(loom)]
        return self.0.try_lock().ok();
        #[cfg(not(loom))]
        self.0.try_lock()
    }
}

#[cfg(not(loom))]
impl<T> Lock<T> {
    /// Without a lock: nobody else has it.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }
}
