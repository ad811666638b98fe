#[cfg(feature = "tokio")]
use std::future::Future;
use std::{fmt, sync::Arc};

use super::{
    Entered, ScopeError, ScopeKey, Scoped, SessionFactory, ThreadScope, registry::Registry, thread,
};
#[cfg(feature = "tokio")]
use super::{TaskScope, task};
use crate::SessionError;

type ScopeFunction<K, S> = dyn Fn(&Arc<Registry<K, S>>) -> Result<K, ScopeError> + Send + Sync;

/// A session for each scope: whoever asks in the same scope gets the same session, made for the first one.
/// SQLAlchemy's `scoped_session`, and its `async_scoped_session`. A scope is a thread, a task, or what the program
/// says.
///
/// When a scope is over, its session is rolled back, its connection goes back to the pool, and nothing is left of it
/// here: a thread's when it ends, a task's when its future does or is dropped, any other when what
/// [`enter`](Self::enter) gave is dropped; and all of them when the last clone of this is. What is to stay is committed
/// before.
///
/// One has the session at a time: who asks while it is in use gets [`ScopeError::InUse`]. Cloning gives another
/// handle to the same sessions.
pub struct ScopedSession<M: SessionFactory, K: ScopeKey> {
    maker: M,
    registry: Arc<Registry<K, M::Session>>,
    scope: Arc<ScopeFunction<K, M::Session>>,
}

impl<M: SessionFactory> ScopedSession<M, ThreadScope> {
    /// A session for each thread that asks.
    pub fn by_thread(maker: M) -> Self {
        Self::new(maker, thread::of_this_thread)
    }
}

#[cfg(feature = "tokio")]
impl<M: SessionFactory> ScopedSession<M, TaskScope> {
    /// A session for each future that is run in [`scope`](Self::scope).
    pub fn by_task(maker: M) -> Self {
        Self::new(maker, task::of_this_task)
    }

    /// Runs a future in a scope of its own, be it a whole task or a part of one. A scope within a scope has another
    /// session; what is spawned within has none.
    ///
    /// The scope is over when the future is: at its end, by a panic, or when it is dropped. What that rolls back is
    /// rolled back in the background, before anybody else gets the connection.
    pub fn scope<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F, M> {
        task::run(Arc::clone(&self.registry), work)
    }
}

impl<M: SessionFactory, K: ScopeKey> ScopedSession<M, K> {
    /// A session for each key that is [entered](Self::enter). `scope` says in which one the caller is; it is asked
    /// each time, and must not block.
    pub fn by_key(maker: M, scope: impl Fn() -> K + Send + Sync + 'static) -> Self {
        Self::new(maker, move |_: &Arc<_>| Ok(scope()))
    }

    fn new(
        maker: M,
        scope: impl Fn(&Arc<Registry<K, M::Session>>) -> Result<K, ScopeError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            maker,
            registry: Arc::new(Registry::new()),
            scope: Arc::new(scope),
        }
    }

    /// Begins the scope of a key. It is over when what this gives is dropped; without one there is no session, so
    /// that no key is forgotten.
    ///
    /// # Errors
    ///
    /// [`ScopeError::AlreadyEntered`].
    pub fn enter(&self, key: K) -> Result<Entered<K, M::Session>, ScopeError> {
        Entered::enter(&self.registry, key)
    }

    /// The session of this scope. Does not block: one that is made here has begun nothing.
    ///
    /// # Errors
    ///
    /// [`SessionError::Scope`]: it is in use, or there is no scope here.
    #[track_caller]
    pub fn session(&self) -> Result<Scoped<'_, K, M::Session>, SessionError<M::Error>> {
        let mut scoped = self.take().map_err(SessionError::Scope)?;
        if scoped.is_vacant() {
            // If this panics, the place is vacant again. In no closure, which would not know its caller.
            scoped.put(self.maker.make());
        }
        Ok(scoped)
    }

    fn take(&self) -> Result<Scoped<'_, K, M::Session>, ScopeError> {
        let key = (self.scope)(&self.registry)?;
        Scoped::take(&self.registry, key)
    }

    /// Has something done with the session of this scope.
    ///
    /// # Errors
    ///
    /// Those of [`session`](Self::session). What the work gives is given as it is.
    #[track_caller]
    pub fn with<T>(
        &self,
        work: impl FnOnce(&mut M::Session) -> T,
    ) -> Result<T, SessionError<M::Error>> {
        let mut session = self.session()?;
        Ok(work(&mut session))
    }

    /// Lets go of the session of this scope, if there is one, and the next who asks gets another: SQLAlchemy's
    /// `remove()`. It is rolled back, and its connection returned; if it is in use, by who uses it, at the end. Blocks
    /// as a drop of the session does.
    pub fn remove(&self) {
        if let Ok(key) = (self.scope)(&self.registry) {
            let removed = self.registry.places().remove(&key);
            drop(removed);
        }
    }

    /// As [`remove`](Self::remove), of all scopes: what SQLAlchemy's `close_all_sessions()` does for the whole process.
    pub fn remove_all(&self) {
        let removed = self.registry.places().remove_all();
        drop(removed);
    }

    /// How many scopes have a session.
    pub fn len(&self) -> usize {
        self.registry.places().len()
    }

    /// Whether no scope has a session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the sessions are made by.
    pub fn maker(&self) -> &M {
        &self.maker
    }
}

impl<M: SessionFactory + Clone, K: ScopeKey> Clone for ScopedSession<M, K> {
    fn clone(&self) -> Self {
        Self {
            maker: self.maker.clone(),
            registry: Arc::clone(&self.registry),
            scope: Arc::clone(&self.scope),
        }
    }
}

impl<M: SessionFactory, K: ScopeKey> fmt::Debug for ScopedSession<M, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedSession")
            .field("registry", &self.registry)
            .field("sessions", &self.len())
            .finish_non_exhaustive()
    }
}
