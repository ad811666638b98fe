//! Sessions on SQLite.

use std::sync::{Arc, Mutex};

use everpool_sqlx::{Error, Session, SessionError, StateError};

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
