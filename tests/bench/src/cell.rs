//! One thing that is measured, and who takes part in it.

use std::{fmt, time::Duration};

use crate::contender;

/// Who checks out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    Threads,
    Tasks,
}

impl Face {
    /// All pools that have this face.
    pub(crate) fn contenders(self) -> Vec<&'static str> {
        match self {
            Self::Threads => contender::THREADS.to_vec(),
            Self::Tasks => contender::TASKS.to_vec(),
        }
    }
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threads => "threads",
            Self::Tasks => "tasks",
        })
    }
}

/// One thing that is measured: the same for all contenders, in rounds that take turns.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) face: Face,
    /// What is done, told from the other cells of the workload.
    pub(crate) name: String,
    pub(crate) contenders: Vec<&'static str>,
    pub(crate) rounds: u32,
    /// A round that takes longer hangs.
    pub(crate) patience: Duration,
}

impl Cell {
    /// With all contenders.
    pub(crate) fn new(face: Face, name: impl fmt::Display, rounds: u32) -> Self {
        Self {
            face,
            name: name.to_string(),
            contenders: face.contenders(),
            rounds,
            patience: Duration::from_secs(20),
        }
    }

    pub(crate) fn without(mut self, contender: &str) -> Self {
        self.contenders.retain(|name| *name != contender);
        self
    }
}
