use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    EndsWithRequest,
    slot::{Left, Make, Slot},
};

/// Gives each request a session, which ends with it.
///
/// The session is made when a handler or a middleware inside of this layer asks for it with the adapter's
/// `RequestSession`, and takes a connection and begins with its first statement. When the response is made, and
/// before it is sent, the session is committed if the response is a success (its status is below 400), and else
/// rolled back. It is rolled back, too, if the handler panics or its client hangs up. A client never hears of a
/// success that is not committed: if the commit fails, the response is "500 Internal Server Error", with an empty
/// body and [`NotCommitted`] in its extensions.
///
/// A handler that wants something kept although it fails commits the session itself.
///
/// Of two layers for the same type of session, the inner one gives the handler its session. Sessions of two databases
/// of one kind are given by layers for types of their own, each with [`EndsWithRequest`].
pub struct SessionLayer<S: EndsWithRequest> {
    make: Arc<Make<S>>,
}

impl<S: EndsWithRequest> SessionLayer<S> {
    /// `make` says which session a request gets, once it wants one: `|_| sessions.session()`, or another one for
    /// requests that only read. It must not block.
    pub fn new(make: impl Fn(&Parts) -> S + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
        }
    }
}

impl<S: EndsWithRequest> Clone for SessionLayer<S> {
    fn clone(&self) -> Self {
        Self {
            make: Arc::clone(&self.make),
        }
    }
}

impl<S: EndsWithRequest> fmt::Debug for SessionLayer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").finish_non_exhaustive()
    }
}

impl<S: EndsWithRequest, I> Layer<I> for SessionLayer<S> {
    type Service = SessionService<S, I>;

    fn layer(&self, inner: I) -> SessionService<S, I> {
        SessionService {
            layer: self.clone(),
            inner,
        }
    }
}

/// What a [`SessionLayer`] makes of a service.
#[derive(Debug)]
pub struct SessionService<S: EndsWithRequest, I> {
    layer: SessionLayer<S>,
    inner: I,
}

impl<S: EndsWithRequest, I: Clone> Clone for SessionService<S, I> {
    fn clone(&self) -> Self {
        Self {
            layer: self.layer.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<S, I, B, R> Service<Request<B>> for SessionService<S, I>
where
    S: EndsWithRequest,
    I: Service<Request<B>, Response = Response<R>>,
    I::Future: Send + 'static,
    I::Error: Send,
    R: Default + Send,
{
    type Response = Response<R>;
    type Error = I::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, I::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), I::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let slot = Slot::new(Arc::clone(&self.layer.make));
        request.extensions_mut().insert(slot.clone());
        let (session, answer) = (Closing(slot), self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await;
            let is_success = answer.as_ref().is_ok_and(is_success);
            match end(session.0.close(), is_success).await {
                Ok(()) => answer,
                Err(error) => Ok(not_committed(error)),
            }
        })
    }
}

/// Closes it without a response, too: the handler has panicked, or the client hung up.
struct Closing<S: EndsWithRequest>(Slot<S>);

impl<S: EndsWithRequest> Drop for Closing<S> {
    fn drop(&mut self) {
        if let Left::Session(session) = self.0.close() {
            session.abandon();
        }
    }
}

fn is_success<R>(response: &Response<R>) -> bool {
    response.status() < StatusCode::BAD_REQUEST
}

/// The error is that of a commit. What could not be rolled back is closed with its connection.
async fn end<S: EndsWithRequest>(left: Left<S>, is_success: bool) -> Result<(), NotCommitted> {
    match (left, is_success) {
        (Left::Nothing, _) | (Left::InUse, false) => Ok(()),
        (Left::InUse, true) => Err(NotCommitted::InUse),
        (Left::Session(session), true) => {
            let committed = session.end_committed().await;
            committed.map_err(|error| NotCommitted::Session(Arc::new(error)))
        }
        (Left::Session(session), false) => {
            if let Err(error) = session.end_rolled_back().await {
                tracing::info!(target: "everpool::axum", %error, "A rollback failed; its connection is closed");
            }
            Ok(())
        }
    }
}

fn not_committed<R: Default>(error: NotCommitted) -> Response<R> {
    tracing::error!(target: "everpool::axum", %error, "A request that had succeeded fails");
    let mut response = Response::new(R::default());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.extensions_mut().insert(error);
    response
}

/// Why a request that had succeeded fails, or may have failed: an extension of its response, for a layer outside
/// of [`SessionLayer`] that has its own words for it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotCommitted {
    /// The adapter's `SessionError`. After its `CommitOutcomeUnknown` the session may be committed.
    #[error("the session was not committed: {0}")]
    Session(#[source] Arc<dyn Error + Send + Sync>),
    /// The handler has left its session to somebody who has it still: a task that it has spawned, or the body
    /// of its response. It is rolled back when that one has
    /// done with it.
    #[error("the session is in use after the response was made, so nobody has committed it")]
    InUse,
}
