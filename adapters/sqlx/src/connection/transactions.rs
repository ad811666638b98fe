//! Transactions and savepoints.

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use everpool_engine::events::Event;
use sqlx::Error;

use super::Connection;
use crate::{
    as_sqlx::{out_of_step, rolled_back},
    driver::Driver,
    transaction::Transaction,
    version::{Begin, BeginStatement, begin_text},
    wire::savepoint,
};

impl<DB: Driver> Connection<DB> {
    /// Begins a transaction, or sets a savepoint if one is open, as SQLx's method of this name. It is
    /// rolled back if it is dropped before it is committed.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn begin(&mut self) -> Result<Transaction<'_, DB>, Error> {
        self.send_begin(None).await?;
        let level = self.levels();
        Ok(Transaction::new(self, level))
    }

    /// As [`begin`](Self::begin), with another statement than `BEGIN`.
    ///
    /// # Errors
    ///
    /// The driver's; that a transaction is open, or that the statement has begun none.
    pub async fn begin_with(
        &mut self,
        statement: impl BeginStatement,
    ) -> Result<Transaction<'_, DB>, Error> {
        self.send_begin(Some(statement.into_begin())).await?;
        let level = self.levels();
        Ok(Transaction::new(self, level))
    }

    /// Sets a savepoint, as [`begin`](Self::begin) does in a transaction; if none is open, begins one
    /// first, which stays open when the savepoint has ended.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn begin_nested(&mut self) -> Result<Transaction<'_, DB>, Error> {
        if !self.in_transaction() {
            self.send_begin(None).await?;
        }
        self.begin().await
    }

    pub(crate) async fn send_begin(&mut self, statement: Option<Begin>) -> Result<(), Error> {
        self.ready().await?;
        self.check_no_twophase()?;
        let depth = self.levels();
        if depth > 0 && statement.is_some() {
            return Err(Error::InvalidSavePointStatement);
        }
        let statement = statement.or_else(|| self.begins_otherwise(depth));
        let sql = match &statement {
            Some(statement) => Cow::Owned(begin_text(statement).to_owned()),
            None => begins(depth),
        };
        match depth {
            0 => self.tell(Event::Begin),
            depth => self.tell(Event::Savepoint(&savepoint(depth))),
        }
        if let Some(begun) = &mut self.omitted {
            *begun += 1;
            return Ok(());
        }
        self.sends(&sql);
        let answer = self.ready().await?.begin(statement).await;
        self.answered(&sql, &answer);
        self.leave(answer, Some(&sql))
    }

    /// What the engine begins transactions with, if that is not what SQLx does.
    fn begins_otherwise(&self, depth: usize) -> Option<Begin> {
        let wording = self.engine.begin_wording();
        (depth == 0 && wording != "BEGIN").then(|| wording.into_begin())
    }

    /// Whether a transaction is open, or was when the connection was lost.
    pub fn in_transaction(&mut self) -> bool {
        self.levels() > 0
    }

    /// Whether a savepoint is open in it.
    pub fn in_nested_transaction(&mut self) -> bool {
        self.levels() > 1
    }

    /// Commits the outermost transaction and with it all savepoints; without a transaction, nothing.
    ///
    /// # Errors
    ///
    /// The driver's. If the connection was lost at COMMIT, it is not known whether it was committed.
    /// If a statement had failed and the server would answer COMMIT by a rollback and no error, it is
    /// rolled back here, and that is the error.
    pub async fn commit(&mut self) -> Result<(), Error> {
        self.has_ended = true;
        self.commit_everything().await
    }

    pub(crate) async fn commit_everything(&mut self) -> Result<(), Error> {
        self.check_no_twophase()?;
        self.commit_level(1).await
    }

    /// Rolls the outermost transaction back and with it all savepoints; without a transaction,
    /// nothing. If the connection was lost there is nothing left to undo: the next statement takes
    /// another.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn rollback(&mut self) -> Result<(), Error> {
        self.check_no_twophase()?;
        self.rollback_level(1).await
    }

    pub(crate) fn enter_scope(&mut self, level: usize) -> usize {
        std::mem::replace(&mut self.scope, level)
    }

    pub(crate) fn leave_scope(&mut self, outer: usize) {
        self.scope = outer;
    }

    /// Commits a level and all above it.
    pub(crate) async fn commit_level(&mut self, level: usize) -> Result<(), Error> {
        if self.levels() < level {
            return Ok(());
        }
        self.look_for_failures().await?;
        if level == 1 && self.is_aborted() {
            self.rollback_level(1).await?;
            return Err(rolled_back());
        }
        while self.levels() >= level {
            self.commit_innermost().await?;
        }
        Ok(())
    }

    /// Whether a transaction is open that takes nothing but a rollback.
    fn is_aborted(&mut self) -> bool {
        self.flags()
            .is_some_and(|flags| flags.is_aborted() || flags.has_ended())
    }

    /// What was not read yet may be an error, and what was done past this connection may have failed or
    /// left it out of step. Then PostgreSQL would answer COMMIT by a rollback and no error.
    pub(super) async fn look_for_failures(&mut self) -> Result<(), Error> {
        self.catch_up().await?;
        let Some(wire) = self.wire().filter(|wire| wire.flags().is_lent_out()) else {
            return Ok(());
        };
        match wire.is_in_step().await {
            Ok(true) => Ok(()),
            // The flags have seen what it means, unless it is a disconnect.
            Err(error) if error.as_database_error().is_some() => {
                self.judge(error, None);
                Ok(())
            }
            Ok(false) | Err(Error::RowNotFound) => {
                self.invalidate();
                Err(out_of_step())
            }
            Err(error) => Err(self.judge(error, None)),
        }
    }

    async fn commit_innermost(&mut self) -> Result<(), Error> {
        match self.depth {
            1 => self.tell(Event::Commit),
            depth => self.tell(Event::ReleaseSavepoint(&savepoint(depth - 1))),
        }
        if self.end_omitted() {
            return Ok(());
        }
        let sql = commits(self.depth);
        self.ready().await?;
        self.sends(&sql);
        let answer = self.ready().await?.commit().await;
        self.answered(&sql, &answer);
        let answer = self.leave(answer, Some(&sql));
        self.level_lost(1);
        answer
    }

    /// Rolls a level back and all above it.
    pub(crate) async fn rollback_level(&mut self, level: usize) -> Result<(), Error> {
        while self.levels() >= level {
            if self.inner.settled().is_none() {
                self.depth = level - 1;
                return Ok(());
            }
            self.rollback_innermost().await?;
        }
        Ok(())
    }

    async fn rollback_innermost(&mut self) -> Result<(), Error> {
        self.tells_rollback(self.depth);
        if self.end_omitted() {
            return Ok(());
        }
        let sql = rolls_back(self.depth);
        self.ready().await?;
        self.sends(&sql);
        let answer = self.ready().await?.rollback().await;
        self.answered(&sql, &answer);
        match self.leave(answer, Some(&sql)) {
            // The server rolls back when the connection is lost, be it before or by this.
            Err(_) if self.inner.settled().is_none() => Ok(()),
            answer => answer,
        }
    }

    fn tells_rollback(&mut self, depth: usize) {
        match depth {
            1 => self.tell(Event::Rollback),
            depth => self.tell(Event::RollbackSavepoint(&savepoint(depth - 1))),
        }
    }

    fn end_omitted(&mut self) -> bool {
        match &mut self.omitted {
            Some(begun) => {
                *begun = begun.saturating_sub(1);
                true
            }
            None => false,
        }
    }

    /// The level that was to be ended is over if the connection was lost by that.
    fn level_lost(&mut self, levels: usize) {
        if self.inner.settled().is_none() {
            self.depth = self.depth.saturating_sub(levels);
        }
    }

    /// Rolls a level back in a destructor, which cannot wait: with the next statement, or at the return.
    /// A listener that panics costs the connection, and nobody hears of it.
    pub(crate) fn abandon_level(&mut self, level: usize) {
        let levels = self.levels();
        if let Some(begun) = &mut self.omitted {
            *begun = level - 1;
        } else if self.inner.settled().is_some() {
            for depth in (level..=levels).rev() {
                // The connection is given up then, which rolls back too.
                let _panicked = catch_unwind(AssertUnwindSafe(|| self.tells_rollback(depth)));
                self.start_rollback();
            }
        }
        self.depth = self.depth.min(level - 1);
    }

    fn start_rollback(&mut self) {
        if let Some(wire) = self.inner.settled() {
            wire.start_rollback();
        }
    }
}

fn begins(depth: usize) -> Cow<'static, str> {
    match depth {
        0 => "BEGIN".into(),
        depth => format!("SAVEPOINT {}", savepoint(depth)).into(),
    }
}

fn commits(depth: usize) -> Cow<'static, str> {
    match depth {
        1 => "COMMIT".into(),
        depth => format!("RELEASE SAVEPOINT {}", savepoint(depth - 1)).into(),
    }
}

fn rolls_back(depth: usize) -> Cow<'static, str> {
    match depth {
        1 => "ROLLBACK".into(),
        depth => format!("ROLLBACK TO SAVEPOINT {}", savepoint(depth - 1)).into(),
    }
}
