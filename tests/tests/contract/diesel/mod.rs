//! The contract's questions, put to Diesel.

mod driver;
mod leftovers;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use diesel::{
    QueryResult,
    connection::{
        AnsiTransactionManager, Connection as _, InstrumentationEvent, SimpleConnection,
        TransactionManager,
    },
    result::Error,
};
use everpool_core::Status;
use everpool_diesel::{CheckoutError, DriverError, SessionError, SessionMaker, create_engine};
use everpool_engine::EngineOptions;
use everpool_session::JoinTransactionMode;

use self::driver::Driver;
use crate::adapter::{
    Connection, Engine, Session, Statements, Told, Transactions, tell_transactions,
};

impl<C: Driver> Statements for C {
    type Error = Error;

    fn number(&mut self, expression: &str) -> QueryResult<i64> {
        C::load_number(self, expression)
    }

    fn execute(&mut self, statements: &str) -> QueryResult<()> {
        self.batch_execute(statements)
    }
}

impl<C: Driver> Statements for everpool_diesel::Connection<C> {
    type Error = Error;

    fn number(&mut self, expression: &str) -> QueryResult<i64> {
        C::load_number(self, expression)
    }

    fn execute(&mut self, statements: &str) -> QueryResult<()> {
        self.batch_execute(statements)
    }
}

impl<C: Driver> Statements for everpool_diesel::Session<C> {
    type Error = Error;

    fn number(&mut self, expression: &str) -> QueryResult<i64> {
        C::load_number(self, expression)
    }

    fn execute(&mut self, statements: &str) -> QueryResult<()> {
        self.batch_execute(statements)
    }
}

impl<C: Driver> Transactions for everpool_diesel::Connection<C> {
    type Within = Self;

    fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        diesel::Connection::transaction(self, work)
    }
}

impl<C: Driver> Transactions for everpool_diesel::Session<C> {
    type Within = Self;

    fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        diesel::Connection::transaction(self, work)
    }
}

impl<C: Driver> Engine for everpool_diesel::Engine<C> {
    const ADAPTER: &str = "Diesel";
    const SEES_PAST: bool = true;
    const MENDS: bool = false;

    type DriverError = DriverError;
    type Connection = everpool_diesel::Connection<C>;
    type Lent = Box<Self::Connection>;
    type Session = everpool_diesel::Session<C>;

    fn create(url: &str, options: EngineOptions) -> Self {
        create_engine(url, options).unwrap()
    }

    fn connect(&self) -> Result<Self::Lent, CheckoutError> {
        self.connect().map(Box::new)
    }

    fn checkout_timeout(&self, timeout: Duration) -> Result<(), CheckoutError> {
        self.pool().checkout_timeout(timeout).map(drop)
    }

    fn session(&self) -> Self::Session {
        everpool_diesel::Session::begin(self).unwrap()
    }

    fn rehearse<T>(&self, work: impl FnOnce(&Self) -> T) -> T {
        work(&self.test_transaction().unwrap())
    }

    fn transaction_events(&self) -> Told {
        tell_transactions!(self.events())
    }

    fn status(&self) -> Status {
        self.status()
    }

    fn dispose(&self) {
        self.dispose();
    }
}

impl<C: Driver> Connection for everpool_diesel::Connection<C> {
    type Driver = C;
    type Session = everpool_diesel::Session<C>;

    fn in_session<T>(
        &mut self,
        mode: Option<JoinTransactionMode>,
        work: impl FnOnce(&mut Self::Session) -> T,
    ) -> T {
        let sessions = SessionMaker::new(self.engine());
        match mode {
            Some(mode) => work(&mut Self::Session::join(self, mode)),
            None => work(&mut sessions.join(self)),
        }
    }

    fn in_transaction(&mut self) -> bool {
        self.in_transaction()
    }

    fn in_nested_transaction(&mut self) -> bool {
        self.in_nested_transaction()
    }

    fn begin(&mut self) -> QueryResult<()> {
        AnsiTransactionManager::begin_transaction(self)
    }

    fn commit(&mut self) -> QueryResult<()> {
        self.commit()
    }

    fn rollback(&mut self) -> QueryResult<()> {
        self.rollback()
    }

    fn invalidated(&mut self) -> bool {
        self.invalidated()
    }

    fn invalidate(&mut self) {
        self.invalidate();
    }

    fn commit_on_driver(driver: &mut C, statement: &str) {
        let done = driver.transaction(|driver| driver.batch_execute(statement));
        done.unwrap();
    }

    fn leave_open_on_driver(driver: &mut C, statement: &str) {
        AnsiTransactionManager::begin_transaction(driver).unwrap();
        driver.batch_execute(statement).unwrap();
    }

    fn driver_connection(&mut self) -> QueryResult<&mut C> {
        self.driver_connection()
    }

    fn as_driver(&mut self) -> &mut C {
        self
    }

    fn mark(&mut self) -> bool {
        struct Mark;
        let info = self.info().unwrap();
        info.insert(Mark).is_some()
    }

    fn abandon(&mut self, statement: &str) {
        self.set_instrumentation(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::FinishQuery { .. } = event {
                std::panic::resume_unwind(Box::new("in the middle of a driver call"));
            }
        });
        let panicked = catch_unwind(AssertUnwindSafe(|| self.batch_execute(statement)));
        assert!(panicked.is_err());
    }
}

impl<C: Driver> Session for everpool_diesel::Session<C> {
    type Driver = C;

    fn commit(&mut self) -> Result<(), SessionError> {
        self.commit()
    }

    fn rollback(&mut self) -> Result<(), SessionError> {
        self.rollback()
    }

    fn close(&mut self) -> Result<(), SessionError> {
        self.close()
    }

    fn in_transaction(&mut self) -> bool {
        everpool_diesel::Session::in_transaction(self)
    }

    fn driver_connection(&mut self) -> QueryResult<&mut C> {
        self.driver_connection()
    }
}
