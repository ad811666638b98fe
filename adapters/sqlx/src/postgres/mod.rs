//! SQLx's `postgres`, with the pool of this crate.

mod listener;

pub use sqlx::postgres::*;

pub use listener::PgListener;

/// A [`Pool`](crate::Pool) of connections to PostgreSQL.
pub type PgPool = crate::Pool<Postgres>;
/// What it is to be.
pub type PgPoolOptions = crate::pool::PoolOptions<Postgres>;
/// A transaction on it.
pub type PgTransaction<'c> = crate::Transaction<'c, Postgres>;
