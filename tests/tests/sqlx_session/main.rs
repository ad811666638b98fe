//! SQLx's Session on real servers: what is sent and when, what it refuses, whom it tells, what became of a
//! commit, and that any of its futures may be dropped.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod diary;
mod dropped;
mod events;
mod mariadb;
mod outcome;
mod postgresql;
mod retry;
mod retry_servers;
mod scopes;
mod sqlite;
mod states;
mod support;
