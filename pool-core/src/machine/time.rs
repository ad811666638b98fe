use core::time::Duration;

/// A moment, as the time since the pool's clock began. The machine never reads a clock: whoever
/// calls it says what time it is, or how to learn it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The moment at which the pool's clock began.
    pub const START: Self = Self(0);

    /// A moment that does not come: the clock counts nanoseconds, for some 580 years.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `elapsed` after the clock began.
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(nanoseconds(elapsed))
    }

    /// As [`after_start`](Self::after_start), in nanoseconds.
    pub const fn after_nanoseconds(elapsed: u64) -> Self {
        Self(elapsed)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

const fn nanoseconds(duration: Duration) -> u64 {
    let nanoseconds = duration.as_nanos();
    let is_short = nanoseconds >> u64::BITS == 0;
    if is_short {
        nanoseconds as u64
    } else {
        u64::MAX
    }
}

/// A duration in the clock's own unit: adding it costs one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(u64);

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(nanoseconds(duration))
    }
}

impl core::ops::Add<Span> for Time {
    type Output = Self;

    #[inline]
    fn add(self, later: Span) -> Self {
        Self(self.0.saturating_add(later.0))
    }
}

impl core::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(later)))
    }
}

/// Tells the time to a machine that needs it; most checkouts do not.
pub trait Clock {
    /// What time it is.
    fn now(&self) -> Time;
}

impl Clock for Time {
    fn now(&self) -> Time {
        *self
    }
}

impl<F: Fn() -> Time> Clock for F {
    fn now(&self) -> Time {
        self()
    }
}
