//! The runtimes in which a pool's connections live.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    runtime::Runtime,
    sync::{AtomicBool, Lock, Ordering},
};

/// A runtime in which connections were opened.
#[derive(Debug)]
pub(crate) struct Home<R> {
    pub(crate) runtime: R,
    is_over: AtomicBool,
    sentinel: Lock<Option<Waker>>,
}

impl<R> Home<R> {
    /// Is ready when this home is over: then nothing of the pool's is left in the runtime.
    pub(crate) fn is_left(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut waker = Some(context.waker().clone());
        std::mem::swap(&mut *self.sentinel.lock(), &mut waker);
        // Not before: then whoever ends it in between would find no waker.
        if self.is_over() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Its runtime has dropped a task.
    pub(crate) fn ends(&self) {
        self.is_over.store(true, Ordering::Release);
        let sentinel = self.sentinel.lock().take();
        sentinel.into_iter().for_each(Waker::wake);
    }
}

/// Those that are not over; the one used last is the last.
#[derive(Debug)]
pub(crate) struct Homes<R> {
    prototype: R,
    known: Lock<Vec<Arc<Home<R>>>>,
}

/// A home, and whether it is new.
pub(crate) type Found<R> = (Arc<Home<R>>, bool);

impl<R: Runtime> Homes<R> {
    pub(crate) fn new(prototype: R) -> Self {
        Self {
            prototype,
            known: Lock::default(),
        }
    }

    pub(crate) fn prototype(&self) -> &R {
        &self.prototype
    }

    /// The one that was used last.
    pub(crate) fn last(&self) -> Option<Arc<Home<R>>> {
        let known = self.known.lock();
        let mut newest_first = known.iter().rev();
        newest_first.find(|home| !home.is_over()).map(Arc::clone)
    }

    /// Whether the caller is in the runtime that was used last, or in none.
    pub(crate) fn is_last_here(&self) -> bool {
        let Some(current) = self.prototype.current() else {
            return true;
        };
        let known = self.known.lock();
        let last = known.last();
        last.is_some_and(|home| !home.is_over() && home.runtime.is_same(&current))
    }

    /// The caller's runtime; if it is in none, the one that was used last.
    pub(crate) fn here(&self) -> Option<Found<R>> {
        let current = self.prototype.current();
        let mut known = self.known.lock();
        known.retain(|home| !home.is_over());
        let Some(runtime) = current else {
            return known.last().map(|home| (Arc::clone(home), false));
        };
        let same = known.iter().position(|home| home.runtime.is_same(&runtime));
        let home = match same {
            Some(at) => known.remove(at),
            None => Arc::new(Home {
                runtime,
                is_over: AtomicBool::new(false),
                sentinel: Lock::default(),
            }),
        };
        known.push(Arc::clone(&home));
        Some((home, same.is_none()))
    }

    /// The pool is gone.
    pub(crate) fn leave(&self) {
        let known = std::mem::take(&mut *self.known.lock());
        known.iter().for_each(|home| home.ends());
    }
}
