use std::time::Instant;

use crate::retry::{Attempts, Failure, RetryPolicy};

/// After an attempt that failed: waits until the next one may begin, in tokio's time.
///
/// # Errors
///
/// That of the attempt, if there is to be no other.
pub async fn pause<P, E>(attempts: &mut Attempts<P>, failure: Failure<E>) -> Result<(), E>
where
    P: RetryPolicy<E>,
{
    match attempts.after(&failure, Instant::now()) {
        Some(pause) => {
            drop(failure);
            tokio::time::sleep(pause).await;
            Ok(())
        }
        None => Err(failure.error),
    }
}
