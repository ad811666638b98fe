//! The contract's questions, put to SQLx.

mod driver;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::LazyLock,
    task::Poll,
    time::Duration,
};

use everpool_core::Status;
use everpool_engine::EngineOptions;
use everpool_session::JoinTransactionMode;
use everpool_sqlx::{
    CheckoutError, DriverError, EngineConnection, Error, MySqlConnection, PgConnection,
    PoolConnection, SessionError, SessionMaker, SqliteConnection, create_engine,
};
use tokio::runtime::Runtime;

use self::driver::Driver;
use crate::adapter::{
    Connection, Engine, Session, Statements, Told, Transactions, tell_transactions,
};

/// Lives as long as the tests do, as a program's does.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new().expect("these tests need threads"));

fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// Whether the future was dropped in the middle, at the first moment at which it waited for something.
fn is_cut(future: impl Future) -> bool {
    wait(async {
        let mut future = pin!(future);
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
    })
}

macro_rules! statements {
    ($connection:ty, $database:ty) => {
        impl Statements for $connection {
            type Error = Error;

            fn number(&mut self, expression: &str) -> Result<i64, Error> {
                wait(<$database>::ask(self, expression))
            }

            fn execute(&mut self, statements: &str) -> Result<(), Error> {
                wait(<$database>::send(self, statements))
            }
        }
    };
}

statements!(PgConnection, everpool_sqlx::Postgres);
statements!(MySqlConnection, everpool_sqlx::MySql);
statements!(SqliteConnection, everpool_sqlx::Sqlite);

impl<DB: Driver> Statements for EngineConnection<DB> {
    type Error = Error;

    fn number(&mut self, expression: &str) -> Result<i64, Error> {
        wait(DB::ask(self, expression))
    }

    fn execute(&mut self, statements: &str) -> Result<(), Error> {
        wait(DB::send(self, statements))
    }
}

impl<DB: Driver> Statements for everpool_sqlx::Session<DB> {
    type Error = Error;

    fn number(&mut self, expression: &str) -> Result<i64, Error> {
        wait(DB::ask(self, expression))
    }

    fn execute(&mut self, statements: &str) -> Result<(), Error> {
        wait(DB::send(self, statements))
    }
}

/// As SQLx's own method of this name.
impl<DB: Driver> Transactions for EngineConnection<DB> {
    type Within = Self;

    fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut transaction = wait(self.begin())?;
        match work(&mut transaction) {
            Ok(done) => {
                wait(transaction.commit())?;
                Ok(done)
            }
            Err(error) => {
                wait(transaction.rollback())?;
                Err(error)
            }
        }
    }
}

impl<DB: Driver> Transactions for everpool_sqlx::Session<DB> {
    type Within = EngineConnection<DB>;

    fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Self::Within) -> Result<T, E>,
    ) -> Result<T, E> {
        Transactions::transaction(wait(self.connection())?, work)
    }
}

impl<DB: Driver<Connection: Statements>> Engine for everpool_sqlx::Engine<DB> {
    const ADAPTER: &str = "SQLx";
    const SEES_PAST: bool = false;
    const MENDS: bool = DB::MENDS;

    type DriverError = DriverError;
    type Connection = EngineConnection<DB>;
    type Lent = PoolConnection<DB>;
    type Session = everpool_sqlx::Session<DB>;

    fn create(url: &str, options: EngineOptions) -> Self {
        create_engine(url, options).unwrap()
    }

    fn connect(&self) -> Result<Self::Lent, CheckoutError> {
        wait(self.connect())
    }

    fn checkout_timeout(&self, timeout: Duration) -> Result<(), CheckoutError> {
        wait(self.pool().checkout_timeout(timeout)).map(drop)
    }

    fn session(&self) -> Self::Session {
        wait(everpool_sqlx::Session::begin(self)).unwrap()
    }

    fn rehearse<T>(&self, work: impl FnOnce(&Self) -> T) -> T {
        let test = wait(self.test_transaction()).unwrap();
        let done = work(&test);
        wait(test.rollback());
        done
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

impl<DB: Driver<Connection: Statements>> Connection for EngineConnection<DB> {
    type Driver = DB::Connection;
    type Session = everpool_sqlx::Session<DB>;

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

    /// By SQLx's own transaction, which then is forgotten.
    fn begin(&mut self) -> Result<(), Error> {
        let driver = wait(self.driver_connection())?;
        let transaction = wait(everpool_sqlx::Connection::begin(driver))?;
        std::mem::forget(transaction);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        wait(self.commit())
    }

    fn rollback(&mut self) -> Result<(), Error> {
        wait(self.rollback())
    }

    fn invalidated(&mut self) -> bool {
        self.invalidated()
    }

    fn invalidate(&mut self) {
        self.invalidate();
    }

    fn commit_on_driver(driver: &mut DB::Connection, statement: &str) {
        let mut transaction = wait(everpool_sqlx::Connection::begin(driver)).unwrap();
        Statements::execute(&mut *transaction, statement).unwrap();
        wait(transaction.commit()).unwrap();
    }

    fn leave_open_on_driver(driver: &mut DB::Connection, statement: &str) {
        let mut transaction = wait(everpool_sqlx::Connection::begin(driver)).unwrap();
        Statements::execute(&mut *transaction, statement).unwrap();
        std::mem::forget(transaction);
    }

    fn driver_connection(&mut self) -> Result<&mut DB::Connection, Error> {
        wait(self.driver_connection())
    }

    fn as_driver(&mut self) -> &mut DB::Connection {
        self
    }

    fn mark(&mut self) -> bool {
        struct Mark;
        let info = self.info().unwrap();
        info.insert(Mark).is_some()
    }

    fn abandon(&mut self, statement: &str) {
        // A database on this machine may have answered already.
        while !is_cut(DB::send(&mut *self, statement)) {}
    }
}

impl<DB: Driver<Connection: Statements>> Session for everpool_sqlx::Session<DB> {
    type Driver = DB::Connection;

    fn commit(&mut self) -> Result<(), SessionError> {
        wait(self.commit())
    }

    fn rollback(&mut self) -> Result<(), SessionError> {
        wait(self.rollback())
    }

    fn close(&mut self) -> Result<(), SessionError> {
        wait(self.close())
    }

    fn in_transaction(&mut self) -> bool {
        everpool_sqlx::Session::in_transaction(self)
    }

    fn driver_connection(&mut self) -> Result<&mut DB::Connection, Error> {
        let connection = wait(self.connection())?;
        wait(connection.driver_connection())
    }
}
