use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use diesel::QueryResult;

use crate::{connection::Connection, driver::Driver};

/// A transaction or a savepoint on a [`Connection`], rolled back if it is dropped.
///
/// It derefs to the connection, on which statements run: `.execute(&mut *transaction)`. If the
/// transaction is ended past it, by [`Connection::rollback`] or by a raw COMMIT, statements fail until
/// this is gone, because they would run outside of the transaction that the code shows.
#[must_use = "a transaction that is dropped is rolled back at once"]
pub struct Transaction<'a, C: Driver> {
    connection: &'a mut Connection<C>,
    /// At which level of transaction this is.
    level: u32,
    /// The level of the scope around it.
    outer: u32,
    is_over: bool,
}

impl<'a, C: Driver> Transaction<'a, C> {
    /// The transaction at `level`, which was just begun.
    pub(crate) fn new(connection: &'a mut Connection<C>, level: u32) -> Self {
        let outer = connection.enter_scope(level);
        Self {
            connection,
            level,
            outer,
            is_over: false,
        }
    }

    /// Whether it is still to be ended: by a rollback, if the connection was lost. Does not block.
    pub fn is_open(&mut self) -> bool {
        self.connection.levels() >= self.level
    }

    /// Whether it can still be committed: it is open, and the connection not lost (SQLAlchemy's
    /// `is_valid`). Does not block.
    pub fn is_valid(&mut self) -> bool {
        self.is_open() && !self.connection.invalidated()
    }

    /// Commits it, or releases the savepoint. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's; then it is rolled back. If the connection was lost at COMMIT, it is not known
    /// whether it was committed. [`NotInTransaction`](diesel::result::Error::NotInTransaction) if it
    /// was ended before.
    pub fn commit(mut self) -> QueryResult<()> {
        self.leave();
        self.connection.commit_level(self.level)
    }

    /// Undoes it, or all since the savepoint. Blocks. If the connection was lost, or the transaction
    /// ended before, there is nothing left to undo.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn rollback(mut self) -> QueryResult<()> {
        self.leave();
        self.connection.rollback_level(self.level)
    }

    fn leave(&mut self) {
        self.is_over = true;
        self.connection.leave_scope(self.outer);
    }
}

impl<C: Driver> Drop for Transaction<'_, C> {
    fn drop(&mut self) {
        if !self.is_over {
            self.leave();
            self.connection.abandon_level(self.level);
        }
    }
}

impl<C: Driver> Deref for Transaction<'_, C> {
    type Target = Connection<C>;

    fn deref(&self) -> &Connection<C> {
        self.connection
    }
}

impl<C: Driver> DerefMut for Transaction<'_, C> {
    fn deref_mut(&mut self) -> &mut Connection<C> {
        self.connection
    }
}

impl<C: Driver> fmt::Debug for Transaction<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("connection", &self.connection)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
