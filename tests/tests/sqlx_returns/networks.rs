//! What a server that answers late, or not at all, costs.

use std::time::{Duration, Instant};

use everpool_sqlx::{Engine, EngineOptions, EngineOptionsBuilder};

use crate::{
    cut::cut,
    database::{Database, Pg, ask, assert_sound, insert, send},
};

const IDLE: u32 = 15;

async fn fill(engine: &Engine<sqlx::Postgres>) {
    let mut all = Vec::new();
    for _ in 0..IDLE {
        all.push(engine.connect().await.unwrap());
    }
    drop(all);
    assert_eq!(engine.status().idle, IDLE as usize);
}

/// Nothing is pinged only because it was used a moment ago.
fn pinged(options: EngineOptionsBuilder) -> EngineOptionsBuilder {
    options.pool_pre_ping(true).pool_size(IDLE)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_behind_fifteen_idle_connections_costs_one_caller_one_ping_timeout() {
    let database = Pg::start();
    let ping = Duration::from_secs(2);
    let options = pinged(EngineOptions::builder()).pool_ping_timeout(ping);
    let engine = database.engine(options);
    fill(&engine).await;
    database.proxy.freeze_open().unwrap();
    let mut waits = Vec::new();
    for _ in 0..IDLE {
        let asked = Instant::now();
        assert_eq!(ask::<Pg, _>(&engine, "SELECT 1").await.unwrap(), 1);
        waits.push(asked.elapsed());
    }
    let long: Vec<_> = waits.iter().filter(|wait| **wait >= ping).collect();
    assert_eq!(long.len(), 1, "{waits:?}");
    assert!(*long[0] < 2 * ping, "{waits:?}");
}

/// <https://github.com/launchbadge/sqlx/issues/4349>: behind a server that went silent, a return holds its
/// slot for as long as a reset may take.
#[tokio::test(flavor = "multi_thread")]
async fn sqlx_4349_a_return_to_a_silent_server_gives_its_slot_back_in_time() {
    let database = Pg::start();
    let reset = Duration::from_millis(500);
    let options = EngineOptions::builder().pool_size(3).max_overflow(0);
    let engine = database.engine(options.pool_reset_timeout(reset));
    let mut all = Vec::new();
    for row in 0..3 {
        let mut connection = engine.connect().await.unwrap();
        send::<Pg, _>(&mut *connection, "BEGIN").await.unwrap();
        send::<Pg, _>(&mut *connection, &insert(row)).await.unwrap();
        all.push(connection);
    }
    database.proxy.freeze_open().unwrap();
    let dropped = Instant::now();
    drop(all);
    assert!(dropped.elapsed() < reset, "the drop waits for nothing");
    assert_sound::<Pg>(&engine, "a silent server").await;
    assert!(dropped.elapsed() >= reset);
    assert_eq!(engine.status().checked_out, 0);
}

/// <https://github.com/launchbadge/sqlx/issues/3513>, <https://github.com/launchbadge/sqlx/issues/3132>:
/// under load, callers that give up would have each connect begun anew and never ended.
#[tokio::test(flavor = "multi_thread")]
async fn sqlx_3513_3132_a_connect_goes_on_when_its_callers_give_up() {
    let database = Pg::start();
    let engine = database.narrow();
    database.proxy.trickle(Duration::from_millis(1));
    for _ in 0..50 {
        let given_up = tokio::time::timeout(Duration::from_millis(5), engine.connect());
        drop(given_up.await);
    }
    assert_sound::<Pg>(&engine, "callers that gave up").await;
    assert_eq!(
        database.proxy.traffic().len(),
        1,
        "one connect for all of them"
    );
}

/// <https://github.com/launchbadge/sqlx/issues/4393>, <https://github.com/launchbadge/sqlx/issues/2805>,
/// <https://github.com/launchbadge/sqlx/issues/2054>
#[tokio::test(flavor = "multi_thread")]
async fn sqlx_4393_2805_2054_a_begin_that_is_given_up_hands_no_transaction_on() {
    let database = Pg::start();
    let engine = database.narrow();
    for waits in 0..24 {
        let mut connection = engine.connect().await.unwrap();
        database.proxy.trickle(Duration::from_millis(1));
        drop(cut(waits, connection.begin()).await);
        database.proxy.trickle(Duration::ZERO);
        drop(connection);
        let mut next = engine.connect().await.unwrap();
        send::<Pg, _>(&mut *next, &insert(waits)).await.unwrap();
        drop(next);
        assert_eq!(database.committed(waits).await, 1, "{waits}");
    }
    assert_eq!(database.proxy.traffic().len(), 1, "the connection is kept");
}
