//! SQLx's `sqlite`, with the pool of this crate.

pub use sqlx::sqlite::*;

/// A [`Pool`](crate::Pool) of connections to a SQLite database.
///
/// ```
/// use everpool_sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), everpool_sqlx::Error> {
/// let pool: SqlitePool = SqlitePoolOptions::new()
///     .max_connections(5)
///     .connect("sqlite::memory:")
///     .await?;
/// let mut transaction = pool.begin().await?;
/// sqlx::query("CREATE TABLE users (id INTEGER)").execute(&mut *transaction).await?;
/// transaction.commit().await?;
/// let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&pool).await?;
/// assert_eq!(users, 0);
/// # Ok(())
/// # }
/// ```
pub type SqlitePool = crate::Pool<Sqlite>;
/// What it is to be.
pub type SqlitePoolOptions = crate::pool::PoolOptions<Sqlite>;
/// A transaction on it.
pub type SqliteTransaction<'c> = crate::Transaction<'c, Sqlite>;
