//! A session for each task or key.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use everpool_sqlx::{
    Engine, Postgres, ScopeError, ScopeKey, ScopedSession, SessionError, SessionMaker, query_scalar,
};
use everpool_tests::PostgreSql;
use tokio::sync::Barrier;

use crate::support::{engine, insert, postgresql, rows, send, sqlite, until};

fn start() -> (PostgreSql, Engine<Postgres>, ScopedSession<Postgres>) {
    let server = postgresql();
    let engine = engine(&server.url());
    let scoped = ScopedSession::by_task(SessionMaker::new(&engine));
    (server, engine, scoped)
}

async fn add<K: ScopeKey + Sync>(
    scoped: &ScopedSession<Postgres, K>,
    i: i32,
) -> Result<(), SessionError> {
    Ok(send(&mut *scoped.session()?, &insert(i)).await?)
}

async fn process<K: ScopeKey + Sync>(scoped: &ScopedSession<Postgres, K>) -> i32 {
    let asked = query_scalar("SELECT pg_backend_pid()");
    asked
        .fetch_one(&mut *scoped.session().unwrap())
        .await
        .unwrap()
}

async fn all_are_back(engine: &Engine<Postgres>) {
    until("all connections rest", async || {
        let status = engine.status();
        (status.checked_out, status.resetting) == (0, 0)
    })
    .await;
}

#[tokio::test]
async fn code_of_one_task_shares_a_sqlx_session_and_its_transaction() {
    let (server, engine, scoped) = start();
    let work = async {
        add(&scoped, 1).await?;
        add(&scoped, 2).await?;
        assert_eq!(rows(&server), "");
        scoped.session()?.commit().await?;
        assert_eq!(rows(&server), "1 2");
        add(&scoped, 3).await
    };
    scoped.scope(work).await.unwrap();
    assert!(scoped.is_empty());
    all_are_back(&engine).await;
    assert_eq!(engine.status().idle, 1);
    assert_eq!(rows(&server), "1 2", "what is not committed is rolled back");
}

#[tokio::test]
async fn tasks_have_a_sqlx_session_each() {
    let (_server, engine, scoped) = start();
    let both = Arc::new(Barrier::new(2));
    let task = || {
        let (handle, both) = (scoped.clone(), Arc::clone(&both));
        let work = async move {
            let first = process(&handle).await;
            both.wait().await;
            assert_eq!(process(&handle).await, first);
            first
        };
        tokio::spawn(scoped.scope(work))
    };
    let (one, two) = (task(), task());
    assert_ne!(one.await.unwrap(), two.await.unwrap());
    assert!(scoped.is_empty());
    all_are_back(&engine).await;
}

#[tokio::test]
async fn a_task_that_is_cancelled_or_panics_gives_its_scope_s_connection_back() {
    let (server, engine, scoped) = start();
    let asked = Arc::new(Barrier::new(2));
    let (handle, both) = (scoped.clone(), Arc::clone(&asked));
    let task = tokio::spawn(scoped.scope(async move {
        add(&handle, 1).await.unwrap();
        both.wait().await;
        pending::<()>().await;
    }));
    asked.wait().await;
    assert_eq!((scoped.len(), engine.status().checked_out), (1, 1));
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(scoped.is_empty());
    all_are_back(&engine).await;

    let handle = scoped.clone();
    let task = tokio::spawn(scoped.scope(async move {
        add(&handle, 2).await.unwrap();
        panic!("as planned");
    }));
    assert!(task.await.unwrap_err().is_panic());
    assert!(scoped.is_empty());
    all_are_back(&engine).await;
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_sqlx_session_that_is_removed_is_rolled_back_and_the_next_is_another() {
    let (server, engine, scoped) = start();
    let work = async {
        add(&scoped, 1).await?;
        scoped.remove();
        assert!(scoped.is_empty());
        all_are_back(&engine).await;
        add(&scoped, 2).await?;
        scoped.session()?.commit().await
    };
    scoped.scope(work).await.unwrap();
    assert_eq!(rows(&server), "2");
}

#[tokio::test]
async fn a_sqlx_session_is_given_to_one_at_a_time_and_to_none_outside_of_a_scope() {
    let (_server, _engine, scoped) = start();
    let outside = add(&scoped, 1).await.unwrap_err();
    assert!(
        matches!(outside, SessionError::Scope(ScopeError::NoTaskScope)),
        "{outside}"
    );
    let work = async {
        let session = scoped.session().unwrap();
        let refused = add(&scoped, 1).await.unwrap_err();
        drop(session);
        assert!(
            matches!(refused, SessionError::Scope(ScopeError::InUse)),
            "{refused}"
        );
        add(&scoped, 1).await.unwrap();
    };
    scoped.scope(work).await;
}

#[tokio::test]
async fn a_key_of_the_program_s_has_a_sqlx_session_for_as_long_as_it_is_entered() {
    let (server, engine, _) = start();
    let request = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&request);
    let here = move || asked.load(Ordering::Relaxed);
    let scoped = ScopedSession::by_key(SessionMaker::new(&engine), here);
    let entered = [scoped.enter(0).unwrap(), scoped.enter(1).unwrap()];
    let mut processes = Vec::new();
    for of in [0, 1, 0, 1] {
        request.store(of, Ordering::Relaxed);
        add(&scoped, 7).await.unwrap();
        processes.push(process(&scoped).await);
    }
    assert_ne!(processes[0], processes[1]);
    assert_eq!(processes[..2], processes[2..]);
    scoped.session().unwrap().commit().await.unwrap();
    assert_eq!(scoped.len(), 2);
    drop(entered);
    assert!(scoped.is_empty());
    all_are_back(&engine).await;
    assert_eq!(rows(&server), "7 7");
}

#[tokio::test]
async fn a_scope_s_sqlx_session_has_its_maker_s_listeners() {
    let mut maker = SessionMaker::new(&sqlite().await);
    let told = Arc::new(AtomicUsize::new(0));
    let note = Arc::clone(&told);
    maker.events().after_begin(move |_, _| {
        note.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    });
    let scoped = ScopedSession::by_task(maker);
    let begun = scoped.scope(async {
        send(&mut *scoped.session()?, &insert(1))
            .await
            .map_err(SessionError::from)
    });
    begun.await.unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1);
}
