//! On PostgreSQL a COMMIT after a failure is answered by a rollback and no error. What `commit` says is so.

use everpool_sqlx::{Engine, Postgres, Transaction};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use sqlx::Executor;

use crate::database::{Connection, Database, Pg, ask, assert_sound, insert, next_user, send};

type Failure = for<'c> fn(&'c mut Connection<Postgres>) -> BoxFuture<'c, ()>;

/// The third row is an error.
const FAILS_LATER: &str = "SELECT 1 / (3 - i) FROM generate_series(1, 5) i";

fn failures() -> [(&'static str, Failure); 6] {
    [
        ("a failed statement", |connection| {
            async move { send::<Pg, _>(connection, "SELEC").await.unwrap_err() }
                .map(drop)
                .boxed()
        }),
        ("a failed row", |connection| {
            async move { ask::<Pg, _>(connection, FAILS_LATER).await.unwrap_err() }
                .map(drop)
                .boxed()
        }),
        ("a failed row that nobody read", |connection| {
            async move {
                let mut rows = connection.fetch(sqlx::raw_sql(FAILS_LATER));
                rows.next().await.unwrap().unwrap();
            }
            .boxed()
        }),
        ("a failed savepoint by text", |connection| {
            async move {
                send::<Pg, _>(connection, "ROLLBACK TO nowhere")
                    .await
                    .unwrap_err()
            }
            .map(drop)
            .boxed()
        }),
        ("a failure on the driver's own connection", |connection| {
            async move {
                let driver = connection.driver_connection().await.unwrap();
                driver.execute("SELEC").await.unwrap_err()
            }
            .map(drop)
            .boxed()
        }),
        ("a failed COPY, out of step", |connection| {
            async move {
                let driver = connection.driver_connection().await.unwrap();
                driver
                    .copy_in_raw("COPY nowhere FROM STDIN")
                    .await
                    .err()
                    .unwrap()
            }
            .map(drop)
            .boxed()
        }),
    ]
}

#[tokio::test]
async fn a_commit_after_a_failure_is_an_error_and_nothing_is_committed() {
    let database = Pg::start();
    let engine = database.narrow();
    for (failure, fail) in failures() {
        let mut transaction = begun(&engine, failure).await;
        fail(&mut transaction).await;
        transaction.commit().await.unwrap_err();
        assert_sound::<Pg>(&engine, failure).await;

        let mut connection = next_user::<Pg>(&engine, failure).await;
        std::mem::forget(connection.begin().await.unwrap());
        let sent = send::<Pg, _>(&mut *connection, &insert(1)).await;
        // A scope that was forgotten is no scope to wait for.
        sent.unwrap();
        fail(&mut connection).await;
        connection.commit().await.unwrap_err();
        drop(connection);
        assert_sound::<Pg>(&engine, failure).await;
        assert_eq!(database.committed(1).await, 0, "after {failure}");
    }
}

async fn begun(engine: &Engine<Postgres>, after: &str) -> Transaction<'static, Postgres> {
    let mut transaction = engine.begin().await.unwrap();
    let sent = send::<Pg, _>(&mut *transaction, &insert(1)).await;
    sent.unwrap_or_else(|error| panic!("after {after}: {error}"));
    transaction
}

#[tokio::test]
async fn a_failure_that_a_savepoint_has_undone_is_none() {
    let database = Pg::start();
    let engine = database.narrow();
    let mut row = 0;
    for (failure, fail) in failures() {
        if failure.contains("out of step") {
            continue;
        }
        row += 1;
        let mut transaction = engine.begin().await.unwrap();
        send::<Pg, _>(&mut *transaction, &insert(row))
            .await
            .unwrap();
        let mut savepoint = transaction.begin().await.unwrap();
        fail(&mut savepoint).await;
        savepoint.rollback().await.unwrap();
        let mut dropped = transaction.begin().await.unwrap();
        fail(&mut dropped).await;
        drop(dropped);
        let mut refused = transaction.begin().await.unwrap();
        fail(&mut refused).await;
        refused.commit().await.unwrap_err();
        send::<Pg, _>(&mut *transaction, "SAVEPOINT mine")
            .await
            .unwrap();
        fail(&mut transaction).await;
        // The failure may not have been read yet.
        let back = "ROLLBACK TO mine";
        send::<Pg, _>(&mut *transaction, back).await.unwrap();
        let committed = transaction.commit().await;
        committed.unwrap_or_else(|error| panic!("after {failure}: {error}"));
        assert_eq!(database.committed(row).await, 1, "after {failure}");
    }
}
