//! `diesel::r2d2` on everpool: what is there is here, by the same names and with the same meaning.
//!
//! An app is switched by one line: `use diesel::r2d2::…` becomes `use everpool_diesel::r2d2::…`. Managers,
//! customizers and error handlers written for r2d2 fit as they are, because the traits are r2d2's own.
//! Diesel's feature `r2d2` is not needed any more.
//!
//! What is gained: the first statement of a [`PooledConnection`] that meets a dead server makes the
//! pool replace all connections that died with it. It is noticed if the connection is used by `Deref`
//! too, when it is returned at the latest; `diesel::r2d2` lends the next dead connection, and the next.
//! `MIGRATING.md` tells all differences.
#![cfg_attr(
    feature = "sqlite",
    doc = r#"
```
use diesel::{prelude::*, sql_types::Integer};
use everpool_diesel::r2d2::{ConnectionManager, Pool};

let manager = ConnectionManager::<SqliteConnection>::new(":memory:");
let pool = Pool::builder().max_size(1).build(manager)?;
let mut connection = pool.get()?;

// A Diesel connection, and by `Deref` the driver's own.
let one = diesel::select(1.into_sql::<Integer>());
assert_eq!(one.get_result::<i32>(&mut connection)?, 1);
fn answer(connection: &mut SqliteConnection) -> QueryResult<i32> {
    diesel::select(42.into_sql::<Integer>()).get_result(connection)
}
assert_eq!(answer(&mut connection)?, 42);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
//!
//! For tests, a pool of one connection with a transaction that is never committed:
#![cfg_attr(
    feature = "sqlite",
    doc = r#"
```
use diesel::prelude::*;
use everpool_diesel::r2d2::{ConnectionManager, Pool, TestCustomizer};

let pool = Pool::builder()
    .max_size(1)
    .connection_customizer(Box::new(TestCustomizer))
    .build(ConnectionManager::<SqliteConnection>::new(":memory:"))?;
diesel::sql_query("CREATE TABLE users (id INTEGER)").execute(&mut pool.get()?)?;
// Still there, and never committed.
diesel::sql_query("INSERT INTO users VALUES (1)").execute(&mut pool.get()?)?;
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]

mod builder;
mod connection;
mod customizer;
mod known;
mod manager;
mod pool;
mod pooled;
mod transactions;
mod watched;
mod witness;

pub use builder::Builder;
pub use connection::R2D2Connection;
pub use customizer::TestCustomizer;
pub use manager::{ConnectionManager, Error};
pub use pool::Pool;
pub use pooled::PooledConnection;
pub use transactions::PoolTransactionManager;
pub use watched::Watched;

pub use everpool_r2d2::{
    CustomizeConnection, Extensions, HandleError, HandleEvent, LoggingErrorHandler,
    ManageConnection, NopConnectionCustomizer, NopErrorHandler, NopEventHandler, State, event,
};

/// Why [`Pool`] gave no connection, or was not filled in time.
pub type PoolError = everpool_r2d2::Error;
