use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get as on_get};
use diesel::{PgConnection, connection::SimpleConnection};
use everpool_axum::{NotCommitted, SessionLayer, diesel::RequestSession};
use everpool_diesel::{
    Engine, EngineOptions, Session as OfDiesel, SessionError, SessionMaker, create_engine,
};
use everpool_tests::PostgreSql;
use tokio::{sync::oneshot, time::timeout};

use crate::requests::{get, postgresql, rows, status, text, until};

type Session = RequestSession<PgConnection>;

fn engine(server: &PostgreSql) -> Engine<PgConnection> {
    create_engine(server.url(), EngineOptions::default()).unwrap()
}

fn app(engine: &Engine<PgConnection>, routes: Router) -> Router {
    let sessions = SessionMaker::new(engine);
    routes.layer(SessionLayer::new(move |_| sessions.session()))
}

fn insert_into(session: &mut OfDiesel<PgConnection>, table: &str) -> Result<(), SessionError> {
    session.batch_execute(&format!("INSERT INTO {table} VALUES (1)"))?;
    Ok(())
}

async fn insert(session: Session) -> &'static str {
    let inserted = session.interact(|session| insert_into(session, "t"));
    inserted.await.unwrap();
    "inserted"
}

async fn nobody_is_left(engine: &Engine<PgConnection>) {
    until("all connections are back", || {
        engine.status().checked_out == 0
    })
    .await;
}

#[tokio::test]
async fn a_request_that_succeeds_is_committed_with_diesel() {
    let server = postgresql();
    let engine = engine(&server);
    let app = app(&engine, Router::new().route("/", on_get(insert)));
    let response = get(&app, "/").await;
    assert_eq!(rows(&server), "1", "before its body is read");
    assert_eq!(text(response).await, "inserted");
    assert_eq!(engine.status().checked_out, 0);
}

