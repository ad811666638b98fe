use std::{thread, time::Instant};

use crate::retry::{Attempts, Failure, RetryPolicy};

/// Does what `attempt` does until it succeeds, or [`Attempts`] says that it is over. Blocks for the pauses.
///
/// # Errors
///
/// That of the last attempt.
pub fn run<T, E>(
    policy: impl RetryPolicy<E>,
    mut attempt: impl FnMut() -> Result<T, Failure<E>>,
) -> Result<T, E> {
    let mut attempts = Attempts::begin(policy, Instant::now());
    loop {
        let failure = match attempt() {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        match attempts.after(&failure, Instant::now()) {
            Some(pause) => thread::sleep(pause),
            None => return Err(failure.error),
        }
    }
}
