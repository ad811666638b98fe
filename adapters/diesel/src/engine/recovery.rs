//! Two-phase transactions that nobody has any more.

use diesel::{QueryResult, result::Error};
use everpool_engine::twophase::Xid;
use everpool_session::blocking::Recovers;

use super::Engine;
use crate::{connection::Connection, driver::Driver, error::not_sent};

impl<C: Driver> Engine<C> {
    /// The two-phase transactions that are prepared in this database and not ended: of sessions and connections
    /// of whatever program, if it still runs or not. Those of other transaction managers, whose identifiers are not
    /// of the kind that everpool makes, are left out. Over several engines: [`recover`](crate::recover). Blocks for a
    /// checkout and a query.
    ///
    /// # Errors
    ///
    /// The driver's; that there is no connection; or that the database has none.
    pub fn recover_twophase(&self) -> QueryResult<Vec<Xid>> {
        self.lend()?.recover_twophase()
    }

    /// Commits a transaction that is prepared, by whomever. Blocks for a checkout and what is sent.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    pub fn commit_prepared(&self, xid: &Xid) -> QueryResult<()> {
        self.lend()?.commit_prepared(xid)
    }

    /// Rolls back a transaction that is prepared, by whomever. Blocks for a checkout and what is sent.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    pub fn rollback_prepared(&self, xid: &Xid) -> QueryResult<()> {
        self.lend()?.rollback_prepared(xid)
    }

    fn lend(&self) -> QueryResult<Connection<C>> {
        self.connect().map_err(|error| not_sent(error.into()))
    }
}

impl<C: Driver> Recovers<Error> for Engine<C> {
    fn recover_twophase(&self) -> QueryResult<Vec<Xid>> {
        Self::recover_twophase(self)
    }

    fn commit_prepared(&self, xid: &Xid) -> QueryResult<()> {
        Self::commit_prepared(self, xid)
    }

    fn rollback_prepared(&self, xid: &Xid) -> QueryResult<()> {
        Self::rollback_prepared(self, xid)
    }
}
