//! What an engine decides, for any driver: what its options and its URL mean, whose fault an error
//! is, and what a [`Connection`](blocking::Connection) does after it was lost.
//!
//! Programs use this crate through an adapter such as `everpool-diesel`.

pub mod category;
pub mod control;
pub mod echo_pool;
mod error;
pub mod events;
pub mod fault;
pub mod handlers;
pub mod isolation;
mod journal;
mod options;
pub mod reader;
mod replicas;
mod role;
mod savepoint;
mod secret;
pub mod stage;
pub mod transaction;
pub mod twophase;
mod url;
pub mod wal;
mod watch;

pub mod blocking;
pub mod connection;
#[cfg(feature = "tokio")]
pub mod future;
mod hold;
mod sight;
mod state;

pub use category::Category;
pub use error::{ConnectionError, DetachError};
pub use journal::Journal;
pub use options::{
    ConnectArgs, Echo, EngineOptions, EngineOptionsBuilder, ExecutionOptions, OptionError,
    PoolOptions, Pools, engine_from_config, engine_from_env, pool_from_config,
};
pub use replicas::{Replicas, Rota, is_unreachable, note_missed};
pub use role::Role;
pub use savepoint::{Savepoint, Savepoints};
pub use state::PendingRollback;
pub use url::{Backend, Url, UrlError};
pub use watch::Watch;
