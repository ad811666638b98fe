//! What a session says of itself, and what it refuses.

use everpool_sqlx::{Origin, Session, SessionMaker, SessionOptions, StateError};

use crate::support::{count, insert, refused, send, sqlite};

#[tokio::test]
async fn a_sqlx_session_says_in_which_transaction_it_is() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    assert!(!session.in_transaction() && session.is_active());
    send(&mut session, &insert(1)).await.unwrap();
    let transaction = session.current_transaction().unwrap();
    assert_eq!(transaction.origin(), Origin::Autobegin);
    let nested = session.begin_nested().await.unwrap();
    assert_eq!(nested.nested_transaction().unwrap().depth(), 1);
    assert_eq!(nested.current_transaction(), Some(transaction));
    drop(nested);
    assert!(session.in_transaction() && !session.in_nested_transaction());
    session.commit().await.unwrap();
    assert!(!session.in_transaction());
}

#[tokio::test]
async fn without_autobegin_a_transaction_of_a_sqlx_session_is_begun_by_hand() {
    let engine = sqlite().await;
    let options = SessionOptions::default().autobegin(false);
    let mut session = SessionMaker::with_options(&engine, &options)
        .unwrap()
        .session();
    let error = send(&mut session, &insert(1))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("autobegin is disabled on this Session"),
        "{error}"
    );
    assert_eq!(
        refused(session.commit().await),
        StateError::AutobeginDisabled
    );
    session.begin_transaction().await.unwrap();
    assert_eq!(
        engine.status().checked_out,
        0,
        "BEGIN comes with the statement"
    );
    let twice = session.begin_transaction().await;
    assert_eq!(refused(twice), StateError::AlreadyBegun);
    send(&mut session, &insert(1)).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(count(&engine).await, 1);
}

#[tokio::test]
async fn a_closed_sqlx_session_can_be_used_again_unless_it_is_closed_for_good() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    session.close().await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    session.reset().await.unwrap();
    assert_eq!(count(&engine).await, 0);

    let options = SessionOptions::default().close_resets_only(false);
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let mut session = sessions.session();
    session.reset().await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    session.close().await.unwrap();
    send(&mut session, &insert(1)).await.unwrap_err();
    assert_eq!(
        refused(session.commit().await),
        StateError::PermanentlyClosed
    );
    assert!(!session.is_active());
}

#[tokio::test]
async fn an_invalidated_sqlx_session_takes_another_connection() {
    let server = crate::support::postgresql();
    let engine: everpool_sqlx::Engine<everpool_sqlx::Postgres> =
        crate::support::engine(&server.url());
    let mut session = Session::begin(&engine).await.unwrap();
    let backend = "SELECT pg_backend_pid()";
    let pid = everpool_sqlx::query_scalar(backend);
    let first: i32 = pid.fetch_one(&mut session).await.unwrap();
    session.invalidate().await.unwrap();
    assert!(!session.in_transaction());
    let pid = everpool_sqlx::query_scalar(backend);
    let second: i32 = pid.fetch_one(&mut session).await.unwrap();
    assert_ne!(first, second);
}

#[tokio::test]
async fn the_end_of_a_sqlx_session_s_transaction_is_that_of_its_savepoints() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    let mut nested = session.begin_nested().await.unwrap();
    send(&mut nested, &insert(1)).await.unwrap();
    Session::commit(&mut nested).await.unwrap();
    assert!(!nested.is_open());
    let late = send(&mut nested, &insert(2)).await.unwrap_err().to_string();
    assert!(
        late.contains("can't operate on a closed transaction"),
        "{late}"
    );
    assert_eq!(refused(nested.commit().await), StateError::Closed);
    send(&mut session, &insert(2)).await.unwrap();
    session.rollback().await.unwrap();
    assert_eq!(count(&engine).await, 1);
}
