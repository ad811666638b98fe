//! What a restart of the server costs.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use diesel::{
    PgConnection,
    connection::{InstrumentationEvent, SimpleConnection},
    prelude::*,
    sql_query,
    sql_types::Integer,
};
use everpool_diesel::r2d2::{CustomizeConnection, Error, Pool, PooledConnection};
use everpool_tests::PostgreSql;

use crate::support::{Counts, Postgres, pool, start, untested};

const SIZE: u32 = 4;

/// A typed load. The first on a connection has to be prepared, and if that fails Diesel does not notice
/// that the connection is lost.
fn load(connection: &mut PooledConnection<Postgres>) -> QueryResult<i32> {
    diesel::select(1.into_sql::<Integer>()).get_result(connection)
}

/// The same for an app's function that knows of no pool.
fn load_bare(connection: &mut PgConnection) -> QueryResult<i32> {
    diesel::select(1.into_sql::<Integer>()).get_result(connection)
}

fn generation(pool: &Pool<Postgres>) -> impl PartialEq + std::fmt::Debug + use<> {
    pool.everpool().status().generation
}

fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// All connections are open and at rest.
fn filled(pool: &Pool<Postgres>) {
    until(|| pool.state().idle_connections == SIZE);
}

/// Requests, one after another: how many of them failed.
fn failures(
    pool: &Pool<Postgres>,
    request: impl Fn(&mut PooledConnection<Postgres>) -> QueryResult<i32>,
) -> usize {
    let requests = (0..SIZE * 3).map(|_| request(&mut pool.get().unwrap()));
    requests.filter(Result::is_err).count()
}

/// Restarts, each with one way to meet it.
fn one_failure_per_restart(request: impl Fn(&mut PooledConnection<Postgres>) -> QueryResult<i32>) {
    let mut server = start();
    let pool = pool(&server, untested().max_size(SIZE));
    for _ in 0..2 {
        filled(&pool);
        let before = generation(&pool);
        server.restart().unwrap();
        assert_eq!(failures(&pool, &request), 1);
        assert_ne!(generation(&pool), before);
    }
}

#[test]
fn after_a_restart_one_load_fails_and_all_connections_are_replaced() {
    one_failure_per_restart(load);
}

#[test]
fn after_a_restart_one_load_through_deref_fails_and_all_connections_are_replaced() {
    one_failure_per_restart(|connection| load_bare(connection));
}

#[test]
fn after_a_restart_one_cached_statement_fails_and_all_connections_are_replaced() {
    one_failure_per_restart(|connection| {
        load(connection)?;
        sql_query("SELECT 1").execute(connection)?;
        load(connection)
    });
}

#[test]
fn after_a_restart_one_transaction_fails_and_all_connections_are_replaced() {
    one_failure_per_restart(|connection| connection.transaction(load));
}

#[test]
fn after_a_restart_one_transaction_through_deref_fails_and_all_connections_are_replaced() {
    one_failure_per_restart(|connection| (**connection).transaction(load_bare));
}

#[test]
fn after_a_restart_one_batch_fails_and_all_connections_are_replaced() {
    one_failure_per_restart(|connection| connection.batch_execute("SELECT 1").map(|()| 1));
}

/// The program's own instrumentation has taken the place of the pool's.
#[test]
fn statements_of_the_pooled_connection_tell_of_a_restart_whatever_watches_the_driver_s() {
    #[derive(Debug)]
    struct Quiet;
    impl CustomizeConnection<PgConnection, Error> for Quiet {
        fn on_acquire(&self, conn: &mut PgConnection) -> Result<(), Error> {
            conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
            Ok(())
        }
    }
    let mut server = start();
    let builder = untested().max_size(SIZE);
    let pool = pool(&server, builder.connection_customizer(Box::new(Quiet)));
    server.restart().unwrap();
    assert_eq!(failures(&pool, load), 1);
}

