//! Panics of drivers, hooks and wakers end here.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

/// The answer, unless the user's code panicked.
pub(crate) fn shielded<T>(ask: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(ask)).ok()
}

/// The future's output, or the message of its panic.
pub(crate) async fn survive<F: Future>(work: impl FnOnce() -> F) -> Result<F::Output, String> {
    let begun = catch_unwind(AssertUnwindSafe(work));
    let mut future = pin!(begun.map_err(|panic| message(panic.as_ref()))?);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(message(panic.as_ref()))),
        }
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> String {
    let literal = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    literal
        .or_else(|| panic.downcast_ref().cloned())
        .unwrap_or_else(|| "no message".into())
}
