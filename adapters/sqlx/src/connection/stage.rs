//! What a connection does for the test that plays on it.

use everpool_engine::{Backend, isolation::IsolationLevel, stage::StageError};
use sqlx::Error;

use super::Connection;
use crate::{as_sqlx::bad_option, driver::Driver, flags::Flags};

impl<DB: Driver> Connection<DB> {
    /// Before a statement: one outside of a transaction can be undone alone, and none is sent where the test was
    /// ended by something: the statement would be committed by itself, but on MySQL, which has no autocommit here.
    #[cold]
    pub(super) async fn keep_stage(&mut self, depth: usize) -> Result<(), Error> {
        if depth == 0 || self.omitted.is_some() {
            return self.mark_stage().await;
        }
        let is_shown = self.engine.backend() != Backend::Mysql;
        let is_open = |flags: &Flags| flags.may_be_open();
        match is_shown && !self.flags().is_none_or(is_open) {
            true => {
                self.inner.invalidate();
                Err(bad_option(StageError::Ended))
            }
            false => Ok(()),
        }
    }

    /// A connection that is given up goes on in the test, so it is left with nothing but what the engine gave it.
    /// PostgreSQL undoes that with the test.
    pub(super) fn leave_stage(&mut self) {
        let backend = self.engine.backend();
        if !self.engine.is_staged() || backend == Backend::Postgresql {
            return;
        }
        let level = self.engine.default_level().get().copied();
        let level = level.unwrap_or(IsolationLevel::Serializable);
        let undo = self
            .characteristics
            .undo(backend, self.engine.characteristics(), level);
        if let Some(wire) = self.inner.settled() {
            wire.owes(undo);
        }
    }

    /// What was done before counts as committed, so that what comes next can be undone alone. Where that fails, the
    /// transaction of the test was ended by something.
    async fn mark_stage(&mut self) -> Result<(), Error> {
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
