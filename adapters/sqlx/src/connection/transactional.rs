//! What a session needs.

use std::time::Duration;

use everpool_session::future::{Standing, Transactional};
use sqlx::Error;

use super::Connection;
use crate::driver::Driver;

impl<DB: Driver> Transactional for Connection<DB> {
    type Error = Error;

    fn has_begun(&mut self) -> bool {
        self.levels() > 0
    }

    fn standing(&mut self) -> Standing {
        let depth = self.levels();
        match self.wire() {
            _ if depth == 0 => Standing::Pending,
            None => Standing::Lost {
                savepoint: depth > 1,
            },
            Some(wire) if wire.flags().is_aborted() => Standing::Aborted,
            Some(_) => Standing::Begun,
        }
    }

    fn is_connected(&mut self) -> bool {
        !self.invalidated()
    }

    fn timeout(&self) -> Duration {
        self.inner.pool().timeout()
    }

    async fn checkout(&mut self, timeout: Duration) -> Result<(), Error> {
        let engine = self.engine.clone();
        let taken = Connection::checkout(self, timeout).await;
        taken.map_err(|error| engine.told(error))
    }

    async fn begin(&mut self) -> Result<(), Error> {
        self.send_begin(None).await
    }

    async fn commit(&mut self) -> Result<(), Error> {
        Connection::commit(self).await
    }

    async fn rollback(&mut self) -> Result<(), Error> {
        Connection::rollback(self).await
    }

    fn release(&mut self) {
        self.give_back();
    }
}
