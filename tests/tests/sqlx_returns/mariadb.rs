//! What SQLx's driver for MySQL leaves undone, and what a connection to MySQL can be told.

use std::time::Duration;

use sqlx::Executor;

use crate::database::{Database, Maria, ask, assert_sound, insert, narrow, send};

/// The driver stops after the first row; the error of the second would be the next statement's.
#[tokio::test]
async fn an_error_behind_the_first_row_is_told_by_fetch_one_itself() {
    let database = Maria::start();
    database
        .server
        .sql("INSERT INTO t VALUES (1), (2)")
        .unwrap();
    let engine = database.narrow();
    let mut connection = engine.connect().await.unwrap();
    let two_rows = "SELECT (SELECT i FROM t WHERE i <> o.n) FROM (SELECT 1 n UNION SELECT 3) o";
    let error = ask::<Maria, _>(&mut *connection, two_rows)
        .await
        .unwrap_err();
    let error = error.as_database_error().map(ToString::to_string).unwrap();
    assert!(error.contains("more than 1 row"), "{error}");
    assert_eq!(
        ask::<Maria, _>(&mut *connection, "SELECT 7").await.unwrap(),
        7
    );
}

/// Else another's ALTER TABLE would wait for whatever this connection does next.
#[tokio::test]
async fn fetch_one_leaves_no_lock_on_the_table() {
    let database = Maria::start();
    let many = "INSERT INTO t SELECT seq FROM seq_1_to_20000";
    database.server.sql(many).unwrap();
    let engine = database.narrow();
    let mut connection = engine.connect().await.unwrap();
    for query in ["SELECT i FROM t", "SELECT a.i FROM t a, t b LIMIT 50000"] {
        let first = (&mut *connection).fetch_optional(sqlx::query(query)).await;
        first.unwrap().unwrap();
        let alter = "SET SESSION lock_wait_timeout = 1; ALTER TABLE t ADD COLUMN x int; \
                     ALTER TABLE t DROP COLUMN x";
        database.server.sql(alter).unwrap();
    }
}

/// The driver expects an answer to what it did not send, and would wait for it for ever.
#[tokio::test]
async fn a_wrong_number_of_arguments_costs_the_connection_only() {
    let database = Maria::start();
    let engine = database.narrow();
    for _ in 0..3 {
        let mut connection = engine.connect().await.unwrap();
        let wrong = sqlx::query("SELECT ?").execute(&mut *connection).await;
        assert!(matches!(wrong, Err(sqlx::Error::Protocol(_))), "{wrong:?}");
        let next = tokio::time::timeout(Duration::from_secs(10), async {
            ask::<Maria, _>(&mut *connection, "SELECT 8").await
        });
        assert_eq!(next.await.unwrap().unwrap(), 8);
    }
    let mut transaction = engine.begin().await.unwrap();
    send::<Maria, _>(&mut *transaction, &insert(1))
        .await
        .unwrap();
    sqlx::query("SELECT ?")
        .execute(&mut *transaction)
        .await
        .unwrap_err();
    transaction.commit().await.unwrap_err();
    assert_sound::<Maria>(&engine, "wrong arguments").await;
    assert_eq!(database.committed(1).await, 0);
}

/// Then a COMMIT begins the next transaction, and so does the ROLLBACK of a reset.
#[tokio::test]
async fn whoever_has_commits_chained_hands_no_transaction_on() {
    let database = Maria::start();
    let routine = "CREATE PROCEDURE chain() SET SESSION completion_type = 1";
    database.server.sql(routine).unwrap();
    for chain in ["SET SESSION completion_type = 1", "CALL chain()"] {
        for rolls_back in [false, true] {
            let engine = database.narrow();
            let mut connection = engine.connect().await.unwrap();
            send::<Maria, _>(&mut *connection, chain).await.unwrap();
            let mut transaction = connection.begin().await.unwrap();
            send::<Maria, _>(&mut *transaction, &insert(1))
                .await
                .unwrap();
            match rolls_back {
                true => transaction.rollback().await.unwrap(),
                false => transaction.commit().await.unwrap(),
            }
            drop(connection);
            assert_sound::<Maria>(&engine, chain).await;
        }
    }
    assert_eq!(database.committed(1).await, 2);
}

/// What is told to the driver's own connection is asked for at the return.
#[tokio::test]
async fn a_mode_that_was_set_past_the_connection_hands_no_transaction_on() {
    let database = Maria::start();
    for mode in ["SET autocommit = 0", "SET completion_type = 1"] {
        let engine = database.engine(narrow());
        let mut connection = engine.connect().await.unwrap();
        let driver = connection.driver_connection().await.unwrap();
        driver.execute(mode).await.unwrap();
        drop(connection);
        for row in 1..4 {
            let mut next = engine.connect().await.unwrap();
            send::<Maria, _>(&mut *next, &insert(row)).await.unwrap();
            let inside: i64 = ask::<Maria, _>(&mut *next, "SELECT @@in_transaction")
                .await
                .unwrap();
            assert_eq!(inside, i64::from(mode.contains("autocommit")), "{mode}");
            drop(next);
            let mut next = engine.connect().await.unwrap();
            let inside = ask::<Maria, _>(&mut *next, "SELECT @@in_transaction").await;
            assert_eq!(inside.unwrap(), 0, "{mode}");
        }
    }
}
