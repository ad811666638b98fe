//! What became of a commit whose answer was lost.

use std::sync::{Arc, Mutex};

use everpool_sqlx::{
    Engine, Outcome, Postgres, Session, SessionError, SessionMaker, SessionOptions, Sqlite,
    TransactionId,
};
use everpool_tests::{Proxy, proxy::Ending};

use crate::support::{engine, insert, postgresql, rows, send, statements, until};

fn tracked(engine: &Engine<Postgres>) -> Session<Postgres> {
    let options = SessionOptions::default().track_outcome(true);
    let sessions = SessionMaker::with_options(engine, &options).unwrap();
    sessions.session()
}

/// Which transaction it was whose commit was lost.
fn lost(result: Result<(), SessionError>) -> Option<TransactionId> {
    match result {
        Err(SessionError::CommitOutcomeUnknown(lost)) => lost.transaction,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_became_of_a_sqlx_session_s_lost_commit_can_be_asked() {
    let server = postgresql();
    server
        .psql(
            "CREATE TABLE dying (i int); \
             CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON dying DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION die()",
        )
        .unwrap();
    let engine: Engine<Postgres> = engine(&server.url());
    let dying = "INSERT INTO dying VALUES (1)";

    let mut session = tracked(&engine);
    send(&mut session, dying).await.unwrap();
    let id = lost(session.commit().await).expect("it was asked for");
    until("the server has noticed", async || {
        engine.outcome(id).await.unwrap() != Outcome::InProgress
    })
    .await;
    assert_eq!(engine.outcome(id).await.unwrap(), Outcome::Aborted);

    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, dying).await.unwrap();
    assert_eq!(lost(session.commit().await), None, "nobody asked for it");
}

#[tokio::test]
async fn a_sqlx_session_s_commit_whose_answer_is_lost_may_have_come_true() {
    let server = postgresql();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let near: Engine<Postgres> = engine(&server.url());
    let far: Engine<Postgres> = engine(&server.url_at(proxy.port()));
    let called = Arc::new(Mutex::new(Vec::new()));
    let note = |what| {
        let called = Arc::clone(&called);
        move || called.lock().unwrap().push(what)
    };

    // The answer to COMMIT is the next one: this session does not ask for its number.
    let mut session = Session::begin(&far).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    let number = everpool_sqlx::query_scalar("SELECT txid_current()");
    let number: i64 = number.fetch_one(&mut session).await.unwrap();
    session.on_commit(note("committed")).await.unwrap();
    session.on_rollback(note("undone")).await.unwrap();
    let mut nested = session.begin_nested().await.unwrap();
    nested.on_rollback(note("this is known")).await.unwrap();
    nested.rollback().await.unwrap();
    proxy.cut_answer_after(0, Ending::Reset);
    assert_eq!(lost(session.commit().await), None);
    drop(session);

    let id = TransactionId::Assigned(number.try_into().unwrap());
    until("the server has noticed", async || {
        near.outcome(id).await.unwrap() != Outcome::InProgress
    })
    .await;
    assert_eq!(near.outcome(id).await.unwrap(), Outcome::Committed);
    assert_eq!(rows(&server), "1");
    assert_eq!(*called.lock().unwrap(), ["this is known"]);
}

#[tokio::test]
async fn only_a_sqlx_session_that_tracks_its_outcome_asks_which_transaction_it_is() {
    let server = postgresql();
    let engine: Engine<Postgres> = engine(&server.url());
    let sent = statements(&server, &engine, async {
        let mut session = tracked(&engine);
        send(&mut session, &insert(1)).await.unwrap();
        session.commit().await.unwrap();
        session.commit().await.unwrap();
    })
    .await;
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(sent[2].contains("txid_current_if_assigned"), "{sent:?}");
}

#[tokio::test]
async fn other_databases_are_not_asked_for_an_outcome() {
    let engine: Engine<Sqlite> = engine("sqlite://");
    let said =
        "track_outcome is an option for postgresql, and the database is sqlite; leave it out";
    let options = SessionOptions::default().track_outcome(true);
    let refused = SessionMaker::with_options(&engine, &options).unwrap_err();
    assert_eq!(refused.to_string(), said);
    let refused = engine
        .outcome(TransactionId::Assigned(1))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains(said), "{refused}");
}
