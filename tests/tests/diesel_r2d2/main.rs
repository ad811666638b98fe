//! `everpool_diesel::r2d2` in the place of `diesel::r2d2`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod applications;
mod postgres;
mod restarts;
mod semantics;
mod support;
