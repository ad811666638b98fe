//! Any future of a session may be dropped at any wait.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use everpool_sqlx::{Driver, Engine, Session, SessionError};
use everpool_tests::{MariaDb, Proxy};

use crate::support::{engine, insert, postgresql, send};

/// The future's output, unless it is dropped at the wait after so many others.
async fn cut<T>(waits: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = waits;
    poll_fn(|context| match (future.as_mut().poll(context), left) {
        (Poll::Ready(output), _) => Poll::Ready(Some(output)),
        (Poll::Pending, 0) => Poll::Ready(None),
        (Poll::Pending, _) => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// All that a session does, to its end: a row that is kept, three in savepoints that are undone, one that is
/// kept in a savepoint.
async fn story<DB: Driver>(session: &mut Session<DB>, first: i32) -> Result<(), SessionError> {
    send(session, &insert(first)).await?;
    let mut outer = session.begin_nested().await?;
    send(&mut outer, &insert(first + 1)).await?;
    let mut inner = outer.begin_nested().await?;
    send(&mut inner, &insert(first + 2)).await?;
    drop(inner);
    outer.rollback().await?;
    let undone = session.nested(|session| {
        Box::pin(async move {
            send(session, &insert(first + 3)).await?;
            Err::<(), _>(SessionError::from(everpool_sqlx::Error::RowNotFound))
        })
    });
    undone.await.unwrap_err();
    let kept = session.nested(|session| {
        Box::pin(async move { Ok::<_, SessionError>(send(session, &insert(first + 4)).await?) })
    });
    kept.await?;
    session.commit().await
}

/// The story is dropped at each of its waits in turn, and the session used on.
async fn is_dropped_at_every_wait<DB: Driver>(engine: &Engine<DB>, rows: impl Fn(i32) -> Vec<i32>) {
    for waits in 0.. {
        let first = i32::try_from(waits).unwrap() * 10;
        let mut session = Session::begin(engine).await.unwrap();
        let whole = cut(waits, story(&mut session, first)).await;
        let kept = [first, first + 4];
        if let Some(done) = whole {
            done.unwrap();
            assert_eq!(rows(first), kept);
            assert!(waits > 5, "some were dropped");
            break;
        }
        // Whatever was left is finished or refused, and a rollback is always legal.
        let _left = send(&mut session, &insert(first + 5)).await;
        session.rollback().await.unwrap();
        assert!(session.is_active() && !session.in_transaction());
        send(&mut session, &insert(first + 6)).await.unwrap();
        session.commit().await.unwrap();
        let there = rows(first);
        let without = vec![first + 6];
        let with = vec![first, first + 4, first + 6];
        assert!(
            there == without || there == with,
            "{there:?} after {waits} waits"
        );
    }
}

/// So that no answer is there before somebody waits for it.
fn slow(server: &std::path::Path) -> Proxy {
    let network = Proxy::to(server).unwrap();
    network.delay(Duration::from_millis(2));
    network
}

fn numbers(rows: &str) -> Vec<i32> {
    rows.split_whitespace()
        .map(|row| row.parse().unwrap())
        .collect()
}

fn of(first: i32) -> String {
    let last = first + 9;
    format!("SELECT i FROM t WHERE i BETWEEN {first} AND {last} ORDER BY i")
}

#[tokio::test]
async fn a_sqlx_session_that_is_dropped_at_any_wait_on_postgresql_is_legal() {
    let server = postgresql();
    let network = slow(&server.socket());
    let engine: Engine<everpool_sqlx::Postgres> = engine(&server.url_at(network.port()));
    is_dropped_at_every_wait(&engine, |first| numbers(&server.psql(&of(first)).unwrap())).await;
}

#[tokio::test]
async fn a_sqlx_session_that_is_dropped_at_any_wait_on_mariadb_is_legal() {
    let server = MariaDb::start().expect("these tests need MariaDB");
    server
        .sql("CREATE TABLE t (i int) ENGINE = InnoDB")
        .unwrap();
    let network = slow(&server.socket());
    let engine: Engine<everpool_sqlx::MySql> = engine(&server.url_at(network.port()));
    is_dropped_at_every_wait(&engine, |first| numbers(&server.sql(&of(first)).unwrap())).await;
}
