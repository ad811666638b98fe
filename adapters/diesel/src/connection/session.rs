//! What a session needs.

use std::{panic::Location, time::Duration};

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, TransactionManager},
    result::Error,
};
use everpool_engine::{Backend, ConnectionError, PendingRollback};
use everpool_session::{
    RetryReason,
    stack::{Control, Standing},
};

use super::Connection;
use crate::{
    driver::{Driver, TransactionStatus},
    error::not_sent,
    status,
};

impl<C: Driver> Connection<C> {
    /// How a transaction stands that has so many levels to its session.
    pub(crate) fn standing(&mut self, levels: u32) -> Standing {
        let depth = self.depth();
        let lost = Standing::Lost {
            savepoint: depth > 1,
        };
        match self.transaction_status() {
            None | Some(TransactionStatus::Dead) => lost,
            Some(TransactionStatus::Failed) => Standing::Aborted,
            Some(TransactionStatus::Idle) if self.shows_ends() => Standing::Ended,
            Some(_) if depth < levels => Standing::Ended,
            Some(_) => Standing::Sound,
        }
    }

    /// Whether it was ended past its session, if the driver sees no transaction. In AUTOCOMMIT it never sees
    /// one, and on MySQL a statement that commits by the way leaves a COMMIT that does nothing.
    fn shows_ends(&self) -> bool {
        !self.omits_begin && C::BACKEND != Backend::Mysql
    }

    /// What the transaction has met that another one may be spared. It is forgotten when a statement follows on a
    /// transaction that has survived it: then what the program says of it is another matter.
    pub(crate) fn met(&mut self) -> Option<RetryReason> {
        self.settle();
        if self.inner.take_conflict() {
            self.met = Some(RetryReason::Conflict);
        }
        self.met
    }

    /// Before a statement.
    #[cold]
    pub(crate) fn overcomes(&mut self, levels: u32) {
        if self.standing(levels) == Standing::Sound {
            self.met = None;
        }
    }

    pub(crate) fn is_asked_for_at(&mut self, place: &'static Location<'static>) {
        self.inner.is_asked_for_at(place);
    }

    /// Whether each statement is committed at once.
    pub(crate) fn is_autocommit(&self) -> bool {
        self.omits_begin
    }

    /// What a session sends. Savepoints have Diesel's names.
    pub(crate) fn send_control(&mut self, control: Control) -> QueryResult<()> {
        match control {
            Control::Begin => self.send_begin(),
            Control::Savepoint(number) => {
                status::set_depth(self, number);
                AnsiTransactionManager::begin_transaction(self)
            }
            Control::Release(number) => {
                status::set_depth(self, number + 1);
                AnsiTransactionManager::commit_transaction(self)
            }
            Control::RollbackTo(number) => {
                status::set_depth(self, number + 1);
                AnsiTransactionManager::rollback_transaction(self)
            }
            // A session that can prepare sends it itself.
            Control::Prepare => Err(Error::NotInTransaction),
            Control::Commit => self.send_commit(),
            Control::Rollback if self.standing(0) == Standing::Ended => {
                status::set_depth(self, 0);
                Ok(())
            }
            Control::Rollback => self.rollback(),
        }
    }

    /// A connection that was lost within a transaction of somebody else's is not replaced.
    pub(crate) fn checkout_for_session(&mut self, timeout: Duration) -> QueryResult<()> {
        let depth = self.depth();
        if depth > 0 && self.inner.settled().is_none() {
            let savepoint = depth > 1;
            let pending = ConnectionError::PendingRollback(PendingRollback { savepoint });
            return Err(not_sent(pending));
        }
        self.checkout(timeout)
            .map_err(|error| not_sent(error.into()))
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.engine.pool_timeout()
    }

    /// Back to the pool, with the transaction that may be open.
    pub(crate) fn release(&mut self) {
        // What a cursor has seen is forgotten with the connection.
        self.met();
        self.end_transaction();
        self.keep_instrumentation();
        self.inner.release();
        status::set_depth(&mut self.spare, 0);
        self.depth = 0;
    }

    /// Leaves it to somebody else. What stays here has lost it, so that nothing runs on another connection that was
    /// to run in what is open on this one.
    pub(crate) fn lend_out(&mut self) -> Self {
        let mut nowhere = Self::unconnected(self.engine.clone());
        (nowhere.depth, nowhere.scope) = (self.levels(), self.scope);
        status::set_lost(&mut nowhere.spare, nowhere.depth);
        std::mem::replace(self, nowhere)
    }

    /// Rolls back what is open above so many levels, which are somebody else's. Nobody can be told of an error:
    /// it costs the connection.
    pub(crate) fn lower_to(&mut self, levels: u32) {
        if self.depth() > levels {
            self.abandon_level(levels + 1);
        }
    }
}
