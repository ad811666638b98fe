//! Real database servers that a test starts for itself.
//!
//! Each server is private: its own data directory, its own socket, gone when the value is dropped, and when
//! the test is killed. What a pool must survive is a method here: a restart, a kill, a server that stops
//! answering. Linux only: processes are found in `/proc`.

mod account;
mod daemon;
mod directory;
mod error;
mod guard;
#[cfg(feature = "journal")]
pub mod journal;
pub mod mariadb;
pub mod pgbouncer;
mod port;
pub mod postgres;
mod process;
mod program;
pub mod proxy;
mod startup;
mod template;

pub use error::ServerError;
pub use mariadb::MariaDb;
pub use pgbouncer::PgBouncer;
pub use postgres::PostgreSql;
pub use proxy::Proxy;
