//! What an engine through Diesel promises on every database, told once. What only one of them has is
//! tested beside this: `diesel_postgres.rs`, `diesel_mysql.rs`, `diesel_sqlite.rs`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod database;
mod disconnects;
mod leftovers;
mod mariadb;
mod outages;
mod past;
mod pgbouncer;
mod postgresql;
mod sessions;
mod sqlite;
