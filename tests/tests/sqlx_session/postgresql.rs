//! What a session sends to PostgreSQL, and what a failed statement costs.

use everpool_sqlx::{
    Engine, Postgres, Session, SessionError, SessionMaker, SessionOptions, StateError, query_scalar,
};

use crate::support::{engine, insert, postgresql, refused, rows, send, statements};

#[tokio::test]
async fn a_sqlx_session_of_one_statement_sends_begin_the_statement_and_commit() {
    let server = postgresql();
    let engine: Engine<Postgres> = engine(&server.url());
    let sent = statements(&server, &engine, async {
        let mut session = Session::begin(&engine).await.unwrap();
        session
            .begin_nested()
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
        send(&mut session, &insert(1)).await.unwrap();
        drop(session.begin_nested().await.unwrap());
        session
            .begin_nested()
            .await
            .unwrap()
            .commit()
            .await
            .unwrap();
        session.commit().await.unwrap();
    });
    let one = insert(1);
    assert_eq!(sent.await, ["BEGIN", one.as_str(), "COMMIT"]);
}

#[tokio::test]
async fn a_sqlx_savepoint_is_sent_with_its_first_statement() {
    let server = postgresql();
    let engine: Engine<Postgres> = engine(&server.url());
    let sent = statements(&server, &engine, async {
        let mut session = Session::begin(&engine).await.unwrap();
        let mut nested = session.begin_nested().await.unwrap();
        send(&mut nested, &insert(1)).await.unwrap();
        let mut dropped = nested.begin_nested().await.unwrap();
        send(&mut dropped, &insert(2)).await.unwrap();
        drop(dropped);
        assert!(nested.in_nested_transaction());
        nested.commit().await.unwrap();
        assert!(!session.in_nested_transaction());
        session.commit().await.unwrap();
    })
    .await;
    assert_eq!(
        sent,
        [
            "BEGIN",
            "SAVEPOINT _sqlx_savepoint_1",
            &insert(1),
            "SAVEPOINT _sqlx_savepoint_2",
            &insert(2),
            "ROLLBACK TO SAVEPOINT _sqlx_savepoint_2",
            "RELEASE SAVEPOINT _sqlx_savepoint_1",
            "COMMIT"
        ]
    );
    assert_eq!(rows(&server), "1");
}

#[tokio::test]
async fn a_failed_statement_in_a_sqlx_session_costs_its_savepoint_only() {
    let server = postgresql();
    let engine: Engine<Postgres> = engine(&server.url());
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    let mut nested = session.begin_nested().await.unwrap();
    send(&mut nested, &insert(2)).await.unwrap();
    send(&mut nested, "SELECT 1/0").await.unwrap_err();
    // It is not released as if nothing had happened, and rolled back instead.
    assert!(matches!(nested.commit().await, Err(SessionError::Aborted)));
    send(&mut session, &insert(3)).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(rows(&server), "1 3");
}

#[tokio::test]
async fn a_failure_inside_of_a_sqlx_session_that_nobody_undid_is_not_committed_outside() {
    let server = postgresql();
    let engine: Engine<Postgres> = engine(&server.url());
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    let swallowed = session.nested(|session| {
        Box::pin(async move {
            send(session, &insert(2)).await?;
            let _swallowed = send(session, "SELECT 1/0").await;
            Ok::<(), SessionError>(())
        })
    });
    assert!(matches!(swallowed.await, Err(SessionError::Aborted)));
    send(&mut session, "SELECT 1/0").await.unwrap_err();
    for _ in 0..2 {
        assert!(matches!(session.commit().await, Err(SessionError::Aborted)));
    }
    session.rollback().await.unwrap();
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_rollback_by_a_text_is_not_called_a_commit_by_a_sqlx_session() {
    let server = postgresql();
    let engine: Engine<Postgres> = engine(&server.url());
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    send(&mut session, "ROLLBACK").await.unwrap();
    let late = send(&mut session, &insert(2))
        .await
        .unwrap_err()
        .to_string();
    assert!(late.contains("was ended, and not by its Session"), "{late}");
    assert_eq!(refused(session.commit().await), StateError::EndedElsewhere);
    session.rollback().await.unwrap();
    send(&mut session, &insert(3)).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(rows(&server), "3");
}

#[tokio::test]
async fn a_sqlx_session_s_transactions_begin_as_its_options_say() {
    let server = postgresql();
    let engine: Engine<Postgres> = engine(&server.url());
    let options = SessionOptions::default()
        .isolation_level("SERIALIZABLE")
        .postgresql_readonly(true);
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let asked = "SELECT current_setting('transaction_isolation') || ' ' || \
                 current_setting('transaction_read_only')";
    let mut session = sessions.session();
    for _ in 0..2 {
        let set: String = query_scalar(asked).fetch_one(&mut session).await.unwrap();
        assert_eq!(set, "serializable on");
        session.rollback().await.unwrap();
    }
    let mut other = Session::begin(&engine).await.unwrap();
    let set: String = query_scalar(asked).fetch_one(&mut other).await.unwrap();
    assert_eq!(set, "read committed off");
}