/// Nobody looks at the error, but the client library knows.
#[test]
fn a_dead_connection_whose_error_was_not_seen_is_not_lent_again() {
    let mut server = start();
    let pool = pool(&server, untested().max_size(1));
    let mut connection = pool.get().unwrap();
    server.restart().unwrap();
    let copied = diesel::copy_to(words::table).load_raw(&mut *connection);
    drop(copied);
    drop(connection);
    assert_eq!(load(&mut pool.get().unwrap()), Ok(1));
}

diesel::table! {
    words (id) {
        id -> Integer,
        word -> Text,
    }
}

/// The others are closed while the first one to notice still has its connection.
#[test]
fn who_meets_the_dead_server_first_saves_the_others_at_once() {
    let mut server = start();
    let pool = pool(&server, untested().max_size(SIZE).min_idle(Some(0)));
    let all: Vec<_> = (0..SIZE).map(|_| pool.get().unwrap()).collect();
    drop(all);
    server.restart().unwrap();
    let mut first = pool.get().unwrap();
    assert!(load(&mut first).is_err());
    assert_eq!(
        load(&mut pool.get().unwrap()),
        Ok(1),
        "while the first one has its own"
    );
    assert!(load(&mut first).is_err(), "it stays what it is");
    drop(first);
    assert_eq!(load(&mut pool.get().unwrap()), Ok(1));
}

#[test]
fn with_the_test_on_checkout_nobody_notices_a_restart() {
    let mut server = start();
    let counts = Counts::default();
    let builder = Pool::builder().max_size(SIZE);
    let pool = pool(&server, builder.event_handler(Box::new(counts.clone())));
    let before = generation(&pool);
    server.restart().unwrap();
    assert_eq!(failures(&pool, load), 0);
    assert_ne!(generation(&pool), before, "one failed test replaces all");
}

#[test]
fn callers_wait_while_the_server_is_away() {
    let mut server = start();
    let pool = pool(&server, Pool::builder().max_size(SIZE));
    server.stop().unwrap();
    thread::scope(|scope| {
        let callers = [(); 3].map(|()| scope.spawn(|| load(&mut pool.get().unwrap())));
        until(|| pool.everpool().status().waiting == callers.len());
        server.start_again().unwrap();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Ok(1));
        }
    });
}

#[test]
fn who_waits_in_vain_is_told_what_the_server_said() {
    let mut server = start();
    let pool = pool(&server, Pool::builder().max_size(SIZE));
    server.stop().unwrap();
    let told = pool.get_timeout(Duration::from_millis(300)).err().unwrap();
    let told = told.to_string();
    assert!(told.contains("the server accepted no connection"), "{told}");
    assert!(told.contains("last connect error"), "{told}");
    server.start_again().unwrap();
    assert_eq!(load(&mut pool.get().unwrap()), Ok(1));
}

/// What was in flight fails, and nothing after that.
#[test]
fn under_load_a_restart_costs_at_most_a_failure_per_thread() {
    let mut server = start();
    let pool = pool(&server, untested().max_size(SIZE));
    let (is_over, failed, answered) = <(AtomicBool, AtomicUsize, AtomicUsize)>::default();
    thread::scope(|scope| {
        for _ in 0..SIZE {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let answer = load(&mut pool.get().unwrap());
                    let count = if answer.is_ok() { &answered } else { &failed };
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let more = |count: usize| {
            let enough = answered.load(Ordering::SeqCst) + count;
            until(|| answered.load(Ordering::SeqCst) >= enough);
        };
        more(1000);
        restart(&mut server);
        more(1000);
        is_over.store(true, Ordering::SeqCst);
    });
    let failed = failed.load(Ordering::SeqCst);
    assert!(failed <= SIZE as usize, "{failed} requests failed");
}

fn restart(server: &mut PostgreSql) {
    server.stop_immediately().unwrap();
    server.start_again().unwrap();
}
