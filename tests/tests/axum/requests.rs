//! What these tests begin with.

use std::time::{Duration, Instant};

use axum::{Router, body::Body, http::StatusCode, response::Response};
use everpool_tests::PostgreSql;
use tower::ServiceExt;

/// A server with two empty tables. A commit of what was inserted into `slow` takes half a second, and one of
/// what was inserted into `refused` is refused.
pub(crate) fn postgresql() -> PostgreSql {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server
        .psql(
            "CREATE TABLE t (i int); CREATE TABLE slow (i int); CREATE TABLE refused (i int); \
             CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END'; \
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE ''not today''; END'; \
             CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION wait(); \
             CREATE CONSTRAINT TRIGGER never AFTER INSERT ON refused DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .unwrap();
    server
}

/// The rows of `t`.
pub(crate) fn rows(server: &PostgreSql) -> String {
    let rows = server.psql("SELECT coalesce(string_agg(i::text, ' ' ORDER BY i), '') FROM t");
    rows.unwrap().trim().to_owned()
}

pub(crate) async fn get(app: &Router, path: &str) -> Response {
    let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

pub(crate) async fn status(app: &Router, path: &str) -> StatusCode {
    get(app, path).await.status()
}

pub(crate) async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    String::from_utf8(body.unwrap().to_vec()).unwrap()
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        tokio::task::yield_now().await;
    }
}
