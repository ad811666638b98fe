//! Whoever has had the driver's own connection, or left rows unread, may have left it out of step.

use everpool_sqlx::{Postgres, ResetOnReturn};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use sqlx::Executor;

use crate::{
    cut::cut,
    database::{Connection, Database, Maria, Pg, ask, assert_sound, narrow, next_user, send},
};

type Way = for<'c> fn(&'c mut Connection<Postgres>) -> BoxFuture<'c, ()>;

fn ways() -> [(&'static str, Way); 5] {
    [
        ("a COPY that failed", |connection| {
            async move {
                let copied = connection.copy_in_raw("COPY nowhere FROM STDIN").await;
                copied.err().unwrap();
            }
            .boxed()
        }),
        ("a COPY IN that was dropped", |connection| {
            async move {
                let mut copy = connection.copy_in_raw("COPY t FROM STDIN").await.unwrap();
                copy.send(&b"1\n"[..]).await.unwrap();
            }
            .boxed()
        }),
        ("a COPY OUT that was dropped", |connection| {
            async move {
                let rows = "COPY (SELECT generate_series(1, 100)) TO STDOUT";
                let mut copy = connection.copy_out_raw(rows).await.unwrap();
                copy.next().await.unwrap().unwrap();
            }
            .boxed()
        }),
        ("a query that was given up", |connection| {
            async move {
                let driver = connection.driver_connection().await.unwrap();
                assert!(
                    cut(0, driver.execute("SELECT pg_sleep(0.1)"))
                        .await
                        .is_none()
                );
            }
            .boxed()
        }),
        ("rows that were not read", |connection| {
            async move {
                let driver = connection.driver_connection().await.unwrap();
                let mut rows = driver.fetch("SELECT generate_series(1, 100)");
                rows.next().await.unwrap().unwrap();
            }
            .boxed()
        }),
    ]
}

#[tokio::test]
async fn what_was_left_out_of_step_past_the_connection_is_never_lent_so() {
    let database = Pg::start();
    for how in [ResetOnReturn::Rollback, ResetOnReturn::Nothing] {
        let engine = database.engine(narrow().pool_reset_on_return(how));
        for (way, leave) in ways() {
            let mut connection = next_user::<Pg>(&engine, way).await;
            leave(&mut connection).await;
            drop(connection);
            assert_sound::<Pg>(&engine, way).await;

            let mut connection = next_user::<Pg>(&engine, way).await;
            leave(&mut connection).await;
            // If it cannot be put right, it is closed, and that is told.
            let _told = connection.release().await;
            assert_sound::<Pg>(&engine, way).await;
        }
    }
}

const ROWS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                    SELECT i FROM n";

async fn rows_that_are_not_read_are_nobodys<D: Database>() {
    let database = D::start();
    let engine = database.narrow();
    let mut connection = engine.connect().await.unwrap();
    for _ in 0..2 {
        let mut rows = connection.fetch(sqlx::raw_sql(ROWS));
        assert_eq!(D::number(&rows.next().await.unwrap().unwrap()), 1);
        drop(rows);
        let answer = ask::<D, _>(&mut *connection, &D::echo(5)).await;
        assert_eq!(answer.unwrap(), 5, "{}", D::NAME);
    }
    let mut rows = connection.fetch(sqlx::raw_sql(ROWS));
    rows.next().await.unwrap().unwrap();
    drop(rows);
    drop(connection);
    assert_sound::<D>(&engine, "rows that were not read").await;
    let connections = database.proxy().map(|proxy| proxy.traffic().len());
    assert!(
        connections.is_none_or(|count| count == 1),
        "{} kept its connection",
        D::NAME
    );
}

#[tokio::test]
async fn rows_that_are_not_read_cost_neither_the_next_statement_nor_the_connection() {
    rows_that_are_not_read_are_nobodys::<Pg>().await;
    rows_that_are_not_read_are_nobodys::<Maria>().await;
    rows_that_are_not_read_are_nobodys::<crate::database::File>().await;
}

/// The driver would tell it to the next statement.
#[tokio::test]
async fn an_error_in_rows_that_nobody_read_is_not_told_to_the_next_statement() {
    let database = Pg::start();
    let engine = database.narrow();
    let mut connection = engine.connect().await.unwrap();
    let fails_later = "SELECT 1 / (3 - i) FROM generate_series(1, 5) i";
    let mut rows = connection.fetch(sqlx::raw_sql(fails_later));
    rows.next().await.unwrap().unwrap();
    drop(rows);
    assert_eq!(ask::<Pg, _>(&mut *connection, "SELECT 6").await.unwrap(), 6);
    send::<Pg, _>(&mut *connection, "SELEC").await.unwrap_err();
}
