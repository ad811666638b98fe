//! What a session needs, and BEGIN without one.

use std::time::Duration;

use everpool_session::{
    future::Begins,
    stack::{Control, Standing},
};
use sqlx::Error;

use super::Connection;
use crate::driver::Driver;

impl<DB: Driver> Connection<DB> {
    /// How a transaction stands that has so many levels to its session.
    pub(crate) fn standing(&mut self, levels: u32) -> Standing {
        let depth = self.levels();
        match self.wire() {
            None => Standing::Lost {
                savepoint: depth > 1,
            },
            Some(wire) if wire.flags().is_aborted() => Standing::Aborted,
            Some(_) if depth < levels as usize => Standing::Ended,
            Some(_) => Standing::Sound,
        }
    }

    /// What a session sends. Savepoints have SQLx's names.
    pub(crate) async fn send_control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Begin | Control::Savepoint(_) => self.send_begin(None).await,
            Control::Release(number) => self.commit_level(number as usize + 1).await,
            Control::RollbackTo(number) => self.rollback_level(number as usize + 1).await,
            Control::Commit => self.commit().await,
            Control::Rollback => self.rollback().await,
        }
    }

    pub(crate) async fn checkout_for_session(&mut self, timeout: Duration) -> Result<(), Error> {
        let engine = self.engine.clone();
        let taken = self.checkout(timeout).await;
        taken.map_err(|error| engine.told(error))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.inner.pool().timeout()
    }
}

impl<DB: Driver> Begins for Connection<DB> {
    type Error = Error;

    fn is_connected(&mut self) -> bool {
        !self.invalidated()
    }

    fn timeout(&self) -> Duration {
        Self::timeout(self)
    }

    async fn checkout(&mut self, timeout: Duration) -> Result<(), Error> {
        self.checkout_for_session(timeout).await
    }

    async fn send_begin(&mut self) -> Result<(), Error> {
        Self::send_begin(self, None).await
    }
}
