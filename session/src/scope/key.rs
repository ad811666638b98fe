use std::{fmt::Debug, hash::Hash};

/// What scopes are told apart by. Errors show its `Debug`. Hashing and comparing it must not use the
/// [`ScopedSession`](super::ScopedSession), which is locked meanwhile.
pub trait ScopeKey: Clone + Debug + Eq + Hash + Send + 'static {}

impl<K: Clone + Debug + Eq + Hash + Send + 'static> ScopeKey for K {}
