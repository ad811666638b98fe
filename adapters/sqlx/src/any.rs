//! SQLx's `any`, with the pool of this crate.

pub use sqlx::any::*;

/// A [`Pool`](crate::Pool) of connections to whichever database its URL names. As in SQLx,
/// [`install_default_drivers`] comes first.
pub type AnyPool = crate::Pool<Any>;
/// What it is to be.
pub type AnyPoolOptions = crate::pool::PoolOptions<Any>;
