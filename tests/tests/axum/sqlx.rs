use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get as on_get,
};
use everpool_axum::{NotCommitted, SessionLayer, sqlx::RequestSession};
use everpool_sqlx::{
    AssertSqlSafe, Engine, EngineOptions, Executor, Postgres, SessionError, SessionMaker, Sqlite,
    create_engine, raw_sql,
};
use everpool_tests::PostgreSql;
use tokio::{sync::oneshot, time::timeout};

use crate::requests::{get, postgresql, rows, status, text, until};

type Session = RequestSession<Postgres>;

fn engine(server: &PostgreSql) -> Engine<Postgres> {
    create_engine(server.url(), EngineOptions::default()).unwrap()
}

async fn send(session: &mut Session, sql: &str) {
    session.execute(raw_sql(AssertSqlSafe(sql))).await.unwrap();
}

/// With a session for each request, as the sessions of the engine are.
fn app(engine: &Engine<Postgres>, routes: Router) -> Router {
    let sessions = SessionMaker::new(engine);
    routes.layer(SessionLayer::new(move |_| sessions.session()))
}

async fn insert(mut session: Session) -> &'static str {
    send(&mut session, "INSERT INTO t VALUES (1)").await;
    "inserted"
}

async fn insert_and_fail(session: Session) -> StatusCode {
    insert(session).await;
    StatusCode::CONFLICT
}

async fn nobody_is_left(engine: &Engine<Postgres>) {
    until("all connections are back", || {
        engine.status().checked_out == 0
    })
    .await;
}

#[tokio::test]
async fn a_request_that_succeeds_is_committed() {
    let server = postgresql();
    let engine = engine(&server);
    let app = app(&engine, Router::new().route("/", on_get(insert)));
    let response = get(&app, "/").await;
    assert_eq!(rows(&server), "1", "before its body is read");
    assert_eq!(text(response).await, "inserted");
    assert_eq!(engine.status().checked_out, 0);
}

#[tokio::test]
async fn a_request_that_fails_is_rolled_back() {
    let server = postgresql();
    let engine = engine(&server);
    let routes = Router::new().route("/", on_get(insert_and_fail));
    let app = app(&engine, routes);
    assert_eq!(status(&app, "/").await, StatusCode::CONFLICT);
    assert_eq!(rows(&server), "");
    nobody_is_left(&engine).await;
}

#[tokio::test]
async fn a_request_that_redirects_is_committed() {
    let server = postgresql();
    let engine = engine(&server);
    let redirect = async |session: Session| {
        insert(session).await;
        StatusCode::SEE_OTHER
    };
    let app = app(&engine, Router::new().route("/", on_get(redirect)));
    assert_eq!(status(&app, "/").await, StatusCode::SEE_OTHER);
    assert_eq!(rows(&server), "1");
}

