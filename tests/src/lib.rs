//! Real database servers that a test starts for itself.
//!
//! Each server is private: its own data directory, its own socket, gone when the value is dropped.
//! What a pool must survive is a method here: a restart, a kill, a server that stops answering.
//! Linux only: processes are found in `/proc`.

pub mod postgres;
mod process;

pub use postgres::PostgreSql;
