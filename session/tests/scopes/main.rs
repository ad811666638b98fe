//! Whose session is whose, and what is left when scopes are over. The sessions are made by nobody's driver.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod factory;
mod stories;
mod tasks;
mod threads;