#[tokio::test]
async fn a_request_that_fails_is_rolled_back_with_diesel() {
    let server = postgresql();
    let engine = engine(&server);
    let fail = async |session: Session| {
        insert(session).await;
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let app = app(&engine, Router::new().route("/", on_get(fail)));
    assert_eq!(status(&app, "/").await, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(rows(&server), "");
    assert_eq!(engine.status().checked_out, 0);
}

#[tokio::test]
async fn a_request_that_sends_no_statement_takes_no_connection_of_diesel_s() {
    let server = postgresql();
    let engine = engine(&server);
    let routes = Router::new().route("/", on_get(async |_: Session| "nothing"));
    let app = app(&engine, routes);
    assert_eq!(status(&app, "/").await, StatusCode::OK);
    assert_eq!(engine.status().idle, 0);
}

#[tokio::test]
async fn work_that_panics_leaves_nothing() {
    let server = postgresql();
    let engine = engine(&server);
    let panic = async |session: Session| {
        let work = session.interact(|session| {
            insert_into(session, "t")?;
            if session.in_transaction() {
                panic!("here");
            }
            Ok::<(), SessionError>(())
        });
        work.await.unwrap();
    };
    let app = app(&engine, Router::new().route("/", on_get(panic)));
    let request = tokio::spawn(async move { get(&app, "/").await.status() });
    assert!(request.await.unwrap_err().is_panic());
    nobody_is_left(&engine).await;
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_session_with_the_work_in_progress() {
    let server = postgresql();
    let engine = engine(&server);
    let (begun, has_begun) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let linger = async move |session: Session| {
        let work = session.interact(move |session| {
            insert_into(session, "t")?;
            begun.send(()).unwrap();
            ended.lock().unwrap().recv().unwrap();
            Ok::<(), SessionError>(())
        });
        work.await.unwrap();
    };
    let route = on_get(move |session| linger.clone()(session));
    let app = app(&engine, Router::new().route("/", route));
    let request = tokio::spawn(async move { get(&app, "/").await });
    let has_begun = tokio::task::spawn_blocking(move || has_begun.recv());
    has_begun.await.unwrap().unwrap();
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    assert_eq!(engine.status().checked_out, 1, "the work goes on");
    end.send(()).unwrap();
    nobody_is_left(&engine).await;
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn work_waits_for_work_that_was_given_up() {
    let server = postgresql();
    let engine = engine(&server);
    let impatient = async |session: Session| {
        let (begun, has_begun) = oneshot::channel();
        let slow = session.interact(move |session| {
            begun.send(()).unwrap();
            session.batch_execute("SELECT pg_sleep(0.3); INSERT INTO t VALUES (1)")?;
            Ok::<(), SessionError>(())
        });
        tokio::select! {
            biased;
            _ = slow => panic!("it takes longer"),
            begun = has_begun => begun.unwrap(),
        }
        insert(session).await
    };
    let app = app(&engine, Router::new().route("/", on_get(impatient)));
    let answer = timeout(Duration::from_secs(20), status(&app, "/"));
    assert_eq!(answer.await.unwrap(), StatusCode::OK);
    assert_eq!(rows(&server), "1 1");
}

#[tokio::test]
async fn a_client_is_not_told_of_a_success_that_diesel_has_not_committed() {
    let server = postgresql();
    let engine = engine(&server);
    let refused = async |session: Session| {
        let work = session.interact(|session| insert_into(session, "refused"));
        work.await.unwrap();
    };
    let app = app(&engine, Router::new().route("/", on_get(refused)));
    let response = get(&app, "/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let error = response.extensions().get::<NotCommitted>().unwrap();
    assert!(error.to_string().contains("not today"), "{error}");
}

#[tokio::test]
async fn a_session_of_diesel_s_is_closed_when_its_response_is_made() {
    let server = postgresql();
    let engine = engine(&server);
    let (late, result) = oneshot::channel();
    let late = Arc::new(Mutex::new(Some(late)));
    let leave = async move |session: Session, late: oneshot::Sender<Session>| {
        late.send(session).unwrap();
        "left"
    };
    let route = on_get(move |session| leave(session, late.lock().unwrap().take().unwrap()));
    let app = app(&engine, Router::new().route("/", route));
    assert_eq!(status(&app, "/").await, StatusCode::OK);
    let session = result.await.unwrap();
    let refused = session.interact(|session| insert_into(session, "t")).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("permanently closed"), "{refused}");
}

#[tokio::test]
async fn work_that_outlives_its_response_fails_it_and_no_other_is_done_after_it() {
    let server = postgresql();
    let engine = engine(&server);
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let (late, result) = oneshot::channel();
    let late = Arc::new(Mutex::new(Some(late)));
    let leave = async move |session: Session, late: oneshot::Sender<_>| {
        let (begun, has_begun) = oneshot::channel();
        tokio::spawn(async move {
            let first = session.interact(move |session| {
                insert_into(session, "t")?;
                begun.send(()).unwrap();
                ended.lock().unwrap().recv().unwrap();
                Ok::<(), SessionError>(())
            });
            first.await.unwrap();
            let second = session.interact(|session| insert_into(session, "t")).await;
            late.send((second, session)).unwrap();
        });
        has_begun.await.unwrap();
        "left"
    };
    let route = on_get(move |session| leave.clone()(session, late.lock().unwrap().take().unwrap()));
    let app = app(&engine, Router::new().route("/", route));
    let response = get(&app, "/").await;
    let error = response.extensions().get::<NotCommitted>();
    assert!(matches!(error, Some(NotCommitted::InUse)), "{error:?}");
    end.send(()).unwrap();
    let (second, _kept) = result.await.unwrap();
    let refused = second.unwrap_err().to_string();
    assert!(refused.contains("permanently closed"), "{refused}");
    // The task has its extractor still.
    nobody_is_left(&engine).await;
    assert_eq!(rows(&server), "");
}
