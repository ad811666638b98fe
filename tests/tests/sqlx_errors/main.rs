//! Whose fault the errors are that SQLx gives, as real servers provoke them: what each of them costs the
//! pool, and what the program is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod any;
mod commit;
mod connect;
mod cost;
mod handlers;
mod mysql;
mod postgresql;
mod secrets;
mod sqlite;
