//! For how long nothing was acknowledged though the server was there.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    /// The last acknowledgement, or when the server came back; `None` while it is away.
    since: Option<Instant>,
    /// What was done to the server last.
    after: &'static str,
    longest: Silence,
}

/// A time without an acknowledged commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) length: Duration,
    /// The disturbance before it.
    pub(super) after: &'static str,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        let after = "the start";
        Pulse {
            since: Some(now),
            after,
            longest: Silence {
                length: Duration::ZERO,
                after,
            },
        }
    }

    pub(super) fn acknowledged(&mut self, now: Instant) {
        if self.since.is_some() {
            self.measure(now);
            self.since = Some(now);
        }
    }

    pub(super) fn disturbed(&mut self, after: &'static str) {
        self.after = after;
    }

    pub(super) fn away(&mut self, now: Instant) {
        self.measure(now);
        self.since = None;
    }

    pub(super) fn back(&mut self, now: Instant) {
        self.since = Some(now);
    }

    pub(super) fn longest(&self) -> Silence {
        self.longest
    }

    fn measure(&mut self, now: Instant) {
        let length = self.since.map_or(Duration::ZERO, |since| now - since);
        if length > self.longest.length {
            let after = self.after;
            self.longest = Silence { length, after };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_while_the_server_is_there() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(start);
        pulse.acknowledged(at(2));
        pulse.disturbed("kill");
        pulse.away(at(3));
        pulse.acknowledged(at(50));
        pulse.back(at(100));
        pulse.acknowledged(at(105));
        pulse.disturbed("freeze");
        pulse.away(at(109));
        pulse.back(at(110));
        let (length, after) = (Duration::from_secs(5), "kill");
        assert_eq!(pulse.longest(), Silence { length, after });
    }
}
