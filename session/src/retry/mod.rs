//! Whether a transaction that failed is done once more, and when.

mod attempts;
mod policy;

use std::{fmt, time::Duration};

use backon::ExponentialBuilder;

pub use attempts::{Attempts, Failure};
pub use policy::{RetryPolicy, RetryWhen};

/// How often and for how long a transaction is tried that meets a conflict or loses its connection.
///
/// Five attempts by default. The pauses between them begin at 10 ms and double up to 1 s, each longer by a
/// random part of itself, so that those who met in a conflict do not meet again. After 30 s none begins any more.
///
/// ```
/// use std::time::Duration;
/// use everpool_session::Retry;
///
/// let patient = Retry::default()
///     .max_attempts(20)
///     .max_elapsed(Duration::from_secs(60));
/// # let _ = patient;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    max_attempts: usize,
    min_delay: Duration,
    max_delay: Duration,
    max_elapsed: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            min_delay: Duration::from_millis(10),
            max_delay: Duration::from_secs(1),
            max_elapsed: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// How many attempts there are at most, with the first; that one is made whatever this says.
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: usize) -> Self {
        self.max_attempts = max_attempts;
        self
    }

    /// The pause after the first attempt. Each that follows is twice as long.
    #[must_use]
    pub fn min_delay(mut self, min_delay: Duration) -> Self {
        self.min_delay = min_delay;
        self
    }

    /// No pause is longer, but for its random part, which is at most as long again.
    #[must_use]
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// No attempt begins when so much time has passed since the first one began. An attempt that has begun is not
    /// cut short.
    #[must_use]
    pub fn max_elapsed(mut self, max_elapsed: Duration) -> Self {
        self.max_elapsed = max_elapsed;
        self
    }

    /// Tries again also after errors that this says yes to: for what the session cannot see, such as a conflict
    /// with another service. A transaction that may be committed is never tried again, whatever this says.
    ///
    /// ```
    /// use everpool_session::Retry;
    ///
    /// enum Failed { Overtaken, Refused }
    ///
    /// let retry = Retry::default().when(|error: &Failed| matches!(error, Failed::Overtaken));
    /// # let _ = (retry, Failed::Overtaken, Failed::Refused);
    /// ```
    #[must_use]
    pub fn when<E, F: Fn(&E) -> bool>(self, is_retryable: F) -> RetryWhen<F> {
        RetryWhen::new(self, is_retryable)
    }

    fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(self.min_delay.min(self.max_delay))
            .with_max_delay(self.max_delay)
            .with_max_times(self.max_attempts.saturating_sub(1))
    }
}

/// Why a transaction is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryReason {
    /// Another transaction stood in its way: a deadlock, a serialization failure, a lock that did not come.
    Conflict,
    /// The connection was lost before COMMIT was sent.
    Disconnect,
    /// The program [asked for it](Retry::when).
    Asked,
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict => "a conflict with another transaction",
            Self::Disconnect => "the connection was lost",
            Self::Asked => "the program asked for it",
        })
    }
}
