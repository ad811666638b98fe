//! What there is much of.

use std::{fmt, time::Duration};

use crate::cell::Face;

/// How long a cheap operation is repeated.
pub(super) const DURATION: Duration = Duration::from_millis(50);

/// What there is much of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Crowd {
    /// So many idle connections.
    Idle(usize),
    /// So many connections, of which one is idle.
    Held(usize),
    /// So many who wait for the only connection.
    Waiting(usize),
    /// So many who wait, and one more who gives up.
    GivenUp(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) face: Face,
    pub(super) crowd: Crowd,
}

impl Setting {
    pub(super) fn connections(&self) -> usize {
        match self.crowd {
            Crowd::Idle(many) | Crowd::Held(many) => many,
            Crowd::Waiting(_) | Crowd::GivenUp(_) => 1,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.crowd {
            Crowd::Idle(many) => write!(f, "{many} idle"),
            Crowd::Held(many) => write!(f, "{many} of which 1 idle"),
            Crowd::Waiting(many) => write!(f, "handed on among {many} waiting"),
            Crowd::GivenUp(many) => write!(f, "given up behind {many} waiting"),
        }
    }
}

const fn threads(crowd: Crowd) -> Setting {
    let face = Face::Threads;
    Setting { face, crowd }
}

const fn tasks(crowd: Crowd) -> Setting {
    let face = Face::Tasks;
    Setting { face, crowd }
}

/// A thread cannot give up, and ten thousand of them measure the system.
pub(super) const SETTINGS: &[Setting] = &[
    threads(Crowd::Idle(1)),
    threads(Crowd::Idle(10)),
    threads(Crowd::Idle(100)),
    threads(Crowd::Idle(1_000)),
    threads(Crowd::Idle(10_000)),
    threads(Crowd::Held(10)),
    threads(Crowd::Held(100)),
    threads(Crowd::Held(1_000)),
    threads(Crowd::Held(10_000)),
    threads(Crowd::Waiting(1)),
    threads(Crowd::Waiting(10)),
    threads(Crowd::Waiting(100)),
    threads(Crowd::Waiting(1_000)),
    tasks(Crowd::Idle(1)),
    tasks(Crowd::Idle(10)),
    tasks(Crowd::Idle(100)),
    tasks(Crowd::Idle(1_000)),
    tasks(Crowd::Idle(10_000)),
    tasks(Crowd::Held(10)),
    tasks(Crowd::Held(100)),
    tasks(Crowd::Held(1_000)),
    tasks(Crowd::Held(10_000)),
    tasks(Crowd::Waiting(1)),
    tasks(Crowd::Waiting(10)),
    tasks(Crowd::Waiting(100)),
    tasks(Crowd::Waiting(1_000)),
    tasks(Crowd::Waiting(10_000)),
    tasks(Crowd::GivenUp(0)),
    tasks(Crowd::GivenUp(100)),
    tasks(Crowd::GivenUp(10_000)),
];
