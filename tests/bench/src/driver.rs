//! The driver that all pools but SQLx's are given: its connections are numbers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Opens numbers, and counts them. A clone counts into the same numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Driver {
    delay: Duration,
    count: Arc<Count>,
}

#[derive(Debug, Default)]
struct Count {
    begun: AtomicU64,
    opened: AtomicU64,
}

impl Driver {
    /// One whose connects take `delay`.
    pub(crate) fn slow(delay: Duration) -> Self {
        Self {
            delay,
            ..Self::default()
        }
    }

    /// Opens a connection at once, for pools for threads.
    pub(crate) fn open_at_once(&self) -> u64 {
        self.count.begun.fetch_add(1, Relaxed);
        self.count.opened.fetch_add(1, Relaxed)
    }

    pub(crate) async fn open(&self) -> u64 {
        self.count.begun.fetch_add(1, Relaxed);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.count.opened.fetch_add(1, Relaxed)
    }

    /// Connects that were begun, including those that were given up.
    pub(crate) fn begun(&self) -> u64 {
        self.count.begun.load(Relaxed)
    }

    /// Connects that were carried through.
    pub(crate) fn opened(&self) -> u64 {
        self.count.opened.load(Relaxed)
    }
}
