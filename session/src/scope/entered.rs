use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use super::{ScopeError, ScopeKey, registry::Registry};

/// A scope, from [`ScopedSession::enter`](super::ScopedSession::enter), which is over when this is dropped. Its session
/// is rolled back then, and its connection returned, by whoever drops this; if it is in use, by who uses it.
#[must_use = "the scope is over when this is dropped"]
pub struct Entered<K: ScopeKey, S> {
    registry: Weak<Registry<K, S>>,
    key: K,
}

impl<K: ScopeKey, S> Entered<K, S> {
    pub(super) fn enter(registry: &Arc<Registry<K, S>>, key: K) -> Result<Self, ScopeError> {
        if !registry.places().enter(&key) {
            let key = format!("{key:?}");
            return Err(ScopeError::AlreadyEntered { key });
        }
        let registry = Arc::downgrade(registry);
        Ok(Self { registry, key })
    }

    /// Whether the `ScopedSession` is gone.
    pub(super) fn is_void(&self) -> bool {
        self.registry.strong_count() == 0
    }
}

impl<K: ScopeKey, S> Drop for Entered<K, S> {
    fn drop(&mut self) {
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let leave = AssertUnwindSafe(|| {
            let left = registry.places().leave(&self.key);
            drop((left, registry));
        });
        // Threads that end and panics that unwind pass here, and nobody is left who could be told.
        let _: std::thread::Result<()> = catch_unwind(leave);
    }
}

impl<K: ScopeKey, S> fmt::Debug for Entered<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
