//! SQLAlchemy's Engine, Connection and Session for SQLx, and a drop-in for its pool.
//!
//! [`create_engine`] gives an [`Engine`]: a pool with options. [`Engine::connect`] takes a connection
//! from it, [`Session::begin`] a transaction. All of them execute SQLx's queries; each error passes
//! through them before the program sees it, and a disconnect makes the pool replace all that died with
//! it.
#![cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
use everpool_sqlx::{EngineOptions, Session, Sqlite, create_engine};

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let engine = create_engine::<Sqlite>("sqlite:///:memory:", EngineOptions::default())?;

let mut session = Session::begin(&engine).await?;
sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY)").execute(&mut session).await?;
sqlx::query("INSERT INTO users VALUES (1)").execute(&mut session).await?;
session.commit().await?;

let mut connection = engine.connect().await?;
let one: i64 = sqlx::query_scalar("SELECT id FROM users").fetch_one(&mut *connection).await?;
assert_eq!(one, 1);
drop(connection);

let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&engine).await?;
assert_eq!(users, 1);
# Ok(())
# }
```
"#
)]
//!
//! The package `everpool-sqlx` is for SQLx 0.9, and `everpool-sqlx-0-8` for SQLx 0.8.6; both are this
//! crate.
//!
//! The databases and all other features are SQLx's, under SQLx's names. `macros` and `runtime-tokio` are
//! always on.

#[cfg(all(doctest, feature = "_sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod acquire;
#[cfg(feature = "any")]
pub mod any;
mod as_sqlx;
mod callbacks;
mod classify;
mod connection;
mod connector;
mod create;
mod driver;
mod engine;
mod executor;
mod flags;
mod hooks;
mod lent;
mod manner;
#[cfg(feature = "mysql")]
pub mod mysql;
pub mod native;
pub mod pool;
#[cfg(feature = "postgres")]
pub mod postgres;
mod session;
mod shared;
#[cfg(feature = "_sqlite")]
pub mod sqlite;
mod stage;
mod test_transaction;
#[cfg(feature = "migrate")]
pub mod testing;
mod transaction;
mod two_phase;
mod url;
#[cfg_attr(sqlx_0_8, path = "sqlx_0_8.rs")]
#[cfg_attr(not(sqlx_0_8), path = "sqlx_0_9.rs")]
mod version;
mod wire;
mod wire_executor;

pub use sqlx::*;

// What follows takes the place of SQLx's of the same name. Its traits are left as they are: `Acquire`,
// `Connection`, `ConnectOptions`, `Database`, `Executor`.
#[cfg(feature = "any")]
pub use any::AnyPool;
#[cfg(feature = "mysql")]
pub use mysql::{MySqlPool, MySqlTransaction};
pub use pool::Pool;
#[cfg(feature = "postgres")]
pub use postgres::{PgPool, PgTransaction};
#[cfg(feature = "_sqlite")]
pub use sqlite::{SqlitePool, SqliteTransaction};
pub use transaction::Transaction;

pub use acquire::Acquired;
pub use classify::category;
/// `Connection` is SQLx's trait here, as it is in `sqlx`.
pub use connection::Connection as EngineConnection;
pub use connector::{Connector, DriverError};
pub use create::{EngineError, create_engine, create_engine_with, create_pool_from_url};
pub use driver::{ConnectOptionsOf, Driver};
pub use engine::{CheckoutError, Engine, RawConnection};
pub use hooks::EngineEvents;
pub use lent::PoolConnection;
pub use session::{
    JoinedSession, Nested, ScopedSession, Session, SessionError, SessionEvents, SessionMaker,
};
pub use test_transaction::TestTransaction;
pub use two_phase::TwoPhase;
pub use url::connect_options;
pub use version::BeginStatement;
pub use wire::Wire;

pub use everpool_core::{
    Closed, ConnectFault, Fault, OptionsError, PoolClass, ResetOnReturn, Status,
};
pub use everpool_engine::{
    Backend, Category, ConnectArgs, DetachError, Echo, EngineOptions, EngineOptionsBuilder,
    ExecutionOptions, OptionError, PendingRollback, PoolOptions, Url, UrlError, engine_from_config,
    engine_from_env, handlers, isolation, pool_from_config, twophase,
};
pub use everpool_session::future::{
    Branch, GlobalTransaction, PreparedTransaction, Recovers, recover,
};
pub use everpool_session::{
    Cause, GroupError, InDoubt, JoinTransactionMode, LostCommit, Moment, Origin, Outcome, Retry,
    RetryPolicy, RetryReason, RetryWhen, SessionOptions, SessionTransaction, StateError,
    TransactionId, UnknownJoinTransactionMode,
    scope::{Entered, ScopeError, ScopeKey, Scoped, TaskScope, ThreadScope},
};

/// For the macros of this crate.
#[doc(hidden)]
pub mod private {
    pub use futures_core::{future::BoxFuture, stream::BoxStream};

    pub use crate::{
        driver::texts_of,
        version::{Described, Prepared, Sql, raw},
    };
}
