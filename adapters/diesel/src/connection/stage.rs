//! What a connection does for the test that plays on it.

use diesel::QueryResult;
use everpool_engine::{Backend, isolation::IsolationLevel};

use super::Connection;
use crate::{
    connector,
    driver::{Driver, TransactionStatus},
    error::{not_sent, test_is_over},
    stage,
};

impl<C: Driver> Connection<C> {
    /// Before a statement: one outside of a transaction can be undone alone, and none is sent where the test was
    /// ended by something: the statement would be committed by itself, but on MySQL, which has no autocommit here.
    #[cold]
    pub(super) fn keep_stage(&mut self, depth: u32) -> QueryResult<()> {
        if depth == 0 || self.omits_begin {
            return self.settle_stage();
        }
        let is_shown = C::BACKEND != Backend::Mysql;
        match is_shown && self.transaction_status() == Some(TransactionStatus::Idle) {
            true => {
                self.invalidate();
                Err(test_is_over())
            }
            false => Ok(()),
        }
    }

    /// What was done before counts as committed, so that what comes next can be undone alone. Where that fails, the
    /// transaction of the test was ended by something.
    #[cold]
    fn settle_stage(&mut self) -> QueryResult<()> {
        let (connection, operation) = self.inner.operate(0).map_err(not_sent)?;
        let Err(error) = stage::settle(connection) else {
            operation.finished(None);
            return Ok(());
        };
        operation.finished(Some(connector::fault(&error, connection)));
        self.settle();
        if self.inner.settled().is_none() {
            return Err(error);
        }
        self.invalidate();
        Err(test_is_over())
    }

    /// A connection that is given up goes on in the test, so it is left with nothing but what the engine gave it.
    /// PostgreSQL undoes that with the test. If something fails, there is nothing to be kept.
    #[cold]
    pub(super) fn leave_stage(&mut self) {
        let level = self.engine.default_level().get().copied();
        let level = level.unwrap_or(IsolationLevel::Serializable);
        let undo = self
            .characteristics
            .undo(C::BACKEND, self.engine.characteristics(), level);
        let Some(connection) = self.inner.settled() else {
            return;
        };
        if self.depth == 0 {
            let _settled = stage::settle(connection);
        }
        if C::BACKEND != Backend::Postgresql {
            let _undone: QueryResult<()> = undo
                .iter()
                .try_for_each(|statement| connection.batch_execute(statement));
        }
    }
}
