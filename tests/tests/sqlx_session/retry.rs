//! Which transactions are done once more.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use everpool_sqlx::{
    Engine, EngineOptions, Error, ExecutionOptions, Postgres, Retry, RetryPolicy, Session,
    SessionError, SessionMaker, SessionOptions, create_engine, query_scalar,
};
use everpool_tests::PostgreSql;
use futures_util::future::BoxFuture;

use crate::support::{engine, insert, postgresql, rows, send, until};

/// What PostgreSQL says of a conflict.
const CONFLICT: &str = "DO 'BEGIN RAISE SQLSTATE ''40001''; END'";
const NO_SUCH_TABLE: &str = "DELETE FROM nowhere";
const DISCONNECT: &str = "SELECT pg_terminate_backend(pg_backend_pid())";

/// A program's own error, which says nothing of the database's.
#[derive(Debug, PartialEq)]
pub(crate) struct Opaque;

impl From<SessionError> for Opaque {
    fn from(_: SessionError) -> Self {
        Self
    }
}

impl From<Error> for Opaque {
    fn from(_: Error) -> Self {
        Self
    }
}

/// How often something was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    /// The first time is 1.
    pub(crate) fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn note(&self) {
        self.next();
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) fn at_once() -> Retry {
    Retry::default().min_delay(Duration::ZERO)
}

type Work<'s> = BoxFuture<'s, Result<(), Opaque>>;

/// How often the work is called, and whether it came to a good end.
async fn calls(
    engine: &Engine<Postgres>,
    retry: impl RetryPolicy<Opaque> + Send,
    work: impl for<'s> Fn(usize, &'s mut Session<Postgres>) -> Work<'s> + Send + Sync,
) -> (usize, bool) {
    let calls = Count::default();
    let done = engine.run(retry, |session| work(calls.next(), session));
    let is_done = done.await.is_ok();
    (calls.get(), is_done)
}

fn start() -> (PostgreSql, Engine<Postgres>) {
    let server = postgresql();
    let engine = engine(&server.url());
    (server, engine)
}

