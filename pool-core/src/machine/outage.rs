use core::time::Duration;

use super::time::Time;

const CLOSEST: Duration = Duration::from_millis(10);
const WIDEST: Duration = Duration::from_millis(100);

/// An outage that nobody has suffered for so long is not probed, however long callers wait.
const INTEREST: Duration = Duration::from_secs(60);

/// A time in which nothing could be opened: since when, and when to try again.
///
/// One attempt at a time for the whole pool, spaced by 10 ms at first and by 100 ms once it has
/// lasted five seconds, so that a short restart costs a caller milliseconds and a long one costs the
/// server nothing.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    began: Time,
    wanted: Time,
    next_attempt: Time,
}

impl Outage {
    pub(super) fn began(now: Time) -> Self {
        Self {
            began: now,
            wanted: now,
            next_attempt: now,
        }
    }

    pub(super) fn age(&self, now: Time) -> Duration {
        now.since(self.began)
    }

    pub(super) fn next_attempt(&self) -> Time {
        self.next_attempt
    }

    /// A caller asks for a connection, or still waits for one.
    pub(super) fn wanted(&mut self, now: Time) {
        self.wanted = now;
    }

    /// Whether anybody asked within the last `grace`, or minute. An outage that nobody suffers is not
    /// probed.
    pub(super) fn is_suffered(&self, now: Time, grace: Duration) -> bool {
        now.since(self.wanted) <= grace.min(INTEREST)
    }

    /// Another attempt failed. `jitter` is any number.
    pub(super) fn attempt_failed(&mut self, now: Time, jitter: u64) {
        let spacing = (self.age(now) / 50).clamp(CLOSEST, WIDEST);
        let spread = u32::try_from(jitter % 512).unwrap_or(0);
        self.next_attempt = now + spacing * (768 + spread) / 1024;
    }
}
