//! Connections that a session has joined, where the session or the connection ends otherwise than by the book.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::mem;

use diesel::{SqliteConnection, connection::SimpleConnection};
use everpool_sqlx::{Postgres, SessionMaker, SessionOptions, Sqlite, query, raw_sql};
use everpool_tests::PostgreSql;
use tempfile::TempDir;

const TABLE: &str = "CREATE TABLE t (i int)";
const INSERT: &str = "INSERT INTO t VALUES (1)";

fn database() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let url = format!("sqlite:///{}/a.db", folder.path().display());
    (folder, url)
}

#[test]
fn a_transaction_of_diesel_s_whose_connection_a_forgotten_session_has_runs_nothing_elsewhere() {
    use everpool_diesel::{JoinTransactionMode, Session, create_engine};

    let (_folder, url) = database();
    let engine = create_engine::<SqliteConnection>(url.as_str(), Default::default()).unwrap();
    let mut connection = engine.connect().unwrap();
    connection.batch_execute(TABLE).unwrap();
    let mut transaction = connection.begin().unwrap();
    let joined = Session::join(&mut transaction, JoinTransactionMode::default());
    mem::forget(joined);
    let refused = transaction.batch_execute(INSERT).unwrap_err().to_string();
    assert!(refused.contains("rolled back"), "{refused}");
    transaction.rollback().unwrap();
    connection.batch_execute(INSERT).unwrap();
}

#[tokio::test]
async fn a_transaction_of_sqlx_s_whose_connection_a_forgotten_session_has_runs_nothing_elsewhere() {
    use everpool_sqlx::{JoinTransactionMode, Session, create_engine};

    let (_folder, url) = database();
    let url = format!("{url}?mode=rwc");
    let engine = create_engine::<Sqlite>(url.as_str(), Default::default()).unwrap();
    let mut connection = engine.connect().await.unwrap();
    query(TABLE).execute(&mut *connection).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let joined = Session::join(&mut transaction, JoinTransactionMode::default());
    mem::forget(joined);
    let refused = query(INSERT).execute(&mut *transaction).await.map(drop);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("rolled back"), "{refused}");
    transaction.rollback().await.unwrap();
    query(INSERT).execute(&mut *connection).await.unwrap();
}

#[tokio::test]
async fn what_a_session_of_sqlx_s_leaves_open_in_a_two_phase_transaction_is_not_committed_with_it()
{
    use everpool_sqlx::{JoinTransactionMode, Session, create_engine};

    let server = PostgreSql::start().expect("this needs PostgreSQL");
    server.psql(TABLE).unwrap();
    let engine = create_engine::<Postgres>(server.url(), Default::default()).unwrap();
    let mut connection = engine.connect().await.unwrap();
    let mut twophase = connection.begin_twophase(None).await.unwrap();
    let mut session = Session::join(&mut twophase, JoinTransactionMode::ControlFully);
    query(INSERT).execute(&mut *session).await.unwrap();
    drop(session);
    twophase.commit().await.unwrap_err();
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "0");
}

#[tokio::test]
async fn a_session_that_could_be_prepared_tells_of_a_rollback_where_commit_would_not() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    server.psql(TABLE).unwrap();
    let engine =
        everpool_sqlx::create_engine::<Postgres>(server.url(), Default::default()).unwrap();
    let options = SessionOptions::default().twophase(true);
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let mut session = sessions.session();
    query(INSERT).execute(&mut session).await.unwrap();
    let own = session.driver_connection().await.unwrap();
    let failed = raw_sql("SELECT 1 / 0").execute(own).await.map(drop);
    failed.unwrap_err();
    let committed = session.commit().await;
    let rows = server.psql("SELECT count(*) FROM t").unwrap();
    assert!(committed.is_err(), "committed, and there are {rows} rows");
}
