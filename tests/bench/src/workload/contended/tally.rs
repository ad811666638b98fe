//! What the workers of a spell came to.

use std::time::{Duration, Instant};

use crate::{
    figure::Figure,
    stopwatch::{Spent, nanoseconds},
};

/// Whether waits are timed. Two looks at the clock cost as much as a good pool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Covered,
    Read,
}

/// What one worker came to.
#[derive(Debug)]
pub(super) struct Tally {
    clock: Clock,
    pub(super) operations: u64,
    worst: Duration,
}

impl Tally {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            operations: 0,
            worst: Duration::ZERO,
        }
    }

    /// Called before a checkout.
    pub(super) fn asked(&self) -> Option<Instant> {
        (self.clock == Clock::Read).then(Instant::now)
    }

    /// Called after it, with what was answered before.
    pub(super) fn lent(&mut self, asked: Option<Instant>) {
        self.operations += 1;
        if let Some(asked) = asked {
            self.worst = self.worst.max(asked.elapsed());
        }
    }
}

pub(super) fn operations(tallies: &[Tally]) -> u64 {
    tallies.iter().map(|tally| tally.operations).sum()
}

/// The figures of a spell whose waits were not timed.
pub(super) fn throughput(spent: &Spent, tallies: &[Tally]) -> Vec<Figure> {
    let mean = operations(tallies) as f64 / tallies.len() as f64;
    let each = || tallies.iter().map(|tally| tally.operations as f64);
    let starved = each().filter(|operations| *operations < mean / 4.0).count();
    let mut figures = spent.figures();
    figures.extend([
        Figure::new("least/mean", each().fold(f64::INFINITY, f64::min) / mean),
        Figure::new("most/mean", each().fold(0.0, f64::max) / mean),
        Figure::count("starved workers", starved as u64),
    ]);
    figures
}

/// The figure of a spell whose waits were timed.
pub(super) fn worst_wait(tallies: &[Tally]) -> Figure {
    let worst = tallies.iter().map(|tally| tally.worst).max();
    let worst = worst.expect("there are workers");
    Figure::new("worst wait µs", nanoseconds(worst) / 1e3)
}
