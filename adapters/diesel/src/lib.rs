//! SQLAlchemy's Engine, Connection and Session for Diesel.
//!
//! [`create_engine`] gives an [`Engine`]: a pool with options. [`Engine::connect`] takes a
//! [`Connection`] from it, [`Session::begin`] a transaction. Both *are* Diesel connections, so query
//! code, `transaction(…)` and migrations run on them unchanged; each error passes through them before
//! the program sees it, and a disconnect makes the pool replace all that died with it.
#![cfg_attr(
    feature = "sqlite",
    doc = r#"
```
use diesel::{prelude::*, sql_types::Integer};
use everpool_diesel::{EngineOptions, Session, create_engine};

let engine = create_engine::<SqliteConnection>("sqlite:///:memory:", EngineOptions::default())?;

let mut session = Session::begin(&engine)?;
diesel::sql_query("CREATE TABLE users (id INTEGER PRIMARY KEY)").execute(&mut session)?;
diesel::sql_query("INSERT INTO users VALUES (1)").execute(&mut session)?;
session.commit()?;

let mut connection = engine.connect()?;
let one = diesel::select(1.into_sql::<Integer>()).get_result::<i32>(&mut connection)?;
assert_eq!(one, 1);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
//!
//! The databases are features: `mysql` (MariaDB too), `postgres`, `sqlite`; `mysql-bundled`,
//! `postgres-bundled` and `sqlite-bundled` build the client library too.

mod classify;
mod connection;
mod connector;
mod cursor;
mod driver;
mod engine;
mod error;
mod hooks;
#[cfg(feature = "mysql")]
mod mysql;
mod nowhere;
pub mod pool;
#[cfg(feature = "postgres")]
mod postgres;
pub mod r2d2;
mod seen;
mod session;
mod shared;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stage;
mod status;
mod tap;
mod test_transaction;
mod transaction;
mod two_phase;
mod watch;

pub use classify::category;
pub use connection::Connection;
pub use connector::{Connector, DriverError};
pub use driver::{Driver, TransactionStatus};
pub use engine::{
    CheckoutError, Engine, EngineError, RawConnection, create_engine, create_pool_from_url,
};
pub use hooks::EngineEvents;
pub use session::{
    JoinedSession, Nested, ScopedSession, Session, SessionError, SessionEvents, SessionMaker,
    SessionTransactions,
};
pub use test_transaction::TestTransaction;
pub use transaction::Transaction;
pub use two_phase::TwoPhase;

pub use everpool_core::{ConnectFault, Fault, OptionsError, PoolClass, ResetOnReturn, Status};
pub use everpool_engine::{
    Backend, Category, ConnectArgs, DetachError, Echo, EngineOptions, EngineOptionsBuilder,
    ExecutionOptions, OptionError, PendingRollback, PoolOptions, Url, UrlError, engine_from_config,
    engine_from_env, handlers, isolation, pool_from_config, twophase,
};
pub use everpool_session::blocking::{
    Branch, GlobalTransaction, PreparedTransaction, Recovers, recover,
};
pub use everpool_session::{
    Cause, GroupError, InDoubt, JoinTransactionMode, LostCommit, Moment, Origin, Outcome, Retry,
    RetryPolicy, RetryReason, RetryWhen, SessionOptions, SessionTransaction, StateError,
    TransactionId, UnknownJoinTransactionMode,
    scope::{Entered, ScopeError, ScopeKey, Scoped, ThreadScope},
};

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../../MIGRATING.md")]
struct Migrating;
