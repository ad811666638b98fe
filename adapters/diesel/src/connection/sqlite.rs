//! What only SQLite has.

use diesel::{
    SqliteConnection,
    connection::{AnsiTransactionManager, TransactionManager},
    result::Error,
};

use super::Connection;

impl Connection<SqliteConnection> {
    /// As Diesel's method of this name: runs `work` in a transaction that was begun with
    /// `BEGIN IMMEDIATE`. Blocks.
    ///
    /// # Errors
    ///
    /// The work's, after which it is rolled back, or the driver's; [`Error::AlreadyInTransaction`].
    pub fn immediate_transaction<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        self.transaction_begun_by("BEGIN IMMEDIATE", work)
    }

    /// As [`immediate_transaction`](Self::immediate_transaction), with `BEGIN EXCLUSIVE`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn exclusive_transaction<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        self.transaction_begun_by("BEGIN EXCLUSIVE", work)
    }

    fn transaction_begun_by<T, E, F>(&mut self, begin: &str, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        AnsiTransactionManager::begin_transaction_sql(self, begin)?;
        match work(self) {
            Ok(done) => {
                AnsiTransactionManager::commit_transaction(self)?;
                Ok(done)
            }
            Err(error) => {
                AnsiTransactionManager::rollback_transaction(self)?;
                Err(error)
            }
        }
    }
}
