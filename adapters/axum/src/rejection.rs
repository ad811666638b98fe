use axum_core::response::{IntoResponse, Response};
use http::StatusCode;

/// Why a handler has not got its request's session. All of them are mistakes of the program's, and answered with
/// "500 Internal Server Error".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionRejection {
    /// No layer gives this route sessions of this type.
    #[error(
        "there is no SessionLayer for sessions of {0} around this route; add one with Router::layer"
    )]
    NoLayer(&'static str),
    /// Another `RequestSession` of this request has it, of an extractor or of a middleware that calls this.
    #[error("the session of this request is in use; drop the other RequestSession first")]
    InUse,
    /// The response is made, and with it the transaction ended.
    #[error("the session of this request ended with its response")]
    Over,
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        tracing::error!(target: "everpool::axum", error = %self, "A request did not get its session");
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
