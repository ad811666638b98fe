use std::time::{Duration, Instant};

/// Until when BEGIN may be tried.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    pub(crate) fn left(self) -> Duration {
        let until = |end: Instant| end.saturating_duration_since(Instant::now());
        self.0.map_or(Duration::MAX, until)
    }

    pub(crate) fn is_past(self) -> bool {
        self.left().is_zero()
    }
}
