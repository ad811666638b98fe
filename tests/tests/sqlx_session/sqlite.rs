//! Sessions on SQLite.

use std::sync::{Arc, Mutex};

use everpool_sqlx::{Error, Session, SessionError, StateError, query};

use crate::support::{count, insert, refused, send, sqlite};

#[tokio::test]
async fn nested_work_in_a_sqlx_session_is_kept_or_undone_alone() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    let undone = session.nested(|session| {
        Box::pin(async move {
            send(session, &insert(2)).await?;
            let kept = session.nested(|session| {
                Box::pin(async move { Ok::<_, SessionError>(send(session, &insert(3)).await?) })
            });
            kept.await?;
            Err::<(), _>(SessionError::from(Error::RowNotFound))
        })
    });
    undone.await.unwrap_err();
    let kept = session.nested(|session| {
        Box::pin(async move { Ok::<_, SessionError>(send(session, &insert(4)).await?) })
    });
    kept.await.unwrap();
    session.commit().await.unwrap();
    drop(session);
    assert_eq!(count(&engine).await, 2);
}

#[tokio::test]
async fn work_in_a_sqlx_session_is_committed_if_it_succeeds_and_else_rolled_back() {
    let engine = sqlite().await;
    for fails in [false, true] {
        let done = engine.session(|session| {
            Box::pin(async move {
                send(session, &insert(i32::from(fails))).await?;
                match fails {
                    true => Err(SessionError::from(Error::RowNotFound)),
                    false => Ok(7),
                }
            })
        });
        assert_eq!(done.await.ok(), (!fails).then_some(7));
        assert_eq!(count(&engine).await, 1);
    }
}

#[tokio::test]
async fn a_durable_transaction_of_a_sqlx_session_is_in_no_other() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    let durable = session.durable(|session| {
        Box::pin(async move { Ok::<_, SessionError>(send(session, &insert(1)).await?) })
    });
    durable.await.unwrap();
    assert!(!session.in_transaction());
    assert_eq!(count(&engine).await, 1);

    send(&mut session, &insert(2)).await.unwrap();
    let inside = session.durable(|_| Box::pin(async { Ok::<(), SessionError>(()) }));
    assert_eq!(refused(inside.await), StateError::NotDurable);
}

#[tokio::test]
async fn the_one_connection_is_free_when_callbacks_of_a_sqlx_session_run() {
    let engine = sqlite().await;
    let seen = Arc::new(Mutex::new(None));
    let (note, handle) = (Arc::clone(&seen), engine.clone());
    let done = engine.session(|session| {
        Box::pin(async move {
            send(session, &insert(1)).await?;
            let look = move || *note.lock().unwrap() = Some(handle.status().checked_out);
            session.on_commit(look).await
        })
    });
    done.await.unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(0));
}

#[tokio::test]
async fn what_follows_a_rollback_of_sqlite_s_own_is_not_committed_by_itself() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    session.commit().await.unwrap();

    send(&mut session, &insert(2)).await.unwrap();
    let conflict = send(&mut session, "INSERT OR ROLLBACK INTO t VALUES (1)").await;
    assert!(conflict.unwrap_err().as_database_error().is_some());
    let next = send(&mut session, &insert(3)).await.unwrap_err();
    let ended = StateError::EndedElsewhere.to_string();
    assert!(next.to_string().contains(&ended), "{next}");
    assert_eq!(refused(session.commit().await), StateError::EndedElsewhere);
    session.rollback().await.unwrap();
    assert_eq!(count(&engine).await, 1);

    send(&mut session, &insert(4)).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(count(&engine).await, 2);
}

#[tokio::test]
async fn a_rollback_of_sqlite_s_own_inside_of_a_savepoint_ends_it_all() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    let mut nested = session.begin_nested().await.unwrap();
    let conflict = send(&mut nested, "INSERT OR ROLLBACK INTO t VALUES (1)").await;
    conflict.unwrap_err();
    nested.rollback().await.unwrap();
    assert_eq!(refused(session.commit().await), StateError::EndedElsewhere);
    session.rollback().await.unwrap();
    assert_eq!(count(&engine).await, 0);
}

#[tokio::test]
async fn an_error_that_sqlite_does_not_roll_back_for_costs_its_statement_alone() {
    let engine = sqlite().await;
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap();
    send(&mut session, &insert(1)).await.unwrap_err();
    send(&mut session, &insert(2)).await.unwrap();
    send(&mut session, &insert(2)).await.unwrap_err();
    session.commit().await.unwrap();
    assert_eq!(count(&engine).await, 2);
}

#[tokio::test]
async fn a_commit_of_what_sqlite_has_rolled_back_is_an_error() {
    let engine = sqlite().await;
    let mut transaction = engine.begin().await.unwrap();
    query("INSERT INTO t VALUES (1)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let conflict = query("INSERT OR ROLLBACK INTO t VALUES (1)").execute(&mut *transaction);
    conflict.await.unwrap_err();
    let committed = transaction.commit().await.unwrap_err();
    assert!(committed.to_string().contains("rolled back"), "{committed}");
    assert_eq!(count(&engine).await, 0);
}
