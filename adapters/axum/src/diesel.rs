//! Sessions of `everpool_diesel`.

use std::fmt;

use axum_core::extract::FromRequestParts;
use everpool_diesel::{Driver, Session, SessionError, StateError};
use http::request::Parts;
use tokio::{runtime::Handle, task::spawn_blocking};
use tracing::Span;

use crate::{EndsWithRequest, SessionRejection, finished::finished, slot::Slot};

/// The session of a request, for its handler: an extractor.
///
/// Diesel blocks, so work is done with the session in a thread for blocking work. The layer ends it, so nobody
/// has to commit.
///
/// ```
/// use axum::{Router, http::StatusCode, routing::get};
/// use diesel::prelude::*;
/// use everpool_axum::{SessionLayer, diesel::RequestSession};
/// use everpool_diesel::{EngineOptions, SessionError, SessionMaker, create_engine};
///
/// async fn take_note(session: RequestSession<SqliteConnection>) -> Result<&'static str, StatusCode> {
///     let taken = session.interact(|session| {
///         diesel::sql_query("INSERT INTO notes VALUES ('there')").execute(session)?;
///         Ok::<_, SessionError>("taken")
///     });
///     taken.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
/// }
///
/// let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
/// let sessions = SessionMaker::new(&engine);
/// let app: Router = Router::new()
///     .route("/", get(take_note))
///     .layer(SessionLayer::new(move |_| sessions.session()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RequestSession<C: Driver>(Slot<Session<C>>);

impl<C: Driver> RequestSession<C> {
    /// Does some work with the session in a thread for blocking work. Work that was given up before its end is
    /// waited for first: no thread stops because nobody waits for it.
    ///
    /// # Errors
    ///
    /// The work's; or [`PermanentlyClosed`](StateError::PermanentlyClosed) after the response was made.
    ///
    /// # Panics
    ///
    /// If the work panics.
    pub async fn interact<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Session<C>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<SessionError> + Send + 'static,
    {
        match self.0.wait().await {
            Some(mut session) => in_a_thread(move || work(&mut session)).await,
            None => Err(SessionError::State(StateError::PermanentlyClosed).into()),
        }
    }
}

impl<C: Driver, A: Sync> FromRequestParts<A> for RequestSession<C> {
    type Rejection = SessionRejection;

    async fn from_request_parts(request: &mut Parts, _: &A) -> Result<Self, SessionRejection> {
        let slot = Slot::of(request)?;
        drop(slot.borrow(request)?);
        Ok(Self(slot.clone()))
    }
}

impl<C: Driver> fmt::Debug for RequestSession<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestSession").finish_non_exhaustive()
    }
}

impl<C: Driver> EndsWithRequest for Session<C> {
    type Error = SessionError;

    async fn end_committed(mut self) -> Result<(), SessionError> {
        match self.in_transaction() {
            true => in_a_thread(move || self.commit()).await,
            false => self.commit(),
        }
    }

    async fn end_rolled_back(mut self) -> Result<(), SessionError> {
        match self.in_transaction() {
            true => in_a_thread(move || self.rollback()).await,
            false => self.rollback(),
        }
    }

    fn abandon(self) {
        match (self.in_transaction(), Handle::try_current()) {
            (true, Ok(runtime)) => drop(runtime.spawn_blocking(|| drop(self))),
            _ => drop(self),
        }
    }
}

async fn in_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let span = Span::current();
    finished(spawn_blocking(move || span.in_scope(work))).await
}
