//! What is told at COMMIT.

use everpool_sqlx::{
    AssertSqlSafe, Connection as _, Driver, Engine, Error, MySql, Postgres, Session, SessionError,
    Sqlite, Transaction, raw_sql,
};
use everpool_tests::{MariaDb, Proxy, proxy::Ending};

use crate::{
    cost::{Cost, code, cost, defaults},
    mysql, postgresql, sqlite,
};

async fn run<DB: Driver>(
    transaction: &mut Transaction<'_, DB>,
    statements: &str,
) -> Result<(), Error> {
    use everpool_sqlx::Executor;

    let statements = raw_sql(AssertSqlSafe(statements));
    (&mut **transaction).execute(statements).await.map(drop)
}

#[tokio::test]
async fn a_transaction_in_which_a_statement_failed_is_not_called_committed() {
    let server = postgresql::start();
    let engine: Engine<Postgres> = defaults(&server.url());
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    run(&mut transaction, "INSERT INTO t VALUES (2)")
        .await
        .unwrap();
    run(&mut transaction, "SELEC").await.unwrap_err();
    let told = transaction.commit().await.unwrap_err().to_string();
    assert!(told.contains("rolled back instead of committed"), "{told}");
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "1");

    // It is over, and the connection as good as before.
    let mut transaction = connection.begin().await.unwrap();
    run(&mut transaction, "INSERT INTO t VALUES (2)")
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "2");
}

#[tokio::test]
async fn what_failed_in_a_savepoint_that_was_undone_does_not_hinder_the_commit() {
    let server = postgresql::start();
    let engine: Engine<Postgres> = defaults(&server.url());
    let mut transaction = engine.begin().await.unwrap();
    run(&mut transaction, "INSERT INTO t VALUES (2)")
        .await
        .unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    run(&mut savepoint, "SELEC").await.unwrap_err();
    savepoint.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "2");
}

#[tokio::test]
async fn what_failed_past_the_transaction_hinders_the_commit_too() {
    let server = postgresql::start();
    let engine: Engine<Postgres> = defaults(&server.url());
    let mut transaction = engine.begin().await.unwrap();
    run(&mut transaction, "INSERT INTO t VALUES (2)")
        .await
        .unwrap();
    let driver = transaction.driver_connection().await.unwrap();
    driver.ping().await.unwrap();
    everpool_sqlx::query("SELEC")
        .execute(driver)
        .await
        .unwrap_err();
    transaction.commit().await.unwrap_err();
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "1");
}

#[tokio::test]
async fn a_victim_of_a_deadlock_is_not_called_committed() {
    let server = mysql::start();
    server.sql("INSERT INTO t VALUES (2)").unwrap();
    let engine: Engine<MySql> = defaults(&server.url());
    let mut first = engine.begin().await.unwrap();
    let mut second = engine.begin().await.unwrap();
    let lock = |i| format!("UPDATE t SET i = i + 10 WHERE i = {i}");
    run(&mut first, &lock(1)).await.unwrap();
    run(&mut second, &lock(2)).await.unwrap();
    let (two, one) = (lock(2), lock(1));
    let (a, b) = tokio::join!(run(&mut first, &two), run(&mut second, &one));

    let (victim, error) = match (a, b) {
        (Err(error), Ok(())) => (first, error),
        (Ok(()), Err(error)) => (second, error),
        both => panic!("one of the two is the victim: {both:?}"),
    };
    let number = error.as_database_error().and_then(|error| {
        let error = error.try_downcast_ref::<everpool_sqlx::mysql::MySqlDatabaseError>();
        error.map(everpool_sqlx::mysql::MySqlDatabaseError::number)
    });
    assert_eq!(number, Some(1213));
    let told = victim.commit().await.unwrap_err().to_string();
    assert!(told.contains("rolled back instead of committed"), "{told}");
}

#[tokio::test]
async fn a_commit_that_postgresql_refuses_is_that_error_and_costs_nothing() {
    let server = postgresql::start();
    server
        .psql("CREATE TABLE u (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        .unwrap();
    let engine: Engine<Postgres> = defaults(&server.url());
    let mut connection = engine.connect().await.unwrap();
    let before = engine.status();
    let mut transaction = connection.begin().await.unwrap();
    run(&mut transaction, "INSERT INTO u VALUES (1), (1)")
        .await
        .unwrap();
    assert_eq!(code(&transaction.commit().await.unwrap_err()), "23505");
    assert_eq!(cost(&mut connection, &before), Cost::Nothing);
    connection.begin().await.unwrap().commit().await.unwrap();
}

/// The server does what it is told, and its answer is lost.
async fn outcome_unknown<DB: Driver>(engine: &Engine<DB>, proxy: &Proxy, insert: &str) {
    use everpool_sqlx::Executor;

    let mut session = Session::begin(engine).await.unwrap();
    (&mut session)
        .execute(raw_sql(AssertSqlSafe(insert)))
        .await
        .unwrap();
    proxy.cut_answer_after(0, Ending::Fin);
    let outcome = session.commit().await.unwrap_err();
    let is_unknown = matches!(outcome, SessionError::CommitOutcomeUnknown(_));
    assert!(is_unknown, "{outcome:?}");
    session.commit().await.unwrap();
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_has_an_unknown_outcome_on_postgresql() {
    let server = postgresql::start();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let engine: Engine<Postgres> = defaults(&server.url_at(proxy.port()));
    outcome_unknown(&engine, &proxy, "INSERT INTO t VALUES (2)").await;
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "2");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_has_an_unknown_outcome_on_mysql() {
    let server: MariaDb = mysql::start();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let engine: Engine<MySql> = defaults(&server.url_at(proxy.port()));
    outcome_unknown(&engine, &proxy, "INSERT INTO t VALUES (2)").await;
    assert_eq!(server.sql("SELECT count(*) FROM t").unwrap().trim(), "2");
}

#[tokio::test]
async fn a_commit_that_sqlite_puts_off_may_be_tried_again() {
    let file = sqlite::File::new();
    let engine: Engine<Sqlite> = defaults(&file.url());
    let mut reader = engine.begin().await.unwrap();
    let mut writer = engine.connect().await.unwrap();
    run(&mut reader, "SELECT * FROM t").await.unwrap();
    let mut transaction = writer.begin().await.unwrap();
    let insert = "PRAGMA busy_timeout = 20; INSERT INTO t VALUES (2)";
    run(&mut transaction, insert).await.unwrap();
    // By the connection's own method, because the transaction's is for one attempt.
    let busy = everpool_sqlx::EngineConnection::commit(&mut transaction).await;
    assert_eq!(code(&busy.unwrap_err()), "5");
    reader.rollback().await.unwrap();
    everpool_sqlx::EngineConnection::commit(&mut transaction)
        .await
        .unwrap();
    drop(transaction);
    let rows: i64 = everpool_sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(&engine)
        .await
        .unwrap();
    assert_eq!(rows, 2);
}
