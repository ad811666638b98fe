//! What a connection does for two-phase transactions, which SQLx knows nothing of.

use everpool_engine::{
    Backend,
    events::Event,
    stage::StageError,
    twophase::{self, Phase, Xid},
};
use sqlx::Error;

use super::Connection;
use crate::{
    as_sqlx::{bad_option, in_twophase, is_open},
    driver::Driver,
    two_phase::TwoPhase,
};

impl<DB: Driver> Connection<DB> {
    /// Begins a two-phase transaction, under an identifier of its own or a random one. PostgreSQL
    /// (with `max_prepared_transactions` above 0), MySQL and MariaDB have them.
    ///
    /// # Errors
    ///
    /// That a transaction is open; an identifier that cannot be one; the driver's.
    pub async fn begin_twophase<'x>(
        &mut self,
        xid: impl Into<Option<&'x str>>,
    ) -> Result<TwoPhase<'_, DB>, Error> {
        let backend = self.engine.backend();
        let xid = match xid.into() {
            Some(name) => Xid::new(backend, name),
            None => Xid::random(backend),
        };
        let xid = xid.map_err(bad_option)?;
        if self.in_transaction() {
            return Err(is_open());
        }
        if self.engine.is_staged() {
            return Err(bad_option(StageError::Twophase));
        }
        self.ready().await?;
        self.tell(Event::BeginTwophase(&xid.to_string()));
        self.send(&xid.begin()).await?;
        self.twophase = 1;
        Ok(TwoPhase::new(self, xid))
    }

    /// The transactions that are prepared in this database and not ended. Those of other transaction
    /// managers, whose identifiers are not of the kind that everpool makes, are left out.
    ///
    /// # Errors
    ///
    /// The driver's, or that the database has none.
    pub async fn recover_twophase(&mut self) -> Result<Vec<Xid>, Error> {
        let backend = self.engine.backend();
        let asked = twophase::recover(backend).map_err(bad_option)?;
        let answer = self.ready().await?.texts(asked).await;
        let rows = self.leave(answer, Some(asked))?;
        Ok(rows
            .iter()
            .filter_map(|row| recovered(backend, row))
            .collect())
    }

    /// Commits a transaction that was prepared, by whomever.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn commit_prepared(&mut self, xid: &Xid) -> Result<(), Error> {
        self.tell(Event::CommitTwophase(&xid.to_string(), true));
        self.send_all(xid.commit(Phase::Prepared)).await
    }

    /// Rolls back a transaction that was prepared, by whomever.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn rollback_prepared(&mut self, xid: &Xid) -> Result<(), Error> {
        self.tell(Event::RollbackTwophase(&xid.to_string(), true));
        self.send_all(xid.rollback(Phase::Prepared)).await
    }

    pub(crate) async fn send_all(&mut self, statements: Vec<String>) -> Result<(), Error> {
        for statement in statements {
            self.send(&statement).await?;
        }
        Ok(())
    }

    /// Its own end, and no other, is the end of a two-phase transaction.
    pub(super) fn check_no_twophase(&self) -> Result<(), Error> {
        match self.twophase {
            0 => Ok(()),
            _ => Err(in_twophase()),
        }
    }

    /// The connection is in no transaction any more: it was ended or prepared.
    pub(crate) fn leave_twophase(&mut self) {
        (self.depth, self.twophase) = (0, 0);
        if let Some(wire) = self.inner.settled() {
            wire.flags_mut().twophase_ended();
        }
    }

    /// Has the pool send what ends a transaction, before it lends the connection again. Another one is
    /// taken for the next statement. Not, if the connection was lost or is detached.
    pub(crate) fn leave_to_the_pool(&mut self, statements: Vec<String>) -> bool {
        self.settle();
        let wire = self.inner.settled();
        let is_left = wire.map(|wire| wire.owes(statements)).is_some();
        self.inner.release();
        is_left
    }
}

/// PostgreSQL tells the name alone; MySQL a format, the lengths of its two parts, and the name.
fn recovered(backend: Backend, row: &[String]) -> Option<Xid> {
    match row {
        [name] => Xid::new(backend, name).ok(),
        [format, global, branch, name] => Xid::from_recovered(
            format.parse().ok()?,
            global.parse().ok()?,
            branch.parse().ok()?,
            name,
        ),
        _ => None,
    }
}
