use std::{future::pending, sync::Arc};

use everpool_session::scope::{ScopeError, ScopedSession, TaskScope};
use tokio::{sync::Barrier, task::yield_now};

use crate::factory::{Factory, refused};

type ByTask = ScopedSession<Factory, TaskScope>;

fn number(scoped: &ByTask) -> usize {
    scoped.with(|session| session.number).unwrap()
}

fn is_over(scoped: &ByTask) -> bool {
    (scoped.len(), scoped.maker().open()) == (0, 0)
}

#[tokio::test]
async fn a_task_has_one_session_for_as_long_as_its_scope() {
    let scoped = ScopedSession::by_task(Factory::default());
    for expected in [1, 2] {
        let work = async {
            assert!(scoped.is_empty(), "none is made before somebody asks");
            let first = number(&scoped);
            yield_now().await;
            (first, number(&scoped))
        };
        assert_eq!(scoped.scope(work).await, (expected, expected));
        assert!(is_over(&scoped));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_at_the_same_time_have_a_session_each() {
    let scoped = ScopedSession::by_task(Factory::default());
    let barrier = Arc::new(Barrier::new(8));
    let tasks = (0..8).map(|_| {
        let (handle, barrier) = (scoped.clone(), Arc::clone(&barrier));
        let work = async move {
            let first = number(&handle);
            barrier.wait().await;
            assert_eq!(number(&handle), first);
            first
        };
        tokio::spawn(scoped.scope(work))
    });
    let tasks: Vec<_> = tasks.collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(is_over(&scoped));
}

#[tokio::test]
async fn a_task_that_is_cancelled_or_panics_leaves_nothing() {
    let scoped = ScopedSession::by_task(Factory::default());
    let asked = Arc::new(Barrier::new(2));
    let (handle, both) = (scoped.clone(), Arc::clone(&asked));
    let task = tokio::spawn(scoped.scope(async move {
        let session = handle.session().unwrap();
        both.wait().await;
        pending::<()>().await;
        drop(session);
    }));
    asked.wait().await;
    assert_eq!(scoped.len(), 1);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(is_over(&scoped));

    let handle = scoped.clone();
    let task = tokio::spawn(scoped.scope(async move {
        let _session = handle.session().unwrap();
        panic!("as planned");
    }));
    assert!(task.await.unwrap_err().is_panic());
    assert!(is_over(&scoped));
}

#[tokio::test]
async fn a_scope_within_a_scope_has_another_session() {
    let scoped = ScopedSession::by_task(Factory::default());
    let other = ScopedSession::by_task(Factory::default());
    let nested = scoped.scope(other.scope(async {
        assert_eq!((number(&scoped), number(&other)), (1, 1));
        assert_eq!(scoped.scope(async { number(&scoped) }).await, 2);
        assert_eq!((number(&scoped), scoped.len()), (1, 1));
    }));
    nested.await;
    assert!(is_over(&scoped) && is_over(&other));
}

#[tokio::test]
async fn what_is_in_no_scope_is_told_so() {
    let scoped = ScopedSession::by_task(Factory::default());
    let error = refused(scoped.session());
    assert_eq!(error, ScopeError::NoTaskScope);
    assert_eq!(
        error.to_string(),
        "this task is in no scope; have it run in `ScopedSession::scope`"
    );
    scoped.remove();
    let handle = scoped.clone();
    let spawned = scoped.scope(async move {
        let other = tokio::spawn(async move { refused(handle.session()) });
        other.await.unwrap()
    });
    assert_eq!(spawned.await, ScopeError::NoTaskScope);
}

#[tokio::test]
async fn a_task_that_asks_for_the_session_that_it_has_is_told_so() {
    let scoped = ScopedSession::by_task(Factory::default());
    let work = async {
        let session = scoped.session().unwrap();
        yield_now().await;
        let error = refused(scoped.session());
        drop(session);
        (error, number(&scoped))
    };
    assert_eq!(scoped.scope(work).await, (ScopeError::InUse, 1));
}

#[tokio::test]
async fn a_task_s_session_that_was_removed_is_made_anew() {
    let scoped = ScopedSession::by_task(Factory::default());
    let work = async {
        let first = number(&scoped);
        scoped.remove();
        assert!(is_over(&scoped));
        (first, number(&scoped))
    };
    assert_eq!(scoped.scope(work).await, (1, 2));
}
