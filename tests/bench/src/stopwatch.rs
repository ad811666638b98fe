//! Time spent: by the wall clock, and by all of the process's threads on a processor.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

use crate::figure::Figure;

/// Time by the wall clock, for each checkout and return.
pub(crate) const WALL: &str = "ns/op";
/// Time on a processor, for each checkout and return.
pub(crate) const CPU: &str = "CPU ns/op";

#[derive(Debug)]
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: ProcessTime,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: ProcessTime::now(),
        }
    }

    pub(crate) fn wall(&self) -> Duration {
        self.wall.elapsed()
    }

    pub(crate) fn stop(&self, operations: u64) -> Spent {
        Spent {
            wall: self.wall.elapsed(),
            cpu: self.cpu.elapsed(),
            operations,
        }
    }
}

/// What a number of checkouts and returns took.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    cpu: Duration,
    operations: u64,
}

impl Spent {
    pub(crate) fn wall_figure(&self) -> Figure {
        Figure::new(WALL, nanoseconds(self.wall) / self.operations as f64)
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let cpu = nanoseconds(self.cpu) / self.operations as f64;
        vec![self.wall_figure(), Figure::new(CPU, cpu)]
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
