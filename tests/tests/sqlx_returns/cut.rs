use std::{
    future::{Future, poll_fn},
    task::Poll,
};

/// What the future gives, unless it waits once more than so many times: then it is dropped where it
/// waits.
pub(crate) async fn cut<F: Future>(waits: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = waits;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
