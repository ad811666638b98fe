//! What an engine promises on every database and through every adapter, told once. What only one database
//! has is tested beside this: `diesel_postgres.rs`, `diesel_mysql.rs`, `diesel_sqlite.rs`, `sqlx_errors`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod adapter;
mod database;
mod diesel;
mod disconnects;
mod join;
mod leftovers;
mod mariadb;
mod outages;
mod past;
mod pgbouncer;
mod postgresql;
mod rehearsals;
mod sessions;
mod sqlite;
mod sqlx;
