//! What a program leaves on a connection of SQLx's, and what its next user finds: transactions, rows, the
//! middle of an operation. And that what is in order costs nothing.
//!
//! `EVERPOOL_SOAK=1` tries every moment at which an operation can be given up, instead of some.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod clean;
mod commits;
mod cut;
mod database;
mod leftovers;
mod mariadb;
mod memory;
mod networks;
mod operation;
mod order;
mod product;
mod runtimes;
mod sqlite;
