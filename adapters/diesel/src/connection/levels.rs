//! Transactions and savepoints.

use std::{
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
};

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, TransactionManager},
    result::Error,
};
use everpool_core::ResetOnReturn;

use super::Connection;
use crate::{
    driver::{Driver, TransactionStatus},
    error::rolled_back,
    status,
    transaction::Transaction,
};

impl<C: Driver> Connection<C> {
    /// Sends BEGIN. The transaction is rolled back if it is dropped before it is committed. Blocks.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyInTransaction`], or the driver's.
    pub fn begin(&mut self) -> QueryResult<Transaction<'_, C>> {
        self.send_begin()?;
        Ok(Transaction::new(self, 1))
    }

    pub(crate) fn send_begin(&mut self) -> QueryResult<()> {
        AnsiTransactionManager::begin_transaction_sql(self, "BEGIN")
    }

    /// Sets a savepoint, rolled back to if it is dropped before it is committed. If there is no
    /// transaction, one is begun first, and stays open after the savepoint's end. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn begin_nested(&mut self) -> QueryResult<Transaction<'_, C>> {
        if self.depth() == 0 {
            self.send_begin()?;
        }
        AnsiTransactionManager::begin_transaction(self)?;
        let level = self.depth();
        Ok(Transaction::new(self, level))
    }

    /// Whether a transaction is open, or was when the connection was lost. Does not block.
    pub fn in_transaction(&mut self) -> bool {
        self.depth() > 0
    }

    /// Whether a savepoint is open in it. Does not block.
    pub fn in_nested_transaction(&mut self) -> bool {
        self.depth() > 1
    }

    /// Commits the outermost transaction and with it all savepoints; without a transaction, nothing.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// The driver's. If the connection was lost at COMMIT, it is not known whether it was committed.
    /// If a statement had failed and the server would answer COMMIT by a rollback and no error, it is
    /// rolled back here, and that is the error.
    pub fn commit(&mut self) -> QueryResult<()> {
        if self.depth() == 0 {
            return Ok(());
        }
        if self.is_aborted() {
            return self.rollback().and_then(|()| Err(rolled_back()));
        }
        self.send_commit()
    }

    pub(crate) fn send_commit(&mut self) -> QueryResult<()> {
        if !self.invalidated() {
            status::set_depth(self, 1);
        }
        AnsiTransactionManager::commit_transaction(self)
    }

    /// Whether a transaction is open that takes nothing but a rollback. Does not block.
    pub(crate) fn is_aborted(&mut self) -> bool {
        let status = self.transaction_status();
        self.depth() > 0 && status == Some(TransactionStatus::Failed)
    }

    /// What the driver knows of the transaction; `None` if there is no connection.
    pub(crate) fn transaction_status(&mut self) -> Option<TransactionStatus> {
        self.inner.current().map(C::transaction_status)
    }

    /// Rolls the outermost transaction back and with it all savepoints; without a transaction,
    /// nothing. If the connection was lost there is nothing left to undo: the next statement takes
    /// another. Blocks for ROLLBACK.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn rollback(&mut self) -> QueryResult<()> {
        if self.depth() == 0 {
            return Ok(());
        }
        status::set_depth(self, 1);
        AnsiTransactionManager::rollback_transaction(self)
    }

    /// How many levels of transaction are open, or were when the connection was lost.
    pub(crate) fn levels(&mut self) -> u32 {
        self.depth()
    }

    pub(crate) fn enter_scope(&mut self, level: u32) -> u32 {
        std::mem::replace(&mut self.scope, level)
    }

    pub(crate) fn leave_scope(&mut self, outer: u32) {
        self.scope = outer;
    }

    pub(crate) fn commit_level(&mut self, level: u32) -> QueryResult<()> {
        if self.depth() < level {
            return Err(Error::NotInTransaction);
        }
        match NonZeroU32::new(level).filter(|level| level.get() > 1) {
            None => self.commit(),
            Some(level) => {
                status::lower(self, level);
                AnsiTransactionManager::commit_transaction(self)
            }
        }
    }

    pub(crate) fn rollback_level(&mut self, level: u32) -> QueryResult<()> {
        if self.depth() < level {
            return Ok(());
        }
        match NonZeroU32::new(level).filter(|level| level.get() > 1) {
            None => self.rollback(),
            Some(level) => {
                status::lower(self, level);
                AnsiTransactionManager::rollback_transaction(self)
            }
        }
    }

    /// Rolls a level back in a destructor, in which nobody can be told, and nothing may panic.
    pub(crate) fn abandon_level(&mut self, level: u32) {
        let rolled_back = catch_unwind(AssertUnwindSafe(|| self.rollback_level(level)));
        if !matches!(rolled_back, Ok(Ok(()))) {
            self.invalidate();
        }
    }

    /// Rolls back what was begun and not ended, where the pool would do something else with it.
    pub(super) fn end_transaction(&mut self) {
        let open = self.depth() > 0 && self.inner.is_connected();
        if !open || self.inner.pool().reset_on_return() == ResetOnReturn::Rollback {
            return;
        }
        if self
            .inner
            .current()
            .is_some_and(|connection| status::is_test_transaction(connection))
        {
            return;
        }
        self.abandon_level(1);
    }
}
