//! Whose fault an error is, told by what the databases say.
//!
//! Each module is a table for one database. The texts are those of the client libraries and servers;
//! an adapter whose driver gives more than a text (a kind, a status) looks at that first.

pub mod mysql;
pub mod postgresql;
pub mod sqlite;

pub use everpool_core::{ConnectFault, Fault};
