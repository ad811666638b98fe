//! What only Diesel lets a user leave on a connection, and what the next one finds of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use diesel::connection::{CacheSize, Connection as _, InstrumentationEvent};
use everpool_diesel::{Connection, Engine};
use everpool_tests::{MariaDb, PostgreSql};

use super::driver::Driver;
use crate::{
    adapter::Statements,
    database::{Database, Lent, on},
    pgbouncer::{NullPooled, QueuePooled},
    sqlite::Sqlite,
};

macro_rules! on_each {
    ($case:ident: $($database:ty),+) => {$(
        let mut database = Lent::<$database>::start();
        on::<<$database as Database>::Diesel, $database>(&mut database, $case::<_, $database>);
    )+};
}

#[test]
fn the_program_s_instrumentation_sees_the_program_and_goes_with_it() {
    on_each!(case: PostgreSql, MariaDb, QueuePooled, NullPooled, Sqlite);

    fn case<C: Driver, D: Database<Diesel = Engine<C>>>(database: &mut D) {
        let engine: D::Diesel = database.narrow_engine();
        let seen = Arc::new(AtomicUsize::new(0));
        let mut connection = engine.connect().unwrap();
        let counter = Arc::clone(&seen);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(connection.one(), Ok(1));
        connection.execute("SELECT * FROM nowhere").unwrap_err();
        connection.execute("BEGIN").unwrap();
        drop(connection);
        let only_the_program_s = 3;
        assert_eq!(seen.load(Ordering::Relaxed), only_the_program_s);

        assert_eq!(engine.connect().unwrap().one(), Ok(1));
        assert_eq!(seen.load(Ordering::Relaxed), only_the_program_s);
    }
}

#[test]
fn a_test_transaction_stays_open_in_the_pool() {
    // Not in a NullPool, which keeps nothing.
    on_each!(case: PostgreSql, MariaDb, QueuePooled, Sqlite);

    fn case<C: Driver, D: Database<Diesel = Engine<C>>>(database: &mut D) {
        let engine: D::Diesel = database.narrow_engine();
        engine.connect().unwrap().begin_test_transaction().unwrap();

        let mut connection = engine.connect().unwrap();
        connection
            .transaction(|c| c.execute("INSERT INTO t VALUES (1)"))
            .unwrap();
        drop(connection);

        assert_eq!(engine.connect().unwrap().rows(), Ok(1));
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn the_size_of_the_statement_cache_is_the_program_s_on_each_connection_and_not_the_next_one_s() {
    // Not behind PgBouncer, where statements must not be kept.
    on_each!(case: PostgreSql, MariaDb, Sqlite);

    /// Whether this typed query is prepared to be kept.
    fn is_cached<C: Driver>(connection: &mut Connection<C>) -> bool {
        let kept = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&kept);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::CacheQuery { .. }) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        C::load_cacheable(connection).unwrap();
        kept.load(Ordering::Relaxed) == 1
    }

    fn case<C: Driver, D: Database<Diesel = Engine<C>>>(database: &mut D) {
        let engine: D::Diesel = database.narrow_engine();
        let mut connection = engine.connect().unwrap();
        connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        assert!(!is_cached(&mut connection));
        connection.invalidate();
        assert!(!is_cached(&mut connection), "on the next connection");
        drop(connection);
        let mut next = engine.connect().unwrap();
        assert!(is_cached(&mut next), "for the next user");
    }
}
