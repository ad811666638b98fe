//! The databases, as far as the contract has to tell them apart.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, Connection, LoadConnection, TransactionManager},
};
use everpool_diesel::{Driver, Engine, EngineOptions, EngineOptionsBuilder, create_engine};

/// Diesel's word for the database of `D`.
pub(crate) type Backend<D> = <<D as Database>::Driver as Connection>::Backend;

/// A database with a table `t` of one number `i`, which is empty.
pub(crate) trait Database: Sized {
    /// Diesel's connection to it.
    type Driver: Driver + LoadConnection;

    /// Its name in a report.
    const NAME: &str;

    /// Whether its engine keeps a returned connection for the next user, which a `NullPool` does not.
    const KEEPS: bool = true;

    fn start() -> Self;

    fn url(&self) -> String;

    /// The value of an expression.
    fn number<C>(connection: &mut C, expression: &str) -> QueryResult<i64>
    where
        C: LoadConnection<Backend = Backend<Self>>;

    /// A query whose prepared statement is kept, with the value 1.
    fn cacheable<C>(connection: &mut C) -> QueryResult<i32>
    where
        C: LoadConnection<Backend = Backend<Self>>;

    /// What another user of the database sees of `t`: its committed rows.
    fn committed_rows(&self) -> i64;

    fn engine(&self, options: EngineOptionsBuilder) -> Engine<Self::Driver> {
        create_engine(self.url(), options.build().unwrap()).unwrap()
    }

    fn default_engine(&self) -> Engine<Self::Driver> {
        self.engine(EngineOptions::builder())
    }

    /// An engine with one connection, so that the next user gets the last one's, if it is kept.
    fn narrow_engine(&self) -> Engine<Self::Driver> {
        self.engine(Self::narrow())
    }

    fn narrow() -> EngineOptionsBuilder {
        let options = EngineOptions::builder();
        if Self::KEEPS {
            options.pool_size(1).max_overflow(0)
        } else {
            options.pool_max_total(1)
        }
    }

    fn one<C: LoadConnection<Backend = Backend<Self>>>(connection: &mut C) -> QueryResult<i64> {
        Self::number(connection, "1")
    }

    fn rows<C: LoadConnection<Backend = Backend<Self>>>(connection: &mut C) -> QueryResult<i64> {
        Self::number(connection, "(SELECT COUNT(*) FROM t)")
    }
}

/// A database that can go away.
pub(crate) trait Server: Database {
    /// Ends all sessions of clients, and returns when they are gone.
    fn end_sessions(&self);
    fn stop(&mut self);
    fn start_again(&mut self);
    /// All its processes at once, by SIGKILL.
    fn kill(&mut self);
    /// Nothing answers, and nothing is closed.
    fn freeze(&self);
    fn thaw(&self);
    /// A URL of a database that it does not have, with this password.
    fn url_to_nowhere(&self, password: &str) -> String;
    /// Words in the error of a connect to the stopped server.
    const REFUSED: &[&str];
    /// Words in the error of a connect to the database that it does not have.
    const UNKNOWN_DATABASE: &str;
}

/// `n` connections that rest in the pool, if it keeps them, each used once.
pub(crate) fn fill<D: Database>(engine: &Engine<D::Driver>, n: usize) {
    let mut all: Vec<_> = (0..n).map(|_| engine.connect().unwrap()).collect();
    all.iter_mut()
        .for_each(|connection| assert_eq!(D::one(connection), Ok(1)));
    drop(all);
    assert_eq!(engine.status().idle, if D::KEEPS { n } else { 0 });
}

/// As a program does that ends its transactions by `commit()` and `rollback()`.
pub(crate) fn begin<C: Driver>(connection: &mut everpool_diesel::Connection<C>) {
    AnsiTransactionManager::begin_transaction(connection).unwrap();
}

pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::yield_now();
    }
}

/// Says of a case that fails on which database it did.
pub(crate) fn on<D: Database>(case: fn()) {
    eprintln!("on {}", D::NAME);
    case();
}

macro_rules! on_each_server {
    ($case:ident) => {
        crate::database::on::<everpool_tests::PostgreSql>($case::<everpool_tests::PostgreSql>);
        crate::database::on::<everpool_tests::MariaDb>($case::<everpool_tests::MariaDb>);
        crate::database::on::<crate::pgbouncer::QueuePooled>(
            $case::<crate::pgbouncer::QueuePooled>,
        );
        crate::database::on::<crate::pgbouncer::NullPooled>($case::<crate::pgbouncer::NullPooled>);
    };
}
pub(crate) use on_each_server;

macro_rules! on_each_database {
    ($case:ident) => {
        crate::database::on_each_server!($case);
        crate::database::on::<crate::sqlite::Sqlite>($case::<crate::sqlite::Sqlite>);
    };
}
pub(crate) use on_each_database;