#[tokio::test]
async fn a_request_whose_status_has_no_name_is_rolled_back_too() {
    let server = postgresql();
    let engine = engine(&server);
    let odd = async |session: Session| {
        insert(session).await;
        StatusCode::from_u16(600).unwrap()
    };
    let app = app(&engine, Router::new().route("/", on_get(odd)));
    assert_eq!(status(&app, "/").await, 600);
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_handler_that_commits_keeps_that_though_it_fails() {
    let server = postgresql();
    let engine = engine(&server);
    let commit = async |mut session: Session| {
        send(&mut session, "INSERT INTO t VALUES (1)").await;
        session.commit().await.unwrap();
        send(&mut session, "INSERT INTO t VALUES (2)").await;
        StatusCode::CONFLICT
    };
    let app = app(&engine, Router::new().route("/", on_get(commit)));
    assert_eq!(status(&app, "/").await, StatusCode::CONFLICT);
    assert_eq!(rows(&server), "1");
    nobody_is_left(&engine).await;
}

#[tokio::test]
async fn a_commit_that_panics_leaves_nothing() {
    let server = postgresql();
    let engine = engine(&server);
    let mut sessions = SessionMaker::new(&engine);
    sessions
        .events()
        .before_commit(|_, _| Box::pin(async { panic!("here") }));
    let app = Router::new()
        .route("/", on_get(insert))
        .layer(SessionLayer::new(move |_| sessions.session()));
    let request = tokio::spawn(async move { get(&app, "/").await.status() });
    assert!(request.await.unwrap_err().is_panic());
    nobody_is_left(&engine).await;
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_request_that_sends_no_statement_takes_no_connection() {
    let server = postgresql();
    let engine = engine(&server);
    let app = app(
        &engine,
        Router::new().route("/", on_get(async |_: Session| "nothing")),
    );
    assert_eq!(status(&app, "/").await, StatusCode::OK);
    assert_eq!(engine.status().idle, 0);
}

#[tokio::test]
async fn a_handler_that_panics_leaves_nothing() {
    let server = postgresql();
    let engine = engine(&server);
    let panic = async |session: Session| -> &'static str {
        insert(session).await;
        panic!("here")
    };
    let app = app(&engine, Router::new().route("/", on_get(panic)));
    let request = tokio::spawn(async move { get(&app, "/").await.status() });
    assert!(request.await.unwrap_err().is_panic());
    nobody_is_left(&engine).await;
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let server = postgresql();
    let engine = engine(&server);
    let (inserted, was_inserted) = oneshot::channel();
    let inserted = Mutex::new(Some(inserted));
    let linger = Arc::new(async move |mut session: Session| -> &'static str {
        send(&mut session, "INSERT INTO t VALUES (1)").await;
        let inserted = inserted.lock().unwrap().take().unwrap();
        inserted.send(()).unwrap();
        pending().await
    });
    let app = app(
        &engine,
        Router::new().route(
            "/",
            on_get(move |session| async move { linger(session).await }),
        ),
    );
    let request = tokio::spawn(async move { get(&app, "/").await });
    was_inserted.await.unwrap();
    request.abort();
    nobody_is_left(&engine).await;
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_commit_goes_on_though_its_client_hangs_up() {
    let server = postgresql();
    let engine = engine(&server);
    let told = Arc::new(AtomicBool::new(false));
    let tells = Arc::clone(&told);
    let mut sessions = SessionMaker::new(&engine);
    let (begun, has_begun) = oneshot::channel();
    let begun = Mutex::new(Some(begun));
    sessions.events().before_commit(move |_, _| {
        let begun = begun.lock().unwrap().take();
        Box::pin(async move {
            begun.map(|begun| begun.send(()));
            Ok(())
        })
    });
    let insert_slowly = async move |mut session: Session, tells: Arc<AtomicBool>| {
        send(
            &mut session,
            "INSERT INTO slow VALUES (1); INSERT INTO t VALUES (1)",
        )
        .await;
        let tell = move || tells.store(true, Ordering::SeqCst);
        session.on_commit(tell).await.unwrap();
    };
    let app = Router::new()
        .route(
            "/",
            on_get(move |session| insert_slowly(session, Arc::clone(&tells))),
        )
        .layer(SessionLayer::new(move |_| sessions.session()));
    let request = tokio::spawn(async move { get(&app, "/").await });
    has_begun.await.unwrap();
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    nobody_is_left(&engine).await;
    until("it is told", || told.load(Ordering::SeqCst)).await;
    assert_eq!(rows(&server), "1");
}

#[tokio::test]
async fn a_client_is_not_told_of_a_success_that_is_not_committed() {
    let server = postgresql();
    let engine = engine(&server);
    let refused = async |mut session: Session| {
        send(&mut session, "INSERT INTO refused VALUES (1)").await;
        "inserted"
    };
    let app = app(&engine, Router::new().route("/", on_get(refused)));
    let response = get(&app, "/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let error = response.extensions().get::<NotCommitted>().unwrap();
    assert!(error.to_string().contains("not today"), "{error}");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_statement_that_failed_unheard_fails_the_request() {
    let server = postgresql();
    let engine = engine(&server);
    let careless = async |mut session: Session| {
        session.execute("SELECT nothing").await.unwrap_err();
        "never mind"
    };
    let app = app(&engine, Router::new().route("/", on_get(careless)));
    assert_eq!(status(&app, "/").await, StatusCode::INTERNAL_SERVER_ERROR);
}

/// Inserts by the request's session, then hands over.
async fn insert_before(session: Session, request: Request, next: Next) -> Response {
    insert(session).await;
    next.run(request).await
}

#[tokio::test]
async fn a_middleware_shares_the_transaction_of_its_handler() {
    let server = postgresql();
    let engine = engine(&server);
    let routes = Router::new()
        .route("/", on_get(insert))
        .route("/failing", on_get(insert_and_fail))
        .layer(from_fn(insert_before));
    let app = app(&engine, routes);
    assert_eq!(status(&app, "/").await, StatusCode::OK);
    assert_eq!(rows(&server), "1 1");
    assert_eq!(status(&app, "/failing").await, StatusCode::CONFLICT);
    assert_eq!(rows(&server), "1 1");
}

#[tokio::test]
async fn of_two_layers_for_sessions_of_one_type_the_inner_one_gives_the_handler_its_session() {
    let (outer, inner) = (postgresql(), postgresql());
    let (of_outer, of_inner) = (engine(&outer), engine(&inner));
    let routes = Router::new().route("/", on_get(insert));
    let routes = app(&of_inner, routes).layer(from_fn(insert_before));
    let app = app(&of_outer, Router::new().nest("/inner", routes));
    assert_eq!(status(&app, "/inner").await, StatusCode::OK);
    assert_eq!((rows(&outer), rows(&inner)), ("1".into(), "1".into()));
    nobody_is_left(&of_outer).await;
    nobody_is_left(&of_inner).await;
}

/// A session of another database of the same kind.
struct Reports(everpool_sqlx::Session<Postgres>);

impl everpool_axum::EndsWithRequest for Reports {
    type Error = SessionError;

    async fn end_committed(self) -> Result<(), SessionError> {
        everpool_axum::EndsWithRequest::end_committed(self.0).await
    }

    async fn end_rolled_back(self) -> Result<(), SessionError> {
        everpool_axum::EndsWithRequest::end_rolled_back(self.0).await
    }

    fn abandon(self) {
        everpool_axum::EndsWithRequest::abandon(self.0);
    }
}

/// A row into each of two databases, and one that the second does not commit.
async fn insert_into_both(
    session: Session,
    mut reports: everpool_axum::RequestSession<Reports>,
    request: Request,
) -> &'static str {
    let table = match request.uri().path() {
        "/refused" => "INSERT INTO refused VALUES (1)",
        _ => "INSERT INTO t VALUES (1)",
    };
    reports.0.execute(table).await.unwrap();
    insert(session).await
}

#[tokio::test]
async fn two_databases_of_one_kind_have_a_type_of_session_each() {
    let (orders, reports) = (postgresql(), postgresql());
    let (of_orders, of_reports) = (engine(&orders), engine(&reports));
    let routes = Router::new()
        .route("/", on_get(insert_into_both))
        .route("/refused", on_get(insert_into_both));
    let makes_reports = SessionMaker::new(&of_reports);
    let routes = routes.layer(SessionLayer::new(move |_| Reports(makes_reports.session())));
    let app = app(&of_orders, routes);
    assert_eq!(status(&app, "/").await, StatusCode::OK);
    assert_eq!((rows(&orders), rows(&reports)), ("1".into(), "1".into()));

    // The inner one is committed first, so what it does not commit is committed by neither.
    let refused = status(&app, "/refused").await;
    assert_eq!(refused, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!((rows(&orders), rows(&reports)), ("1".into(), "1".into()));
    nobody_is_left(&of_orders).await;
    nobody_is_left(&of_reports).await;
}

#[tokio::test]
async fn a_session_is_lent_to_one_at_a_time() {
    let server = postgresql();
    let engine = engine(&server);
    let both = async |_: Session, _: Session| "both";
    let app = app(&engine, Router::new().route("/", on_get(both)));
    let response = get(&app, "/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        text(response).await,
        "the session of this request is in use; drop the other RequestSession first"
    );
}

#[tokio::test]
async fn a_route_without_the_layer_says_what_is_missing() {
    let app = Router::new().route("/", on_get(async |_: Session| "never"));
    let response = get(&app, "/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let text = text(response).await;
    assert!(text.contains("add one with Router::layer"), "{text}");
    assert!(text.contains("Postgres"), "{text}");
}

#[tokio::test]
async fn a_session_that_outlives_its_response_fails_it_and_is_rolled_back() {
    let server = postgresql();
    let engine = engine(&server);
    let (end, ended) = oneshot::channel::<()>();
    let ended = Arc::new(Mutex::new(Some(ended)));
    let leave = async move |mut session: Session,
                            ended: Arc<Mutex<Option<oneshot::Receiver<()>>>>| {
        send(&mut session, "INSERT INTO t VALUES (1)").await;
        let ended = ended.lock().unwrap().take().unwrap();
        tokio::spawn(async move {
            ended.await.unwrap();
            drop(session);
        });
        "left"
    };
    let route = on_get(move |session| leave(session, Arc::clone(&ended)));
    let app = app(&engine, Router::new().route("/", route));
    let response = get(&app, "/").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let error = response.extensions().get::<NotCommitted>();
    assert!(matches!(error, Some(NotCommitted::InUse)), "{error:?}");
    end.send(()).unwrap();
    nobody_is_left(&engine).await;
    assert_eq!(rows(&server), "");
}

#[tokio::test]
async fn a_request_says_which_session_it_gets() {
    let server = postgresql();
    let engine = engine(&server);
    let (writers, readers) = (
        SessionMaker::new(&engine),
        SessionMaker::new(&engine.read_only()),
    );
    let insert = async |mut session: Session| -> Response {
        match session.execute("INSERT INTO t VALUES (1)").await {
            Ok(_) => "inserted".into_response(),
            Err(error) => (StatusCode::FORBIDDEN, error.to_string()).into_response(),
        }
    };
    let app = Router::new()
        .route("/", on_get(insert).post(insert))
        .layer(SessionLayer::new(move |request| {
            match request.method.is_safe() {
                true => readers.session(),
                false => writers.session(),
            }
        }));
    let response = get(&app, "/").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(text(response).await.contains("read-only transaction"));
    let post = axum::http::Request::post("/").body(Body::empty()).unwrap();
    let posted = tower::ServiceExt::oneshot(app, post).await.unwrap();
    assert_eq!(posted.status(), StatusCode::OK);
    assert_eq!(rows(&server), "1");
}

#[tokio::test]
async fn a_server_has_a_session_for_each_of_many_requests_at_once() {
    let engine: Engine<Sqlite> = create_engine("sqlite://", EngineOptions::default()).unwrap();
    raw_sql("CREATE TABLE t (i INTEGER)")
        .execute(&engine)
        .await
        .unwrap();
    let sessions = SessionMaker::new(&engine);
    let insert = async |mut session: RequestSession<Sqlite>| {
        session.execute("INSERT INTO t VALUES (1)").await.unwrap();
    };
    let app = Router::new()
        .route("/", on_get(insert))
        .layer(SessionLayer::new(move |_| sessions.session()));
    let requests = (0..50).map(|_| {
        let app = app.clone();
        tokio::spawn(async move { status(&app, "/").await })
    });
    let requests: Vec<_> = requests.collect();
    for request in requests {
        let status = timeout(Duration::from_secs(20), request).await.unwrap();
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    let rows = everpool_sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&engine);
    let rows: i64 = rows.await.unwrap();
    assert_eq!(rows, 50);
}
