//! Replicas, on a real PostgreSQL and its hot standby.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{
    PgConnection, QueryResult, RunQueryDsl, connection::LoadConnection, dsl::sql, pg::Pg,
    sql_query, sql_types::Bool,
};
use everpool_diesel::{
    CheckoutError, Engine, EngineOptions, EngineOptionsBuilder, Session, create_engine,
};
use everpool_tests::PostgreSql;

/// What the pool would wait for by itself.
const GRACE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);

fn engine_at(url: String, options: EngineOptionsBuilder) -> Engine<PgConnection> {
    create_engine(url, options.build().unwrap()).unwrap()
}

fn start() -> (PostgreSql, PostgreSql, Engine<PgConnection>) {
    let primary = PostgreSql::start().expect("this needs PostgreSQL");
    primary.psql("CREATE TABLE t (x int)").unwrap();
    let replica = primary.start_replica().unwrap();
    let reads = engine_at(replica.url(), EngineOptions::builder());
    let engine = engine_at(primary.url(), EngineOptions::builder()).with_replicas([reads]);
    (primary, replica, engine)
}

/// Whether the replica answers.
fn is_replica<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> QueryResult<bool> {
    diesel::select(sql::<Bool>("pg_is_in_recovery()")).get_result(connection)
}

fn reads_from_replica(engine: &Engine<PgConnection>) -> bool {
    is_replica(&mut Session::begin(engine).unwrap()).unwrap()
}

fn write(engine: &Engine<PgConnection>) -> QueryResult<usize> {
    let mut session = Session::begin(engine).unwrap();
    let written = sql_query("INSERT INTO t VALUES (1)").execute(&mut session)?;
    session.commit().unwrap();
    Ok(written)
}

fn refused(engine: &Engine<PgConnection>) -> String {
    write(engine).unwrap_err().to_string()
}

#[test]
fn what_reads_goes_to_the_replica_and_what_writes_to_the_primary() {
    let (_primary, replica, engine) = start();
    let reads = engine.read_only();
    assert!(reads_from_replica(&reads));
    assert!(!reads_from_replica(&engine));
    assert_eq!(write(&engine), Ok(1));
    assert!(refused(&reads).contains("read-only"));
    let mut connection = reads.connect().unwrap();
    assert!(is_replica(&mut connection).unwrap());
    assert_eq!(connection.engine().url().to_string(), replica.url());
    assert_eq!(engine.replicas()[0].status().checked_out, 1);
    assert_eq!(engine.status().checked_out, 0);
}

#[test]
fn while_a_replica_is_away_the_primary_is_read_and_the_replica_again_when_it_is_back() {
    let (_primary, mut replica, engine) = start();
    let reads = engine.read_only();
    let mut connection = reads.connect().unwrap();
    assert!(reads_from_replica(&reads));

    replica.kill().unwrap();
    let began = Instant::now();
    assert!(!reads_from_replica(&reads));
    is_replica(&mut connection).unwrap_err();
    assert!(!is_replica(&mut connection).unwrap());
    assert!(refused(&reads).contains("read-only"));
    while began.elapsed() < Duration::from_secs(2) {
        assert!(!reads_from_replica(&reads));
    }
    assert!(began.elapsed() < GRACE, "callers have waited");
    let attempts = engine.replicas()[0].pool().snapshot().connect_errors;
    assert!(attempts < 8, "{attempts} connects to a server that is away");

    replica.start_again().unwrap();
    let began = Instant::now();
    while !reads_from_replica(&reads) {
        assert!(began.elapsed() < PATIENCE, "the replica is not read again");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_replica_whose_connections_are_all_in_use_is_waited_for() {
    let (_primary, replica, _) = start();
    let one = EngineOptions::builder().pool_size(1).max_overflow(0);
    let short = EngineOptions::builder().pool_timeout(Duration::from_millis(50));
    let engine = engine_at(replica.url(), short).with_replicas([engine_at(replica.url(), one)]);
    let _held = engine.read_only().connect().unwrap();
    let full = engine.read_only().connect().unwrap_err();
    assert!(matches!(full, CheckoutError::TimedOut(_)), "{full}");
    assert!(full.to_string().contains("all connections were in use"));
}

#[test]
fn a_replica_that_waiting_would_not_mend_is_told() {
    let (primary, _replica, _) = start();
    let wrong = primary.url().replace("/postgres?", "/nowhere?");
    let engine = engine_at(primary.url(), EngineOptions::builder())
        .with_replicas([engine_at(wrong, EngineOptions::builder())]);
    let told = engine.read_only().connect().unwrap_err();
    assert!(matches!(told, CheckoutError::Connect(_)), "{told}");
    engine.connect().unwrap();
}

#[test]
fn the_replica_that_is_used_least_is_next_and_another_stands_in_for_one_that_is_away() {
    let (primary, mut replica, _) = start();
    let at = |server: &PostgreSql| engine_at(server.url(), EngineOptions::builder());
    let other = primary.start_replica().unwrap();
    let engine = at(&primary).with_replicas([at(&replica), at(&other)]);
    let reads = engine.read_only();
    let in_use = |engine: &Engine<PgConnection>| {
        let replicas = engine.replicas().iter();
        replicas
            .map(|replica| replica.status().checked_out)
            .collect::<Vec<_>>()
    };
    let held: Vec<_> = (0..4).map(|_| reads.connect().unwrap()).collect();
    assert_eq!(in_use(&engine), [2, 2]);
    drop(held);

    replica.kill().unwrap();
    let held: Vec<_> = (0..3).map(|_| reads.connect().unwrap()).collect();
    assert_eq!(in_use(&engine), [0, 3]);
    assert_eq!(engine.status().checked_out, 0);
    drop(held);
}
