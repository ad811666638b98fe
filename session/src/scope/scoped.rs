use std::{
    fmt,
    ops::{Deref, DerefMut},
    thread,
};

use super::{
    ScopeError, ScopeKey,
    places::{Refused, Ticket},
    registry::Registry,
};

/// The session of a scope, for as long as one has this; from [`ScopedSession::session`](super::ScopedSession::session).
///
/// Dropped, it leaves the session as it is for who asks next, with the transaction that is open; but by a panic the
/// session is rolled back, and the next gets another one.
#[must_use = "nobody else gets the session before this is dropped"]
pub struct Scoped<'a, K: ScopeKey, S> {
    registry: &'a Registry<K, S>,
    key: K,
    ticket: Ticket,
    /// None while it is being made.
    session: Option<S>,
}

const PRESENT: &str =
    "`ScopedSession::session` gives none that is vacant, and nothing but the drop takes it";

impl<'a, K: ScopeKey, S> Scoped<'a, K, S> {
    /// If there is none yet, it is to be [put](Self::put) there next.
    pub(super) fn take(registry: &'a Registry<K, S>, key: K) -> Result<Self, ScopeError> {
        let taken = registry.places().take(&key);
        let (ticket, session) = taken.map_err(|refused| said(refused, &key))?;
        Ok(Self {
            registry,
            key,
            ticket,
            session,
        })
    }

    pub(super) fn is_vacant(&self) -> bool {
        self.session.is_none()
    }

    pub(super) fn put(&mut self, session: S) {
        self.session = Some(session);
    }
}

fn said(refused: Refused, key: &impl ScopeKey) -> ScopeError {
    match refused {
        Refused::InUse => ScopeError::InUse,
        Refused::NotEntered => ScopeError::NotEntered {
            key: format!("{key:?}"),
        },
    }
}

impl<K: ScopeKey, S> Drop for Scoped<'_, K, S> {
    fn drop(&mut self) {
        let session = self.session.take();
        let (kept, broken) = match thread::panicking() {
            false => (session, None),
            true => (None, session),
        };
        let removed = self
            .registry
            .places()
            .give_back(&self.key, self.ticket, kept);
        drop((removed, broken));
    }
}

impl<K: ScopeKey, S> Deref for Scoped<'_, K, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.session.as_ref().expect(PRESENT)
    }
}

impl<K: ScopeKey, S> DerefMut for Scoped<'_, K, S> {
    fn deref_mut(&mut self) -> &mut S {
        self.session.as_mut().expect(PRESENT)
    }
}

impl<K: ScopeKey, S: fmt::Debug> fmt::Debug for Scoped<'_, K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("key", &self.key)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
