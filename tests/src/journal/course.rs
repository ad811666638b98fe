//! What workers and the disturber of a trial know of each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::pulse::{Pulse, Silence};

#[derive(Debug)]
pub(super) struct Course {
    calm: AtomicBool,
    pulse: Mutex<Pulse>,
}

impl Course {
    pub(super) fn begin() -> Self {
        Course {
            calm: AtomicBool::new(false),
            pulse: Mutex::new(Pulse::new(Instant::now())),
        }
    }

    /// Whether nothing is disturbed any more. What is begun from now on must come to an end.
    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::SeqCst)
    }

    pub(super) fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
    }

    pub(super) fn acknowledged(&self) {
        self.pulse.lock().acknowledged(Instant::now());
    }

    pub(super) fn disturbed(&self, by: &'static str) {
        self.pulse.lock().disturbed(by);
    }

    pub(super) fn away(&self) {
        self.pulse.lock().away(Instant::now());
    }

    pub(super) fn back(&self) {
        self.pulse.lock().back(Instant::now());
    }

    pub(super) fn longest_silence(&self) -> Silence {
        self.pulse.lock().longest()
    }
}
