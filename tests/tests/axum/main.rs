//! A session for each request of a web service: what becomes of it with each end that a request can have.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod diesel;
mod requests;
mod sqlx;
