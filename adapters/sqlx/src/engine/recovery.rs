//! Two-phase transactions that nobody has any more.

use std::{future::Future, pin::Pin};

use everpool_engine::twophase::Xid;
use everpool_session::future::Recovers;
use sqlx::Error;

use super::Engine;
use crate::driver::Driver;

impl<DB: Driver> Engine<DB> {
    /// The two-phase transactions that are prepared in this database and not ended: of sessions and connections
    /// of whatever program, if it still runs or not. Those of other transaction managers, whose identifiers are not
    /// of the kind that everpool makes, are left out. Over several engines: [`recover`](crate::recover).
    ///
    /// # Errors
    ///
    /// The driver's; that there is no connection; or that the database has none.
    pub async fn recover_twophase(&self) -> Result<Vec<Xid>, Error> {
        self.lend().await?.recover_twophase().await
    }

    /// Commits a transaction that is prepared, by whomever.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    pub async fn commit_prepared(&self, xid: &Xid) -> Result<(), Error> {
        self.lend().await?.commit_prepared(xid).await
    }

    /// Rolls back a transaction that is prepared, by whomever.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    pub async fn rollback_prepared(&self, xid: &Xid) -> Result<(), Error> {
        self.lend().await?.rollback_prepared(xid).await
    }
}

type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl<DB: Driver> Recovers<Error> for Engine<DB> {
    fn recover_twophase(&self) -> Waiting<'_, Vec<Xid>> {
        Box::pin(Self::recover_twophase(self))
    }

    fn commit_prepared<'a>(&'a self, xid: &'a Xid) -> Waiting<'a, ()> {
        Box::pin(Self::commit_prepared(self, xid))
    }

    fn rollback_prepared<'a>(&'a self, xid: &'a Xid) -> Waiting<'a, ()> {
        Box::pin(Self::rollback_prepared(self, xid))
    }
}
