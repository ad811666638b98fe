//! What a session needs, and BEGIN without one.

use std::time::Duration;

use everpool_engine::{Backend, PendingRollback};
use everpool_session::{
    TransactionId,
    future::Begins,
    stack::{Control, Standing},
};
use sqlx::Error;

use super::Connection;
use crate::{
    as_sqlx::{lost_before, not_in_transaction},
    driver::Driver,
    wire::Wire,
};

impl<DB: Driver> Connection<DB> {
    /// How a transaction stands that has so many levels to its session.
    pub(crate) fn standing(&mut self, levels: u32) -> Standing {
        let depth = self.levels();
        let is_ended = self.is_ended();
        match self.wire() {
            None => Standing::Lost {
                savepoint: depth > 1,
            },
            Some(wire) if wire.flags().is_aborted() => Standing::Aborted,
            Some(_) if depth < levels as usize || is_ended => Standing::Ended,
            Some(_) => Standing::Sound,
        }
    }

    /// How many levels of transaction there are to a session: none, if the program has ended them by a text,
    /// of which the driver does not take note.
    #[inline]
    pub(crate) fn session_levels(&mut self) -> usize {
        let levels = self.levels();
        if self.is_ended() { 0 } else { levels }
    }

    /// Whether it was ended past its session. In AUTOCOMMIT nothing is ever open, and on MySQL a statement
    /// that commits by the way leaves a COMMIT that does nothing.
    #[inline]
    fn is_ended(&mut self) -> bool {
        let is_shown = self.omitted.is_none() && self.engine.backend() != Backend::Mysql;
        let flags = self.flags();
        is_shown && flags.is_some_and(|flags| flags.has_ended() || !flags.may_be_open())
    }

    /// A transaction that the program has begun on the driver's own connection is open, though no text of it was
    /// read.
    pub(crate) fn trust_the_driver(&mut self) {
        let counts = |wire: &&mut Wire<DB>| wire.depth() > 0;
        if let Some(wire) = self.wire().filter(counts) {
            wire.flags_mut().left_open();
        }
    }

    /// Which transaction this is, as PostgreSQL numbers them.
    pub(crate) async fn transaction_id(&mut self) -> Result<TransactionId, Error> {
        // As a text, which every driver reads.
        let sql = format!(
            "SELECT transaction_id::text FROM ({}) AS asked",
            TransactionId::QUERY
        );
        match self.ask(&sql).await? {
            None => Ok(TransactionId::Unassigned),
            Some(number) => match number.parse() {
                Ok(number) => Ok(TransactionId::Assigned(number)),
                Err(error) => Err(Error::Decode(Box::new(error))),
            },
        }
    }

    /// The first value of the only row of a query of this crate's own; `None` if it is NULL.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Option<String>, Error> {
        self.ready().await?;
        self.sends(sql);
        let answer = self.ready().await?.word(sql.to_owned()).await;
        self.answered(sql, &answer);
        self.leave(answer, Some(sql))
    }

    /// What a session sends. Savepoints have SQLx's names.
    pub(crate) async fn send_control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::Begin | Control::Savepoint(_) => self.send_begin(None).await,
            Control::Release(number) => self.commit_level(number as usize + 1).await,
            Control::RollbackTo(number) => self.rollback_level(number as usize + 1).await,
            // A session that can prepare sends it itself.
            Control::Prepare => Err(not_in_transaction()),
            Control::Commit => self.commit_everything().await,
            Control::Rollback => self.rollback_everything().await,
        }
    }

    /// After a deadlock MySQL has no savepoint any more that the driver would go back to. A connection that
    /// is closed is rolled back, too.
    async fn rollback_everything(&mut self) -> Result<(), Error> {
        let is_nested = self.levels() > 1;
        match self.rollback().await {
            Err(_) if is_nested => {
                self.invalidate();
                Ok(())
            }
            answer => answer,
        }
    }

    /// A connection that was lost within a transaction of somebody else's is not replaced.
    pub(crate) async fn checkout_for_session(&mut self, timeout: Duration) -> Result<(), Error> {
        let depth = self.levels();
        if depth > 0 && self.inner.settled().is_none() {
            let savepoint = depth > 1;
            return Err(lost_before(PendingRollback { savepoint }));
        }
        let engine = self.engine.clone();
        let taken = self.checkout(timeout).await;
        taken.map_err(|error| engine.told(error))
    }

    /// Leaves it to somebody else. What stays here has lost it, so that nothing runs on another connection that was
    /// to run in what is open on this one.
    pub(crate) fn lend_out(&mut self) -> Self {
        let mut nowhere = Self::unconnected(self.engine.clone());
        (nowhere.depth, nowhere.scope) = (self.levels(), self.scope);
        std::mem::replace(self, nowhere)
    }

    /// Rolls back what is open above so many levels, which are somebody else's: with the next statement, or at
    /// the return. What is part of a two-phase transaction is not rolled back alone, so that is lost.
    pub(crate) fn lower_to(&mut self, levels: usize) {
        match self.levels() > levels {
            false => {}
            true if self.twophase > 0 => self.invalidate(),
            true => self.abandon_level(levels + 1),
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.engine.pool_timeout()
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