async fn all(session: &mut Session<Postgres>, statements: &[&str]) -> Result<(), Opaque> {
    for statement in statements {
        send(session, statement).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_sqlx_session_that_met_a_conflict_or_lost_its_connection_is_done_again() {
    let (server, engine) = start();
    for (fault, row) in [(CONFLICT, 1), (DISCONNECT, 2)] {
        let again = calls(&engine, at_once(), |call, session| {
            Box::pin(async move {
                send(session, &insert(row)).await?;
                match call {
                    1 => Ok(send(session, fault).await?),
                    _ => Ok(()),
                }
            })
        });
        assert_eq!(again.await, (2, true), "{fault}");
    }
    assert_eq!(rows(&server), "1 2");
    assert_eq!(engine.status().checked_out, 0);
}

#[tokio::test]
async fn a_commit_of_a_sqlx_session_that_is_refused_for_a_conflict_is_done_again() {
    let (server, engine) = start();
    server
        .psql(
            "CREATE TABLE once (i int); \
             CREATE SEQUENCE attempts; \
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN IF nextval(''attempts'') = 1 THEN RAISE SQLSTATE ''40001''; END IF; RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON once DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .unwrap();
    let again = calls(&engine, at_once(), |_, session| {
        Box::pin(async move { all(session, &["INSERT INTO once VALUES (1)"]).await })
    });
    assert_eq!(again.await, (2, true));
    assert_eq!(
        server.psql("SELECT count(*) FROM once").unwrap().trim(),
        "1"
    );
}

#[tokio::test]
async fn any_other_error_of_work_in_a_sqlx_session_is_the_caller_s() {
    let (_server, engine) = start();
    let wrong = calls(&engine, at_once(), |_, session| {
        Box::pin(async move { all(session, &["SELECT 1", NO_SUCH_TABLE]).await })
    });
    assert_eq!(wrong.await, (1, false));
    let unwell = calls(&engine, at_once(), |_, session| {
        Box::pin(async move { all(session, &["SELECT 1"]).await.and(Err(Opaque)) })
    });
    assert_eq!(unwell.await, (1, false));
}

#[tokio::test]
async fn the_program_may_ask_for_another_attempt_of_work_in_a_sqlx_session() {
    let (server, engine) = start();
    let asked = at_once().when(|error: &Opaque| *error == Opaque);
    let again = calls(&engine, asked, |call, session| {
        Box::pin(async move {
            send(session, &insert(call as i32)).await?;
            if call < 3 { Err(Opaque) } else { Ok(()) }
        })
    });
    assert_eq!(again.await, (3, true));
    assert_eq!(rows(&server), "3");
}

#[tokio::test]
async fn after_the_last_attempt_of_work_in_a_sqlx_session_its_error_is_told() {
    let (_server, engine) = start();
    let calls = Count::default();
    let refused = engine.run(at_once(), |session| {
        calls.next();
        Box::pin(async move { Ok::<(), SessionError>(send(session, CONFLICT).await?) })
    });
    let Err(SessionError::Database(Error::Database(error))) = refused.await else {
        panic!("it cannot succeed");
    };
    assert_eq!(error.code().as_deref(), Some("40001"));
    assert_eq!(calls.get(), 5);
}

#[tokio::test]
async fn a_conflict_that_work_in_a_sqlx_session_has_survived_is_not_the_reason_of_its_error() {
    let (_server, engine) = start();
    let survived = calls(&engine, at_once(), |_, session| {
        Box::pin(async move {
            let undone = session
                .nested(|session| Box::pin(async move { all(session, &[CONFLICT]).await }))
                .await;
            assert_eq!(undone, Err(Opaque));
            send(session, "SELECT 1").await?;
            Err(Opaque)
        })
    });
    assert_eq!(survived.await, (1, false));
}

#[tokio::test]
async fn a_conflict_in_a_savepoint_of_a_sqlx_session_is_done_again_with_all_around_it() {
    let (server, engine) = start();
    let again = calls(&engine, at_once(), |call, session| {
        Box::pin(async move {
            send(session, &insert(1)).await?;
            let nested = session.nested(|session| {
                Box::pin(async move {
                    let statement = if call == 1 { CONFLICT } else { "SELECT 1" };
                    all(session, &[statement]).await
                })
            });
            nested.await
        })
    });
    assert_eq!(again.await, (2, true));
    assert_eq!(rows(&server), "1");
}

#[tokio::test]
async fn a_conflict_of_those_who_had_the_connection_before_is_no_reason_for_a_sqlx_session() {
    let server = postgresql();
    let options = EngineOptions::builder().pool_size(1).max_overflow(0);
    let engine = create_engine(server.url(), options.build().unwrap()).unwrap();
    let mut connection = engine.connect().await.unwrap();
    let statement = everpool_sqlx::raw_sql(CONFLICT);
    statement.execute(&mut *connection).await.unwrap_err();
    drop(connection);
    let done = calls(&engine, at_once(), |_, session| {
        Box::pin(async move { all(session, &["SELECT 1"]).await.and(Err(Opaque)) })
    });
    assert_eq!(done.await, (1, false));
}

#[tokio::test]
async fn in_autocommit_nothing_in_a_sqlx_session_is_done_again() {
    let (server, engine) = start();
    let options: ExecutionOptions = [("isolation_level", "AUTOCOMMIT")].into_iter().collect();
    let engine = engine.execution_options(&options).unwrap();
    for (fault, row) in [(CONFLICT, 1), (DISCONNECT, 2)] {
        let once = calls(&engine, at_once().when(|_: &Opaque| true), |_, session| {
            Box::pin(async move { all(session, &[&insert(row), fault]).await })
        });
        assert_eq!(once.await, (1, false), "{fault}");
    }
    assert_eq!(rows(&server), "1 2");
}

/// By which words the work ends its transaction itself.
#[derive(Clone, Copy, Debug)]
enum End {
    Session,
    Text,
    Connection,
}

async fn end(session: &mut Session<Postgres>, end: End) -> Result<(), Opaque> {
    match end {
        End::Session => session.commit().await?,
        End::Text => send(session, "COMMIT").await?,
        End::Connection => session.connection().await?.commit().await?,
    }
    Ok(())
}

#[tokio::test]
async fn what_the_work_in_a_sqlx_session_has_committed_itself_is_never_done_again() {
    let (server, engine) = start();
    for by in [End::Session, End::Text, End::Connection] {
        let once = calls(&engine, at_once().when(|_: &Opaque| true), |_, session| {
            Box::pin(async move {
                send(session, &insert(1)).await?;
                end(session, by).await?;
                Err(Opaque)
            })
        });
        assert_eq!(once.await, (1, false), "{by:?}");
    }
    assert_eq!(rows(&server), "1 1 1");
}

#[tokio::test]
async fn a_commit_of_the_work_s_own_whose_answer_is_lost_is_never_done_again() {
    let (server, engine) = start();
    server
        .psql(
            "CREATE TABLE dying (i int); \
             CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON dying DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION die()",
        )
        .unwrap();
    for by in [End::Session, End::Text, End::Connection] {
        let once = calls(&engine, at_once().when(|_: &Opaque| true), |_, session| {
            Box::pin(async move {
                send(session, "INSERT INTO dying VALUES (1)").await?;
                end(session, by).await
            })
        });
        assert_eq!(once.await, (1, false), "{by:?}");
    }
}

#[tokio::test]
async fn callbacks_of_a_sqlx_session_are_those_of_the_attempt_that_is_committed() {
    let (_server, engine) = start();
    let (committed, undone) = (Count::default(), Count::default());
    let (on_commit, on_rollback) = (committed.clone(), undone.clone());
    let done = calls(&engine, at_once(), move |call, session| {
        let (on_commit, on_rollback) = (on_commit.clone(), on_rollback.clone());
        Box::pin(async move {
            session.on_commit(move || on_commit.note()).await?;
            session.on_rollback(move || on_rollback.note()).await?;
            let statement = if call == 1 { CONFLICT } else { "SELECT 1" };
            all(session, &[statement]).await
        })
    });
    assert_eq!(done.await, (2, true));
    assert_eq!((committed.get(), undone.get()), (1, 1));
}

#[tokio::test]
async fn each_attempt_in_a_sqlx_session_has_the_maker_s_options_and_listeners() {
    let (_server, engine) = start();
    let options = SessionOptions::default().isolation_level("SERIALIZABLE");
    let mut sessions = SessionMaker::with_options(&engine, &options).unwrap();
    sessions.events().after_begin(|session, _| {
        Box::pin(async move { send(session, "SET LOCAL application_name = 'begun'").await })
    });
    let calls = Count::default();
    let done = sessions.run(at_once(), |session| {
        let call = calls.next();
        Box::pin(async move {
            let settings = "SELECT current_setting('transaction_isolation') || ' ' \
                 || current_setting('application_name')";
            let settings: String = query_scalar(settings).fetch_one(&mut *session).await?;
            assert_eq!(settings, "serializable begun");
            if call == 1 {
                send(session, DISCONNECT).await?;
            }
            Ok::<(), SessionError>(())
        })
    });
    done.await.unwrap();
    assert_eq!(calls.get(), 2);
}

#[tokio::test]
async fn attempts_in_a_sqlx_session_may_be_made_in_any_task() {
    let (_server, engine) = start();
    let calls = Count::default();
    let (noted, handle) = (calls.clone(), engine.clone());
    let task = tokio::spawn(async move {
        let asked = at_once().when(|_: &Opaque| true);
        let work = handle.run(asked, |_| {
            noted.next();
            Box::pin(async { Err::<(), _>(Opaque) })
        });
        work.await
    });
    assert_eq!(task.await.unwrap(), Err(Opaque));
    assert_eq!(calls.get(), 5);
}

/// Polls it until `condition`, and drops it then.
async fn drop_when<T: fmt::Debug>(future: impl Future<Output = T>, condition: impl Fn() -> bool) {
    let mut future = pin!(future);
    let dropping = poll_fn(|context| match future.as_mut().poll(context) {
        _ if condition() => Poll::Ready(()),
        Poll::Ready(output) => panic!("it was not to end: {output:?}"),
        Poll::Pending => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    dropping.await;
}

#[tokio::test]
async fn attempts_in_a_sqlx_session_that_are_given_up_in_a_pause_or_in_the_work_leave_nothing() {
    let (server, engine) = start();
    let an_hour = Duration::from_secs(3600);
    let patient = Retry::default()
        .min_delay(an_hour)
        .max_delay(an_hour)
        .max_elapsed(an_hour * 5);
    for fault in [CONFLICT, "SELECT pg_sleep(3600)"] {
        let (begun, ended) = (Count::default(), Count::default());
        let (begins, ends) = (begun.clone(), ended.clone());
        let work = engine.run(patient, move |session| {
            let (begins, ends) = (begins.clone(), ends.clone());
            Box::pin(async move {
                session.on_rollback(move || ends.note()).await?;
                send(session, &insert(1)).await?;
                begins.next();
                Ok::<(), SessionError>(send(session, fault).await?)
            })
        });
        let is_in_pause = fault == CONFLICT;
        drop_when(work, || match is_in_pause {
            true => ended.get() == 1,
            false => begun.get() == 1,
        })
        .await;
        assert_eq!((begun.get(), ended.get()), (1, 1), "{fault}");
        let sleeping = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' \
             AND pid <> pg_backend_pid()";
        server.psql(sleeping).unwrap();
        until("all connections are back, and in order", async || {
            let status = engine.status();
            (status.checked_out, status.resetting) == (0, 0)
        })
        .await;
        assert_eq!(rows(&server), "");
    }
}
