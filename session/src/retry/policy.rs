use std::fmt;

use super::Retry;

/// What `run` is told of retries: a [`Retry`], or one that looks [into the program's errors](Retry::when).
pub trait RetryPolicy<E> {
    /// How often and for how long.
    fn retry(&self) -> Retry;

    /// Whether this error of the program's is worth another attempt, of which the session has seen nothing. Does
    /// not block.
    fn is_retryable(&self, error: &E) -> bool;
}

/// What the session sees is all that counts.
impl<E> RetryPolicy<E> for Retry {
    fn retry(&self) -> Retry {
        *self
    }

    fn is_retryable(&self, _: &E) -> bool {
        false
    }
}

/// A [`Retry`] with a question to be asked of errors; [`Retry::when`] makes it.
#[derive(Clone)]
pub struct RetryWhen<F> {
    retry: Retry,
    is_retryable: F,
}

impl<F> RetryWhen<F> {
    pub(super) fn new(retry: Retry, is_retryable: F) -> Self {
        Self {
            retry,
            is_retryable,
        }
    }
}

impl<E, F: Fn(&E) -> bool> RetryPolicy<E> for RetryWhen<F> {
    fn retry(&self) -> Retry {
        self.retry
    }

    fn is_retryable(&self, error: &E) -> bool {
        (self.is_retryable)(error)
    }
}

impl<F> fmt::Debug for RetryWhen<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetryWhen").field(&self.retry).finish()
    }
}
