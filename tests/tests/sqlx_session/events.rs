//! What a session's listeners are told, in which order, and what they may do.

use everpool_sqlx::{
    Cause, Engine, Error, Moment, Session, SessionError, SessionMaker, Sqlite, StateError,
};

use crate::{
    diary::Diary,
    support::{count, insert, refused, send, sqlite},
};

/// A session that has sent a statement.
async fn begun() -> (Engine<Sqlite>, Session<Sqlite>, Diary) {
    let engine = sqlite().await;
    let diary = Diary::default();
    diary.listen_to_the_engine(&engine);
    let mut session = Session::begin(&engine).await.unwrap();
    diary.listen(session.events());
    send(&mut session, &insert(1)).await.unwrap();
    assert_eq!(
        diary.read(),
        [
            "after_transaction_create",
            "checkout",
            "BEGIN",
            "after_begin"
        ]
    );
    (engine, session, diary)
}

#[tokio::test]
async fn listeners_of_a_sqlx_session_are_told_of_a_commit_in_sqlalchemy_s_order() {
    let (_engine, mut session, diary) = begun().await;
    let note = diary.clone();
    let callback = move || note.note("on_commit");
    session.on_commit(callback).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(
        diary.read(),
        [
            "before_commit",
            "COMMIT",
            "after_commit",
            "checkin",
            "after_transaction_end",
            "on_commit"
        ]
    );
}

#[tokio::test]
async fn listeners_of_a_sqlx_session_are_told_of_its_rollback_and_not_of_its_close() {
    let (_engine, mut session, diary) = begun().await;
    session.rollback().await.unwrap();
    assert_eq!(
        diary.read(),
        [
            "ROLLBACK",
            "after_rollback",
            "checkin",
            "after_transaction_end",
            "after_soft_rollback"
        ]
    );
    send(&mut session, &insert(2)).await.unwrap();
    diary.read();
    session.close().await.unwrap();
    assert_eq!(
        diary.read(),
        ["ROLLBACK", "checkin", "after_transaction_end"]
    );
}

#[tokio::test]
async fn listeners_are_told_of_a_dropped_savepoint_with_the_next_method() {
    let (_engine, mut session, diary) = begun().await;
    let mut nested = session.begin_nested().await.unwrap();
    send(&mut nested, &insert(2)).await.unwrap();
    diary.read();
    drop(nested);
    assert_eq!(diary.read(), [""; 0], "a drop cannot wait");
    send(&mut session, &insert(2)).await.unwrap();
    assert_eq!(
        diary.read(),
        [
            "ROLLBACK TO",
            "after_rollback [nested]",
            "after_transaction_end [nested]",
            "after_soft_rollback [nested]"
        ]
    );
}

#[tokio::test]
async fn what_a_listener_of_after_begin_does_is_in_every_transaction_of_a_sqlx_maker() {
    let engine = sqlite().await;
    let mut sessions = SessionMaker::new(&engine);
    sessions.events().after_begin(|session, transaction| {
        Box::pin(async move {
            match transaction.is_nested() {
                true => Ok(()),
                false => send(session, "INSERT INTO t DEFAULT VALUES").await,
            }
        })
    });
    let mut session = sessions.session();
    for _ in 0..2 {
        let mut nested = session.begin_nested().await.unwrap();
        send(&mut nested, "INSERT INTO t DEFAULT VALUES")
            .await
            .unwrap();
        nested.rollback().await.unwrap();
        session.commit().await.unwrap();
    }
    drop(session);
    assert_eq!(count(&engine).await, 2);
}

#[tokio::test]
async fn after_a_listener_of_after_begin_that_fails_a_sqlx_session_runs_nothing() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    session
        .events()
        .after_begin(|_, _| Box::pin(async { Err(Error::RowNotFound) }));
    send(&mut session, &insert(1)).await.unwrap_err();
    let inactive = StateError::Inactive(Cause::AfterBeginFailed);
    assert_eq!(refused(session.commit().await), inactive);
    assert!(!session.is_active());
    session.rollback().await.unwrap();
    assert!(session.is_active());
}

#[tokio::test]
async fn a_listener_of_before_commit_prevents_the_commit_of_a_sqlx_session() {
    let (engine, mut session, _diary) = begun().await;
    session.events().before_commit(|session, _| {
        Box::pin(async move { send(session, "INSERT INTO nowhere VALUES (1)").await })
    });
    let prevented = session.commit().await.unwrap_err();
    let SessionError::Listener { moment, .. } = prevented else {
        panic!("{prevented:?}");
    };
    assert_eq!(moment, Moment::BeforeCommit);
    assert!(session.in_transaction() && session.is_active());
    drop(session);
    assert_eq!(count(&engine).await, 0);
}

#[tokio::test]
async fn a_savepoint_that_a_listener_drops_is_undone_before_the_commit() {
    let (engine, mut session, _diary) = begun().await;
    session.events().before_commit(|session, _| {
        Box::pin(async move {
            let nested = session.begin_nested().await;
            let mut nested = nested.map_err(|error| Error::Protocol(error.to_string()))?;
            send(&mut nested, &insert(2)).await
        })
    });
    session.commit().await.unwrap();
    drop(session);
    assert_eq!(count(&engine).await, 1);
}

#[tokio::test]
async fn a_listener_of_a_sqlx_session_cannot_end_what_it_is_told_of() {
    let (_engine, mut session, _diary) = begun().await;
    session.events().before_commit(|session, _| {
        Box::pin(async move {
            let refused = session.rollback().await.unwrap_err().to_string();
            assert!(
                refused.contains("'commit()' is already in progress"),
                "{refused}"
            );
            Ok(())
        })
    });
    session.commit().await.unwrap();
    assert!(!session.in_transaction());
}
