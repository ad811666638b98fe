//! Transactions and savepoints, as the driver counts them.

use sqlx_core::transaction::TransactionManager;

use super::{Answer, Wire};
use crate::{driver::Driver, flags::Abandoned, version::Begin};

const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const SAVEPOINT: &str = "SAVEPOINT it";
const RELEASE: &str = "RELEASE SAVEPOINT it";
const ROLLBACK_TO: &str = "ROLLBACK TO SAVEPOINT it";

/// SQLx's name of a savepoint with so many levels around it.
pub(crate) fn savepoint(around: usize) -> String {
    format!("_sqlx_savepoint_{around}")
}

/// What is sent for a level of transaction with so many around it, for who reads along.
fn level(around: usize, outermost: &'static str, nested: &'static str) -> &'static str {
    if around > 0 { nested } else { outermost }
}

impl<DB: Driver> Wire<DB> {
    /// Begins a transaction or sets a savepoint.
    pub(crate) async fn begin(&mut self, statement: Option<Begin>) -> Answer<()> {
        // What begins a transaction otherwise begins no savepoint.
        let statement = statement.filter(|_| self.floor == 0);
        let depth = self.all_levels();
        if depth == 0 {
            self.flags.seen(true);
        }
        self.flags.sends(level(depth, BEGIN, SAVEPOINT));
        let answer = DB::TransactionManager::begin(&mut self.connection, statement).await;
        self.answered(answer)
    }

    /// Commits the innermost level.
    pub(crate) async fn commit(&mut self) -> Answer<()> {
        let nested = self.all_levels().saturating_sub(1);
        self.flags.sends(level(nested, COMMIT, RELEASE));
        let answer = DB::TransactionManager::commit(&mut self.connection).await;
        self.answered(answer)
    }

    /// Rolls the innermost level back.
    pub(crate) async fn rollback(&mut self) -> Answer<()> {
        let depth = self.all_levels();
        self.flags
            .sends(level(depth.saturating_sub(1), ROLLBACK, ROLLBACK_TO));
        let answer = DB::TransactionManager::rollback(&mut self.connection).await;
        match self.answered(answer) {
            Err(error) if self.is_sqlite() && error.as_database_error().is_some() => {
                self.rollback_anew(depth).await
            }
            answer => answer,
        }
    }

    /// The database has ended the transaction by itself, and SQLx counts its levels still: so they are
    /// made once more. That takes no lock.
    #[cold]
    async fn rollback_anew(&mut self, depth: usize) -> Answer<()> {
        // It says again that none is open.
        let _is_over = self.run(ROLLBACK.to_owned()).await;
        let savepoints = (1..depth).map(|around| format!("; SAVEPOINT {}", savepoint(around)));
        self.run(BEGIN.to_owned() + &savepoints.collect::<String>())
            .await?;
        self.flags
            .sends(level(depth.saturating_sub(1), ROLLBACK, ROLLBACK_TO));
        let answer = DB::TransactionManager::rollback(&mut self.connection).await;
        self.answered(answer)
    }

    /// Whether the database has ended the transaction by itself, which it says nowhere: then another one can
    /// be begun. That stays open, so that what follows is not committed by itself. It takes no lock. What a text
    /// has begun is the program's to look after.
    #[cold]
    pub(super) async fn look_whether_open(&mut self) -> Answer<()> {
        if self.all_levels() == 0 {
            self.flags.seen(true);
            return Ok(());
        }
        self.flags.asks();
        let begun = DB::run(&mut self.connection, BEGIN.to_owned()).await;
        let is_open = begun.is_err();
        match begun {
            Err(error) if error.as_database_error().is_none() => self.answered(Err(error)),
            _ => {
                self.flags.seen(is_open);
                Ok(())
            }
        }
    }

    /// Has the innermost level rolled back with the next statement. No I/O.
    pub(crate) fn start_rollback(&mut self) {
        let left = self.all_levels().saturating_sub(1);
        let sql = level(left, ROLLBACK, ROLLBACK_TO);
        self.flags.abandons(Abandoned { left, sql });
        DB::TransactionManager::start_rollback(&mut self.connection);
    }

    /// SQLx does not do the next rollback without an answer on SQLite, if the end of a transaction was given
    /// up after it was sent. This is that rollback; it costs no transaction that is to be kept.
    pub(crate) fn spend_ignored_rollback(&mut self) {
        if self.is_sqlite() {
            DB::TransactionManager::start_rollback(&mut self.connection);
        }
    }
}
