//! Waiting for what has no event, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s");
        thread::sleep(Duration::from_millis(2));
    }
}
