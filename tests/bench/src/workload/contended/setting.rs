//! How many over how many, and what they do with a connection.

use std::{fmt, time::Duration};

use super::tally::Clock;
use crate::cell::Face;

/// What is done with a connection before it is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Nothing,
    /// The thread or task lets others run once.
    Yield,
    /// It sleeps for a millisecond, as long as a query may take.
    Sleep,
}

pub(super) const SLEEP: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) face: Face,
    pub(super) workers: usize,
    pub(super) size: u32,
    pub(super) hold: Hold,
}

impl Setting {
    const fn threads(workers: usize, size: u32, hold: Hold) -> Self {
        Self {
            face: Face::Threads,
            workers,
            size,
            hold,
        }
    }

    const fn tasks(workers: usize, size: u32, hold: Hold) -> Self {
        Self {
            face: Face::Tasks,
            ..Self::threads(workers, size, hold)
        }
    }

    /// Sleeps are what takes the time of the last kind, and hardly vary.
    pub(super) fn rounds(&self) -> u32 {
        match self.hold {
            Hold::Nothing | Hold::Yield => 9,
            Hold::Sleep => 3,
        }
    }

    /// How long the spell is in which waits are timed, or the other. A long one shows who falls ever
    /// further behind.
    pub(super) fn spell(&self, clock: Clock) -> Duration {
        Duration::from_millis(match (self.hold, clock) {
            (Hold::Yield, Clock::Read) => 400,
            (Hold::Sleep, _) => 250,
            (Hold::Nothing, _) | (Hold::Yield, Clock::Covered) => 100,
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hold = match self.hold {
            Hold::Nothing => "returned at once",
            Hold::Yield => "held over a yield",
            Hold::Sleep => "held for 1 ms",
        };
        write!(f, "{} over {}, {hold}", self.workers, self.size)
    }
}

/// Not every combination: those that differ from their neighbours.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::threads(2, 1, Hold::Nothing),
    Setting::threads(2, 2, Hold::Nothing),
    Setting::threads(2, 10, Hold::Nothing),
    Setting::threads(2, 1, Hold::Yield),
    Setting::threads(16, 4, Hold::Nothing),
    Setting::threads(16, 4, Hold::Yield),
    Setting::threads(2, 1, Hold::Sleep),
    Setting::tasks(2, 1, Hold::Nothing),
    Setting::tasks(2, 2, Hold::Nothing),
    Setting::tasks(16, 1, Hold::Yield),
    Setting::tasks(16, 10, Hold::Nothing),
    Setting::tasks(64, 4, Hold::Yield),
    Setting::tasks(64, 10, Hold::Nothing),
    Setting::tasks(256, 10, Hold::Yield),
    Setting::tasks(256, 100, Hold::Yield),
    Setting::tasks(64, 100, Hold::Yield),
    Setting::tasks(64, 10, Hold::Sleep),
];
