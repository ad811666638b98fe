use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{ScopeKey, places::Places};

/// The places of one `ScopedSession` behind their lock, under which nothing of the program's runs but its keys'
/// `Eq` and `Hash`.
pub(super) struct Registry<K, S> {
    id: u64,
    places: Mutex<Places<K, S>>,
}

impl<K: ScopeKey, S> Registry<K, S> {
    pub(super) fn new() -> Self {
        Self {
            id: next_number(),
            places: Mutex::new(Places::new()),
        }
    }

    /// No other has it or had it.
    #[cfg(feature = "tokio")]
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn places(&self) -> MutexGuard<'_, Places<K, S>> {
        // Each method leaves the places as they are or as they shall be, whatever a key does.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, S> fmt::Debug for Registry<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// One that was never given before.
pub(super) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
