//! What a connection does for the test that plays on it.

use everpool_engine::stage::StageError;
use sqlx::Error;

use super::Connection;
use crate::{as_sqlx::bad_option, driver::Driver};

impl<DB: Driver> Connection<DB> {
    /// What was done before counts as committed, so that what comes next can be undone alone. Where that fails, the
    /// transaction of the test was ended by something.
    #[cold]
    pub(super) async fn mark_stage(&mut self) -> Result<(), Error> {
        let Some(wire) = self.inner.settled() else {
            return Ok(());
        };
        let answer = wire.mark(false).await;
        let Err(error) = self.leave(answer, None) else {
            return Ok(());
        };
        if self.inner.settled().is_none() {
            return Err(error);
        }
        self.inner.invalidate();
        Err(bad_option(StageError::Ended))
    }
}
