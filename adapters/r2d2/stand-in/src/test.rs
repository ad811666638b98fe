//! The tests that r2d2 is packaged with, unchanged: `tests/drop-in` says where they are.

use std::time::Duration;

use crate::{Builder, ManageConnection};

impl<M: ManageConnection> Builder<M> {
    /// How often r2d2 looks at the time; here a connection is replaced when its time is over.
    fn reaper_rate(self, _: Duration) -> Self {
        self
    }
}

mod packaged {
    include!(env!("R2D2_TESTS"));
}
