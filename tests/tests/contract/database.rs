//! The databases, as far as the contract has to tell them apart.

use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    ops::{Deref, DerefMut},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use everpool_engine::{EngineOptions, EngineOptionsBuilder};

use crate::adapter::{Engine, Statements as _};

/// A database with a table `t` of one number `i`, which is empty.
pub(crate) trait Database: Sized {
    /// Diesel's engine for it.
    type Diesel: Engine;
    /// SQLx's.
    type Sqlx: Engine;

    /// Its name in a report.
    const NAME: &str;

    /// Whether its engine keeps a returned connection for the next user, which a `NullPool` does not.
    const KEEPS: bool = true;

    /// Whether starting one takes seconds. Then it serves one test after the other, and is cleared away when
    /// the process has ended.
    const IS_REUSED: bool = true;

    fn start() -> Self;

    /// Empties `t`, when all who used the database are gone.
    fn clear(&self);

    fn url(&self) -> String;

    /// What another user of the database sees of `t`: its committed rows.
    fn committed_rows(&self) -> i64;

    /// What its engine is told beside what a case tells it.
    fn options(options: EngineOptionsBuilder) -> EngineOptionsBuilder {
        options
    }

    fn engine<E: Engine>(&self, options: EngineOptionsBuilder) -> E {
        E::create(&self.url(), Self::options(options).build().unwrap())
    }

    fn default_engine<E: Engine>(&self) -> E {
        self.engine(EngineOptions::builder())
    }

    /// An engine with one connection, so that the next user gets the last one's, if it is kept.
    fn narrow_engine<E: Engine>(&self) -> E {
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
pub(crate) fn fill<E: Engine, D: Database>(engine: &E, n: usize) {
    let mut all: Vec<_> = (0..n).map(|_| engine.connect().unwrap()).collect();
    all.iter_mut()
        .for_each(|connection| assert_eq!(connection.one().unwrap(), 1));
    drop(all);
    assert_eq!(engine.status().idle, if D::KEEPS { n } else { 0 });
}

pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::yield_now();
    }
}

/// Tries a case through an adapter, on a database that may have been used before. Says of one that fails
/// where it did.
pub(crate) fn on<E: Engine, D: Database>(database: &mut D, case: fn(&mut D)) {
    eprintln!("{} on {}", E::ADAPTER, D::NAME);
    database.clear();
    case(database);
}

/// A database that stands ready for the next test as soon as this one is done with it, if it is to be reused.
/// One with which a test fails is not.
pub(crate) struct Lent<D: Database + Send + 'static>(Option<D>);

/// By their type.
static READY: Mutex<BTreeMap<TypeId, Vec<Box<dyn Any + Send>>>> = Mutex::new(BTreeMap::new());

impl<D: Database + Send + 'static> Lent<D> {
    pub(crate) fn start() -> Self {
        let ready = READY
            .lock()
            .unwrap()
            .entry(TypeId::of::<D>())
            .or_default()
            .pop();
        let ready = ready.map(|ready| *ready.downcast().unwrap());
        Self(Some(ready.unwrap_or_else(D::start)))
    }
}

impl<D: Database + Send + 'static> Drop for Lent<D> {
    fn drop(&mut self) {
        if D::IS_REUSED && !thread::panicking() {
            let ready = self.0.take().map(|ready| Box::new(ready) as _);
            READY
                .lock()
                .unwrap()
                .entry(TypeId::of::<D>())
                .or_default()
                .extend(ready);
        }
    }
}

impl<D: Database + Send + 'static> Deref for Lent<D> {
    type Target = D;

    fn deref(&self) -> &D {
        self.0.as_ref().unwrap()
    }
}

impl<D: Database + Send + 'static> DerefMut for Lent<D> {
    fn deref_mut(&mut self) -> &mut D {
        self.0.as_mut().unwrap()
    }
}

/// A case through each adapter on the databases named.
macro_rules! on_each {
    ($case:ident: $($database:ty),+) => {$({
        let mut database = crate::database::Lent::<$database>::start();
        // Diesel is the same whichever SQLx there is.
        #[cfg(not(sqlx_0_8))]
        crate::database::on::<<$database as crate::database::Database>::Diesel, $database>(
            &mut database,
            $case::<<$database as crate::database::Database>::Diesel, $database>,
        );
        crate::database::on::<<$database as crate::database::Database>::Sqlx, $database>(
            &mut database,
            $case::<<$database as crate::database::Database>::Sqlx, $database>,
        );
    })+};
}
pub(crate) use on_each;

macro_rules! on_each_server {
    ($case:ident) => {
        crate::database::on_each!(
            $case: everpool_tests::PostgreSql,
            everpool_tests::MariaDb,
            crate::pgbouncer::QueuePooled,
            crate::pgbouncer::NullPooled
        );
    };
}
pub(crate) use on_each_server;

macro_rules! on_each_database {
    ($case:ident) => {
        crate::database::on_each_server!($case);
        crate::database::on_each!($case: crate::sqlite::Sqlite);
    };
}
pub(crate) use on_each_database;
