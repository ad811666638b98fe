//! What the contract asks of an adapter. It is for threads: where the adapter is async, a thread waits for a
//! runtime of its own.

use std::{
    error::Error,
    fmt::Debug,
    ops::DerefMut,
    sync::{Arc, Mutex},
    time::Duration,
};

use everpool_core::{CheckoutError, Status};
use everpool_engine::EngineOptions;
use everpool_session::{JoinTransactionMode, SessionError};

/// What the program's own work in a transaction comes to.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// The program's own reason to roll back.
pub(crate) const GIVEN_UP: &str = "given up";

/// What takes statements: a connection of the engine's or of the driver's, or a session.
pub(crate) trait Statements {
    type Error: Error + 'static;

    /// The value of an expression.
    fn number(&mut self, expression: &str) -> Result<i64, Self::Error>;

    /// Sends one statement or several as they are.
    fn execute(&mut self, statements: &str) -> Result<(), Self::Error>;

    fn one(&mut self) -> Result<i64, Self::Error> {
        self.number("1")
    }

    fn rows(&mut self) -> Result<i64, Self::Error> {
        self.number("(SELECT COUNT(*) FROM t)")
    }
}

/// What has transactions in the form of closures.
pub(crate) trait Transactions: Statements {
    /// What the work in a transaction is given.
    type Within: Transactions<Error = Self::Error, Within = Self::Within>;

    /// Commits the work if it succeeds, and rolls it back if it fails or panics. Inside of a transaction
    /// it is a savepoint.
    fn transaction<T, E: From<Self::Error>>(
        &mut self,
        work: impl FnOnce(&mut Self::Within) -> Result<T, E>,
    ) -> Result<T, E>;
}

/// What a listener was told.
pub(crate) type Told = Arc<Mutex<Vec<&'static str>>>;

/// Registers listeners of all transaction events.
macro_rules! tell_transactions {
    ($events:expr) => {{
        let told = crate::adapter::Told::default();
        let tell = |name| {
            let told = std::sync::Arc::clone(&told);
            move || told.lock().unwrap().push(name)
        };
        let named = |name| {
            let tell = tell(name);
            move |_: &str| tell()
        };
        let events = $events;
        events.begin(tell("begin"));
        events.commit(tell("commit"));
        events.rollback(tell("rollback"));
        events.savepoint(named("savepoint"));
        events.release_savepoint(named("release_savepoint"));
        events.rollback_savepoint(named("rollback_savepoint"));
        told
    }};
}
pub(crate) use tell_transactions;

/// The adapter's engine, and with it all of the adapter.
pub(crate) trait Engine: Debug + Sized + Sync {
    /// The adapter's name in a report.
    const ADAPTER: &str;

    /// Whether it sees what the program does with the driver's own connection. One that does not meets a
    /// disconnect there once more, in its own next statement.
    const SEES_PAST: bool;

    /// Whether a connection that was abandoned in the middle of a statement may be lent again, once what
    /// was left of the answer is read.
    const MENDS: bool;

    /// What a checkout that failed has as its source.
    type DriverError: Error + Send + Sync + 'static;
    type Connection: Connection<Session = Self::Session>;
    /// Returns the connection when it is dropped.
    type Lent: DerefMut<Target = Self::Connection> + Debug;
    type Session: Session;

    fn create(url: &str, options: EngineOptions) -> Self;

    fn connect(&self) -> Result<Self::Lent, CheckoutError<Self::DriverError>>;

    /// A checkout from the engine's pool, which is given back at once.
    fn checkout_timeout(&self, timeout: Duration) -> Result<(), CheckoutError<Self::DriverError>>;

    fn session(&self) -> Self::Session;

    /// Does some work with the engine of a test transaction, and waits for its end.
    fn rehearse<T>(&self, work: impl FnOnce(&Self) -> T) -> T;

    /// The transaction events from now on, by SQLAlchemy's names.
    fn transaction_events(&self) -> Told;

    fn status(&self) -> Status;

    fn dispose(&self);
}

pub(crate) trait Connection: Debug + Transactions<Within = Self> {
    /// The driver's own connection.
    type Driver: Statements;
    type Session: Session;

    /// Does some work in a session on this connection, which is dropped then; without a mode, in one of a session
    /// maker with default options.
    fn in_session<T>(
        &mut self,
        mode: Option<JoinTransactionMode>,
        work: impl FnOnce(&mut Self::Session) -> T,
    ) -> T;

    fn in_transaction(&mut self) -> bool;

    fn in_nested_transaction(&mut self) -> bool;

    /// As a program does that ends its transactions by `commit()` and `rollback()`, or not at all.
    fn begin(&mut self) -> Result<(), Self::Error>;

    fn commit(&mut self) -> Result<(), Self::Error>;

    fn rollback(&mut self) -> Result<(), Self::Error>;

    fn invalidated(&mut self) -> bool;

    fn invalidate(&mut self);

    /// A transaction of the driver's, committed.
    fn commit_on_driver(driver: &mut Self::Driver, statement: &str);

    /// One that nobody ends.
    fn leave_open_on_driver(driver: &mut Self::Driver, statement: &str);

    fn driver_connection(&mut self) -> Result<&mut Self::Driver, Self::Error>;

    /// The driver's own connection, as a function is given it that takes its type.
    fn as_driver(&mut self) -> &mut Self::Driver;

    /// Whether this connection of the driver's was marked before. It is now.
    fn mark(&mut self) -> bool;

    /// Goes away in the middle of what the driver does with a statement.
    fn abandon(&mut self, statement: &str);
}

pub(crate) trait Session: Transactions {
    /// The driver's own connection.
    type Driver: Statements;

    fn commit(&mut self) -> Result<(), SessionError<Self::Error>>;

    fn rollback(&mut self) -> Result<(), SessionError<Self::Error>>;

    fn close(&mut self) -> Result<(), SessionError<Self::Error>>;

    fn in_transaction(&mut self) -> bool;

    fn driver_connection(&mut self) -> Result<&mut Self::Driver, Self::Error>;
}
