//! The servers do as told: a test that relies on a restart relies on these.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests, but not the functions they share"
)]

mod mariadb;
mod owner;
mod pgbouncer;
mod postgres;
mod proxy;
mod traces;
mod until;
