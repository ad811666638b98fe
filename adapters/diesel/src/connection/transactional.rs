//! What a session needs.

use std::time::Duration;

use diesel::{QueryResult, result::Error};
use everpool_session::blocking::{Standing, Transactional};

use super::Connection;
use crate::{
    driver::{Driver, TransactionStatus},
    error::not_sent,
    status,
};

impl<C: Driver> Transactional for Connection<C> {
    type Error = Error;

    fn has_begun(&mut self) -> bool {
        self.depth() > 0
    }

    fn standing(&mut self) -> Standing {
        let depth = self.depth();
        match self.inner.current() {
            _ if depth == 0 => Standing::Pending,
            None => Standing::Lost {
                savepoint: depth > 1,
            },
            Some(connection) => match connection.transaction_status() {
                TransactionStatus::Failed => Standing::Aborted,
                _ => Standing::Begun,
            },
        }
    }

    fn is_connected(&mut self) -> bool {
        self.settle();
        self.inner.is_connected()
    }

    fn timeout(&self) -> Duration {
        self.inner.pool().timeout()
    }

    fn checkout(&mut self, timeout: Duration) -> QueryResult<()> {
        Connection::checkout(self, timeout).map_err(|error| not_sent(error.into()))
    }

    fn begin(&mut self) -> QueryResult<()> {
        self.send_begin()
    }

    fn commit(&mut self) -> QueryResult<()> {
        Connection::commit(self)
    }

    fn rollback(&mut self) -> QueryResult<()> {
        Connection::rollback(self)
    }

    fn release(&mut self) {
        self.end_transaction();
        self.keep_instrumentation();
        self.inner.release();
        status::set_depth(&mut self.spare, 0);
        self.depth = 0;
    }
}
