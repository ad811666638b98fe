//! Sessions of `everpool_sqlx`.

use everpool_sqlx::{Driver, Session, SessionError};
use tokio::task;
use tracing::Instrument;

use crate::{EndsWithRequest, finished::finished};

/// The session of a request, for its handler. Executes queries as `&mut *session`.
///
/// ```
/// use axum::{Router, http::StatusCode, routing::get};
/// use everpool_axum::{SessionLayer, sqlx::RequestSession};
/// use everpool_sqlx::{EngineOptions, SessionMaker, Sqlite, create_engine};
///
/// async fn take_note(mut session: RequestSession<Sqlite>) -> Result<&'static str, StatusCode> {
///     let inserted = sqlx::query("INSERT INTO notes VALUES ('there')")
///         .execute(&mut *session)
///         .await;
///     match inserted {
///         Ok(_) => Ok("taken"),
///         Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
///     }
/// }
///
/// let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
/// let sessions = SessionMaker::new(&engine);
/// let app: Router = Router::new()
///     .route("/", get(take_note))
///     .layer(SessionLayer::new(move |_| sessions.session()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type RequestSession<DB> = crate::RequestSession<Session<DB>>;

impl<DB: Driver> EndsWithRequest for Session<DB> {
    type Error = SessionError;

    async fn end_committed(mut self) -> Result<(), SessionError> {
        if !self.in_transaction() {
            return self.commit().await;
        }
        // In a task of its own, which a client that hangs up does not end.
        let committed = async move { self.commit().await };
        finished(task::spawn(committed.in_current_span())).await
    }

    async fn end_rolled_back(mut self) -> Result<(), SessionError> {
        self.rollback().await
    }

    /// Its connection is put in order by its pool.
    fn abandon(self) {}
}
