//! A database session for each request of a web service on axum, or on tower with HTTP.
//!
//! [`SessionLayer`] gives it to the requests of the routes inside of it, and ends it with the response: commits what
//! succeeded, and rolls back what failed, panicked, or was given up by its client. Handlers get it from an extractor:
//! `sqlx::RequestSession`, or `diesel::RequestSession`.
//!
//! The features `diesel` and `sqlx` (for SQLx 0.9) turn the adapters on.

#[cfg(all(doctest, feature = "diesel", feature = "sqlx"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "diesel")]
pub mod diesel;
mod ends;
#[cfg(any(feature = "diesel", feature = "sqlx"))]
mod finished;
mod layer;
mod rejection;
mod request_session;
mod slot;
#[cfg(feature = "sqlx")]
pub mod sqlx;

pub use ends::EndsWithRequest;
pub use layer::{NotCommitted, SessionLayer, SessionService};
pub use rejection::SessionRejection;
pub use request_session::RequestSession;
