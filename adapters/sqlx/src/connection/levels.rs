//! Isolation levels, and what else its transactions begin with.

use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use everpool_core::BoxFuture;
use everpool_core::HookError;
use everpool_engine::{
    ExecutionOptions,
    isolation::{Begin, Characteristics, IsolationLevel},
};
use sqlx::Error;

use super::Connection;
use crate::{
    as_sqlx::{bad_option, in_transaction},
    driver::Driver,
    engine::CheckoutError,
    wire::Wire,
};

/// One connection may have died while it rested, and one may meet the server as it goes down.
const ATTEMPTS: u32 = 3;

impl<DB: Driver> Connection<DB> {
    /// Options for this Connection, until it is dropped: `isolation_level`, `logging_token`, on
    /// PostgreSQL `postgresql_readonly` and `postgresql_deferrable`, and the program's own.
    ///
    /// The database's settings are taken back when the connection returns to the pool. If it is lost,
    /// the next one has those of the engine.
    ///
    /// # Errors
    ///
    /// A value that the database does not have, with those that it has; or that a transaction is open,
    /// in which such settings cannot change. Then nothing is changed.
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, ExecutionOptions, Sqlite, create_engine, isolation::IsolationLevel};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut connection = engine.connect().await?;
let options: ExecutionOptions = [("isolation_level", "READ UNCOMMITTED")].into_iter().collect();
connection.execution_options(&options).await?;
assert_eq!(connection.isolation_level().await?, IsolationLevel::ReadUncommitted);
# Ok(())
# }
```
"#
    )]
    pub async fn execution_options(&mut self, options: &ExecutionOptions) -> Result<(), Error> {
        let asked = Characteristics::of(options, self.engine.backend()).map_err(bad_option)?;
        if asked != Characteristics::default() {
            if self.levels() > 0 {
                return Err(in_transaction());
            }
            self.ready().await?;
            self.send_characteristics(asked).await?;
        }
        if let Some(token) = options.logging_token() {
            self.watch = self.watch.with_token(token);
        }
        Ok(())
    }

    /// Asks the database for the isolation level. Never `AUTOCOMMIT`, of which it does not know.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn isolation_level(&mut self) -> Result<IsolationLevel, Error> {
        let backend = self.engine.backend();
        let asked = IsolationLevel::query(backend);
        let answer = self.ready().await?.texts(asked).await;
        let answer = self.leave(answer, Some(asked))?;
        // MySQL names the variable before the value.
        let level = answer.first().and_then(|row| row.last());
        let level = level.ok_or(Error::RowNotFound)?;
        IsolationLevel::from_answer(backend, level).map_err(bad_option)
    }

    /// The isolation level that connections have of which nothing else was asked. Asks the database
    /// once in the engine's life, unless the engine's options say it.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn default_isolation_level(&mut self) -> Result<IsolationLevel, Error> {
        match self.engine.characteristics().isolation_level {
            Some(level) => Ok(level),
            None => self.databases_level().await,
        }
    }

    /// The level of a connection that was told nothing.
    async fn databases_level(&mut self) -> Result<IsolationLevel, Error> {
        if let Some(level) = self.engine.default_level().get() {
            return Ok(*level);
        }
        let level = self.isolation_level().await?;
        Ok(*self.engine.default_level().get_or_init(|| level))
    }

    /// A connection that was just taken has what the engine gave it, and no more.
    pub(super) fn forget_characteristics(&mut self) {
        self.characteristics = Characteristics::default();
        self.omit_begin(self.engine.characteristics().begin());
    }

    fn omit_begin(&mut self, begin: Begin) {
        self.omitted = (begin == Begin::Omitted).then_some(0);
    }

    /// Takes a connection and gives it what the engine's execution options ask for. One that turns out
    /// dead is replaced: nothing of the program's was sent on it.
    pub(super) async fn take_characterized(
        &mut self,
        asked: Characteristics,
        timeout: Duration,
    ) -> Result<(), CheckoutError> {
        let began = Instant::now();
        for attempt in 1.. {
            let left = || timeout.saturating_sub(began.elapsed());
            self.take(left()).await?;
            // As long as a new connection may take: what rested may have a server that is silent by now.
            let patience = left().min(self.engine.pool().options().connect_timeout);
            let sending = tokio::time::timeout(patience, self.send_characteristics(asked));
            let Ok(sent) = sending.await else {
                self.invalidate();
                let silent = io::Error::new(ErrorKind::TimedOut, "the server does not answer");
                return Err(CheckoutError::Rejected(Box::new(Error::Io(silent))));
            };
            let Err(error) = sent else {
                break;
            };
            let is_lost = self.invalidated();
            self.invalidate();
            if !is_lost {
                return Err(CheckoutError::Hook(Box::new(error)));
            }
            if attempt == ATTEMPTS || left().is_zero() {
                return Err(CheckoutError::Rejected(Box::new(error)));
            }
        }
        Ok(())
    }

    async fn send_characteristics(&mut self, asked: Characteristics) -> Result<(), Error> {
        let engine = *self.engine.characteristics();
        let backend = self.engine.backend();
        let level = match (asked.isolation_level, engine.isolation_level) {
            (Some(level), None | Some(IsolationLevel::Autocommit))
                if level != IsolationLevel::Autocommit =>
            {
                Box::pin(self.databases_level()).await?
            }
            // Not looked at.
            _ => IsolationLevel::Serializable,
        };
        if let Some(statement) = asked.statement(backend) {
            let undo = asked.undo(backend, &engine, level);
            self.inner.at_return_async(move |wire| undone(wire, undo));
            let Some(wire) = self.wire() else {
                return Ok(());
            };
            let answer = wire.run(statement).await;
            self.leave(answer, None)?;
        }
        self.characteristics = asked.over(self.characteristics);
        self.omit_begin(self.characteristics.over(engine).begin());
        Ok(())
    }
}

fn undone<DB: Driver>(
    wire: &mut Wire<DB>,
    statements: Vec<String>,
) -> BoxFuture<'_, Result<(), HookError>> {
    Box::pin(async move {
        for statement in statements {
            DB::run(wire.own(), statement).await?;
        }
        Ok(())
    })
}
