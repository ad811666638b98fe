//! r2d2's interface on everpool, over a manager that does what a test says.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod beyond;
mod connector;
mod events;
mod limits;
mod returns;
mod scripted;
mod words;
