//! Isolation levels, and what else its transactions begin with.

use std::time::{Duration, Instant};

use diesel::QueryResult;
use everpool_core::HookError;
use everpool_engine::{
    ExecutionOptions,
    isolation::{Begin, Characteristics, IsolationLevel},
};

use super::Connection;
use crate::{
    driver::Driver,
    engine::CheckoutError,
    error::{bad_option, in_transaction},
};

/// One connection may have died while it rested, and one may meet the server as it goes down.
const ATTEMPTS: u32 = 3;

impl<C: Driver> Connection<C> {
    /// Options for this Connection, until it is dropped: `isolation_level`, `logging_token`, on
    /// PostgreSQL `postgresql_readonly` and `postgresql_deferrable`, and the program's own. Blocks for
    /// what is to be sent.
    ///
    /// The database's settings are taken back when the connection returns to the pool. If it is lost,
    /// the next one has those of the engine.
    ///
    /// # Errors
    ///
    /// A value that the database does not have, with those that it has; or that a transaction is open,
    /// in which such settings cannot change. Then nothing is changed.
    pub fn execution_options(&mut self, options: &ExecutionOptions) -> QueryResult<()> {
        let asked = Characteristics::of(options, C::BACKEND).map_err(bad_option)?;
        if asked != Characteristics::default() {
            if self.depth() > 0 {
                return Err(in_transaction());
            }
            self.prepare()?;
            self.send_characteristics(asked)?;
        }
        if let Some(token) = options.logging_token() {
            self.watch = self.watch.with_token(token);
            self.be_watched();
        }
        Ok(())
    }

    /// Asks the database for the isolation level. Never `AUTOCOMMIT`, of which it does not know.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn isolation_level(&mut self) -> QueryResult<IsolationLevel> {
        let asked = || IsolationLevel::query(C::BACKEND).to_owned();
        let answer = self.run(Driver::isolation_level, asked)?;
        IsolationLevel::from_answer(C::BACKEND, &answer).map_err(bad_option)
    }

    /// The isolation level that connections have of which nothing else was asked. Blocks for a query,
    /// once in the engine's life, unless the engine's options say it.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn default_isolation_level(&mut self) -> QueryResult<IsolationLevel> {
        match self.engine.characteristics().isolation_level {
            Some(level) => Ok(level),
            None => self.databases_level(),
        }
    }

    /// The level of a connection that was told nothing.
    fn databases_level(&mut self) -> QueryResult<IsolationLevel> {
        if let Some(level) = self.engine.default_level().get() {
            return Ok(*level);
        }
        let level = self.isolation_level()?;
        Ok(*self.engine.default_level().get_or_init(|| level))
    }

    /// A connection that was just taken has what the engine gave it, and no more.
    pub(super) fn forget_characteristics(&mut self) {
        self.has_characteristics(Characteristics::default());
        self.be_watched();
    }

    /// Takes a connection and gives it what the engine's execution options ask for. One that turns out
    /// dead is replaced: nothing of the program's was sent on it.
    pub(super) fn take_characterized(
        &mut self,
        asked: Characteristics,
        timeout: Duration,
    ) -> Result<(), CheckoutError> {
        let began = Instant::now();
        for attempt in 1.. {
            self.take(timeout.saturating_sub(began.elapsed()))?;
            let Err(error) = self.send_characteristics(asked) else {
                break;
            };
            let is_lost = !self.inner.is_connected();
            self.invalidate();
            if !is_lost {
                return Err(CheckoutError::Hook(Box::new(error)));
            }
            if attempt == ATTEMPTS || began.elapsed() >= timeout {
                return Err(CheckoutError::Rejected(Box::new(error)));
            }
        }
        Ok(())
    }

    fn send_characteristics(&mut self, asked: Characteristics) -> QueryResult<()> {
        let engine = *self.engine.characteristics();
        let level = match (asked.isolation_level, engine.isolation_level) {
            (Some(level), None | Some(IsolationLevel::Autocommit))
                if level != IsolationLevel::Autocommit =>
            {
                self.databases_level()?
            }
            // Not looked at.
            _ => IsolationLevel::Serializable,
        };
        if let Some(statement) = asked.statement(C::BACKEND) {
            let undo = asked.undo(C::BACKEND, &engine, level);
            self.inner
                .at_return(move |connection| undone(connection, &undo));
            self.run(
                |connection| connection.batch_execute(&statement),
                || statement.clone(),
            )?;
        }
        self.has_characteristics(asked.over(self.characteristics));
        Ok(())
    }

    /// These are its own now.
    fn has_characteristics(&mut self, own: Characteristics) {
        self.characteristics = own;
        let all = own.over(*self.engine.characteristics());
        self.omits_begin = all.begin() == Begin::Omitted;
        self.is_read_only = all.is_read_only() == Some(true);
    }
}

fn undone<C: Driver>(connection: &mut C, statements: &[String]) -> Result<(), HookError> {
    for statement in statements {
        connection.batch_execute(statement)?;
    }
    Ok(())
}
