use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff};

use super::{RetryPolicy, RetryReason};

/// An attempt that failed, and is rolled back unless it may be committed.
#[derive(Debug)]
pub struct Failure<E> {
    /// The program's.
    pub error: E,
    /// What the session has met that another attempt may be spared.
    pub met: Option<RetryReason>,
    /// Something of it is committed, or may be.
    pub may_be_committed: bool,
}

/// The attempts at one transaction. Time is an argument.
#[derive(Debug)]
pub struct Attempts<P> {
    policy: P,
    pauses: ExponentialBackoff,
    /// How many have failed.
    failed: usize,
    began: Instant,
}

impl<P> Attempts<P> {
    /// The first one begins now.
    pub fn begin<E>(policy: P, now: Instant) -> Self
    where
        P: RetryPolicy<E>,
    {
        Self {
            pauses: policy.retry().backoff().build(),
            policy,
            failed: 0,
            began: now,
        }
    }

    /// After which pause the next one begins; `None` if there is none.
    pub fn after<E>(&mut self, failure: &Failure<E>, now: Instant) -> Option<Duration>
    where
        P: RetryPolicy<E>,
    {
        self.failed += 1;
        let reason = self.reason(failure)?;
        let pause = self.pauses.next()?;
        let elapsed = now.saturating_duration_since(self.began);
        if elapsed.saturating_add(pause) >= self.policy.retry().max_elapsed {
            return None;
        }
        let attempt = self.failed;
        tracing::info!(target: "everpool::session", attempt, %reason, ?pause, "Rolled back; trying again");
        Some(pause)
    }

    /// Why there is another one, if nothing but its number and the time stands against it.
    fn reason<E>(&self, failure: &Failure<E>) -> Option<RetryReason>
    where
        P: RetryPolicy<E>,
    {
        if failure.may_be_committed {
            return None;
        }
        let is_asked = || self.policy.is_retryable(&failure.error);
        failure
            .met
            .or_else(|| is_asked().then_some(RetryReason::Asked))
    }
}
