//! What SQLite ends by itself, and what SQLx's worker for it overhears.

use crate::{
    cut::cut,
    database::{Database, File, ask, assert_sound, insert, send},
};

/// The database has rolled back, and the driver counts a level still.
#[tokio::test]
async fn a_transaction_that_the_database_has_ended_itself_is_over() {
    let database = File::start();
    let engine = database.narrow();
    let unique = "CREATE UNIQUE INDEX one ON t (i)";
    send::<File, _>(&engine, unique).await.unwrap();
    send::<File, _>(&engine, &insert(1)).await.unwrap();
    let fails = "INSERT OR ROLLBACK INTO t VALUES (1)";

    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    send::<File, _>(&mut *transaction, fails).await.unwrap_err();
    transaction.rollback().await.unwrap();
    assert!(!connection.in_transaction());
    let mut transaction = connection.begin().await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    send::<File, _>(&mut *savepoint, fails).await.unwrap_err();
    savepoint.commit().await.unwrap_err();
    drop(transaction);
    send::<File, _>(&mut *connection, &insert(2)).await.unwrap();
    let transaction = connection.begin().await.unwrap();
    transaction.commit().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    send::<File, _>(&mut *transaction, fails).await.unwrap_err();
    transaction.commit().await.unwrap_err();
    drop(connection);
    assert_sound::<File>(&engine, "a rollback of the database's own").await;

    let mut connection = engine.connect().await.unwrap();
    std::mem::forget(connection.begin().await.unwrap());
    send::<File, _>(&mut *connection, "COMMIT").await.unwrap();
    drop(connection);
    assert_sound::<File>(&engine, "a commit by text").await;
    assert_eq!(database.committed(2).await, 1);
}

#[tokio::test]
async fn a_savepoint_outside_of_a_transaction_is_one_and_is_rolled_back() {
    let database = File::start();
    let engine = database.narrow();
    let mut connection = engine.connect().await.unwrap();
    send::<File, _>(&mut *connection, "SAVEPOINT mine")
        .await
        .unwrap();
    send::<File, _>(&mut *connection, &insert(1)).await.unwrap();
    drop(connection);
    assert_sound::<File>(&engine, "a savepoint").await;
    assert_eq!(database.committed(1).await, 0);
}

/// After an end that was given up, SQLx does not do the next rollback of a dropped transaction: it takes it
/// for the one of the end.
#[tokio::test]
async fn after_an_end_that_was_given_up_the_next_dropped_transaction_is_rolled_back() {
    let database = File::start();
    let engine = database.narrow();
    for row in 1..30 {
        let mut transaction = engine.begin().await.unwrap();
        send::<File, _>(&mut *transaction, &insert(row))
            .await
            .unwrap();
        assert!(cut(0, transaction.commit()).await.is_none());

        let mut connection = engine.connect().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        send::<File, _>(&mut *transaction, &insert(100 + row))
            .await
            .unwrap();
        drop(transaction);
        let driver = connection.driver_connection().await.unwrap();
        let mut own = sqlx::Connection::begin(driver).await.unwrap();
        sqlx::Executor::execute(&mut *own, sqlx::query("INSERT INTO t VALUES (500)"))
            .await
            .unwrap();
        drop(own);
        send::<File, _>(&mut *connection, &insert(200 + row))
            .await
            .unwrap();
        drop(connection);
        assert_eq!(database.committed(100 + row).await, 0);
        assert_eq!(database.committed(200 + row).await, 1);
    }
    assert_eq!(database.committed(500).await, 0);
}

/// SQLx's worker would end with the answer that nobody takes.
#[tokio::test]
async fn a_savepoint_with_a_statement_of_its_own_is_refused_without_asking_the_worker() {
    let database = File::start();
    let engine = database.narrow();
    let mut transaction = engine.begin().await.unwrap();
    let refused = cut(0, transaction.begin_with("BEGIN IMMEDIATE")).await;
    assert!(matches!(
        refused,
        Some(Err(sqlx::Error::InvalidSavePointStatement))
    ));
    drop(refused);
    assert_eq!(
        ask::<File, _>(&mut *transaction, "SELECT 1").await.unwrap(),
        1
    );
}

/// <https://github.com/launchbadge/sqlx/issues/3932>
#[tokio::test]
async fn sqlx_3932_a_begin_that_begins_nothing_leaves_nothing_open() {
    let database = File::start();
    let engine = database.narrow();
    let mut connection = engine.connect().await.unwrap();
    connection.begin_with("SELECT 1").await.err().unwrap();
    assert!(!connection.in_transaction());
    send::<File, _>(&mut *connection, &insert(1)).await.unwrap();
    drop(connection);
    assert_sound::<File>(&engine, "a begin that begins nothing").await;
    for waits in 0..4 {
        let mut connection = engine.connect().await.unwrap();
        drop(cut(waits, connection.begin_with("BEGIN IMMEDIATE")).await);
        drop(connection);
        assert_sound::<File>(&engine, "a begin that was given up").await;
        let other = database
            .outside("BEGIN IMMEDIATE; ROLLBACK; SELECT 1")
            .await;
        assert_eq!(other, 1);
    }
    assert_eq!(database.committed(1).await, 1);
}

/// Whether it succeeded is not known: here it does not, because a reader has the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_by_text_that_was_given_up_is_not_taken_for_one() {
    let database = File::start();
    let journal = "PRAGMA journal_mode = DELETE; SELECT 0";
    database.outside(journal).await;
    let engine = database.narrow();
    send::<File, _>(&engine, &insert(9)).await.unwrap();
    let reader = database.engine(crate::database::narrow());
    let mut reading = reader.begin().await.unwrap();
    ask::<File, _>(&mut *reading, "SELECT count(*) FROM t")
        .await
        .unwrap();
    let mut connection = engine.connect().await.unwrap();
    send::<File, _>(&mut *connection, "PRAGMA busy_timeout = 50")
        .await
        .unwrap();
    send::<File, _>(&mut *connection, &format!("BEGIN; {}", insert(1)))
        .await
        .unwrap();
    assert!(
        cut(0, send::<File, _>(&mut *connection, "COMMIT"))
            .await
            .is_none()
    );
    drop(connection);
    assert_sound::<File>(&engine, "a commit that failed unseen").await;
    drop(reading);
    assert_eq!(database.committed(1).await, 0);
}
