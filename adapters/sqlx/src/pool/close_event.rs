use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use futures_core::future::{BoxFuture, FusedFuture};
use sqlx::Error;
use tokio::sync::watch;

/// Whether an engine was closed, and who wants to know.
#[derive(Debug, Default)]
pub(crate) struct Ending(watch::Sender<bool>);

impl Ending {
    pub(crate) fn has_come(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) fn event(&self) -> CloseEvent {
        let mut receiver = self.0.subscribe();
        let closed = async move {
            // An engine that is gone lends as little as one that is closed.
            let _gone = receiver.wait_for(|is_over| *is_over).await;
        };
        CloseEvent(Some(Box::pin(closed)))
    }
}

/// A future that is ready when its pool is closed.
pub struct CloseEvent(Option<BoxFuture<'static, ()>>);

impl CloseEvent {
    /// Awaits `future`, unless the pool is closed first, or was before.
    ///
    /// # Errors
    ///
    /// [`Error::PoolClosed`].
    pub async fn do_until<F: Future>(&mut self, future: F) -> Result<F::Output, Error> {
        let mut future = pin!(future);
        let mut is_first = true;
        poll_fn(|context| {
            // What was closed before begins nothing.
            if std::mem::take(&mut is_first) && self.poll(context).is_ready() {
                return Poll::Ready(Err(Error::PoolClosed));
            }
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            self.poll(context).map(|()| Err(Error::PoolClosed))
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(closed) = &mut self.0 {
            ready!(closed.as_mut().poll(context));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

impl Future for CloseEvent {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        CloseEvent::poll(&mut self, context)
    }
}

impl FusedFuture for CloseEvent {
    fn is_terminated(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for CloseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseEvent")
            .field("is_terminated", &self.is_terminated())
            .finish()
    }
}
