//! The one file that reads the clock: monotonic, in nanoseconds.

use crate::machine::Time;

/// What time it is.
#[cfg(unix)]
#[inline]
pub(crate) fn now() -> Time {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // The clock counts from the machine's start, and is never negative.
    Time::after_nanoseconds(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}

/// What time it is.
#[cfg(not(unix))]
pub(crate) fn now() -> Time {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    Time::after_start(START.get_or_init(std::time::Instant::now).elapsed())
}
