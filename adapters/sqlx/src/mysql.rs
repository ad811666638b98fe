//! SQLx's `mysql`, with the pool of this crate.

pub use sqlx::mysql::*;

/// A [`Pool`](crate::Pool) of connections to MySQL or MariaDB.
pub type MySqlPool = crate::Pool<MySql>;
/// What it is to be.
pub type MySqlPoolOptions = crate::pool::PoolOptions<MySql>;
/// A transaction on it.
pub type MySqlTransaction<'c> = crate::Transaction<'c, MySql>;
