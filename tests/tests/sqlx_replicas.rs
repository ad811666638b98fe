//! Replicas with SQLx, on a real PostgreSQL and its hot standby.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    thread,
    time::{Duration, Instant},
};

use everpool_sqlx::{Engine, EngineOptions, Postgres, Session, create_engine, query, query_scalar};
use everpool_tests::{
    PostgreSql, Proxy,
    proxy::{Ending, Lost},
};

/// What the pool would wait for by itself.
const GRACE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);

fn engine_at(server: &PostgreSql) -> Engine<Postgres> {
    create_engine(server.url(), EngineOptions::default()).unwrap()
}

fn start() -> (PostgreSql, PostgreSql, Engine<Postgres>) {
    let primary = PostgreSql::start().expect("this needs PostgreSQL");
    primary.psql("CREATE TABLE t (x int)").unwrap();
    let replica = primary.start_replica().unwrap();
    let engine = engine_at(&primary).with_replicas([engine_at(&replica)]);
    (primary, replica, engine)
}

const ASKED: &str = "SELECT pg_is_in_recovery()";

/// Whether the replica answers, by a session and by the engine itself.
async fn reads_from_replica(engine: &Engine<Postgres>) -> bool {
    let mut session = Session::begin(engine).await.unwrap();
    let in_session: bool = query_scalar(ASKED).fetch_one(&mut session).await.unwrap();
    session.rollback().await.unwrap();
    let alone: bool = query_scalar(ASKED).fetch_one(engine).await.unwrap();
    in_session && alone
}

async fn refused(engine: &Engine<Postgres>) -> String {
    let written = query("INSERT INTO t VALUES (1)").execute(engine).await;
    written.unwrap_err().to_string()
}

#[tokio::test]
async fn what_reads_goes_to_the_replica_of_sqlx_and_what_writes_to_the_primary() {
    let (_primary, _replica, engine) = start();
    let reads = engine.read_only();
    assert!(reads_from_replica(&reads).await);
    assert!(!reads_from_replica(&engine).await);
    assert!(refused(&reads).await.contains("read-only"));
    query("INSERT INTO t VALUES (1)")
        .execute(&engine)
        .await
        .unwrap();
    let _held = reads.connect().await.unwrap();
    assert_eq!(engine.replicas()[0].status().checked_out, 1);
    assert_eq!(engine.status().checked_out, 0);
}

#[tokio::test]
async fn while_a_replica_of_sqlx_is_away_the_primary_is_read_and_then_the_replica_again() {
    let (_primary, mut replica, engine) = start();
    let reads = engine.read_only();
    assert!(reads_from_replica(&reads).await);

    replica.kill().unwrap();
    let began = Instant::now();
    assert!(!reads_from_replica(&reads).await);
    assert!(refused(&reads).await.contains("read-only"));
    while began.elapsed() < Duration::from_secs(2) {
        assert!(!reads_from_replica(&reads).await);
    }
    assert!(began.elapsed() < GRACE, "callers have waited");
    let attempts = engine.replicas()[0].pool().snapshot().connect_errors;
    assert!(attempts < 8, "{attempts} connects to a server that is away");

    replica.start_again().unwrap();
    let began = Instant::now();
    while !reads_from_replica(&reads).await {
        assert!(began.elapsed() < PATIENCE, "the replica is not read again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An engine whose replica is reached through a proxy, and has been read.
async fn start_behind_proxy() -> (PostgreSql, PostgreSql, Proxy, Engine<Postgres>) {
    let primary = PostgreSql::start().expect("this needs PostgreSQL");
    let replica = primary.start_replica().unwrap();
    let proxy = Proxy::to(&replica.socket()).unwrap();
    // A connection that is on its way back when the replica falls silent is waited for, too.
    let second = Duration::from_secs(1);
    let options = EngineOptions::builder()
        .pool_connect_timeout(second)
        .pool_reset_timeout(second)
        .pool_close_timeout(second);
    let reads = create_engine(replica.url_at(proxy.port()), options.build().unwrap()).unwrap();
    let engine = engine_at(&primary).with_replicas([reads]);
    assert!(reads_from_replica(&engine.read_only()).await);
    (primary, replica, proxy, engine)
}

#[tokio::test]
async fn a_replica_that_swallows_everything_keeps_a_reader_for_its_connect_timeout() {
    let (_primary, _replica, proxy, engine) = start_behind_proxy().await;
    proxy.freeze().unwrap();
    let reads = engine.read_only();
    let reading = tokio::time::timeout(GRACE, reads_from_replica(&reads));
    assert!(!reading.await.expect("it is told to be read-only in time"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_replica_that_loses_each_connection_before_it_is_read_only_is_replaced() {
    let (_primary, _replica, proxy, engine) = start_behind_proxy().await;
    let reads = engine.read_only();
    let lose = || proxy.cut_at("READ ONLY", Lost::Request, Ending::Fin);
    lose();
    let reading = reads_from_replica(&reads);
    let is_read = thread::scope(|scope| {
        let losing = scope.spawn(|| {
            for _ in 0..2 {
                let began = Instant::now();
                while proxy.awaits_request() && began.elapsed() < GRACE {
                    thread::yield_now();
                }
                lose();
            }
        });
        let is_read =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(reading));
        losing.join().unwrap();
        is_read
    });
    assert!(!is_read);
}
