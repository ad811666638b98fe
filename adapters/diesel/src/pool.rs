//! The pool of an engine ([`Engine::pool`](crate::Engine::pool)): what it can be told, what its hooks
//! are told, and what it says of itself.
#![cfg_attr(
    feature = "sqlite",
    doc = r#"
```
use diesel::{SqliteConnection, connection::SimpleConnection};
use everpool_diesel::{EngineOptions, create_engine, pool::Capacity};

let engine = create_engine::<SqliteConnection>("sqlite:///app.db", EngineOptions::default())?;
engine.pool().events().connect(|connection, _record| {
    connection.batch_execute("PRAGMA busy_timeout = 5000")?;
    Ok(())
});
engine.pool().resize(Capacity::Bounded { size: 2, overflow: 0 })?;
assert_eq!(engine.status().size, 2);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]

pub use everpool_core::{
    BoxError, BoxFuture, Capacity, Cause, Closed, ConnectError, ConnectFailure, Events, Generation,
    Handle, HeldBy, Histogram, Holder, HookError, Info, Phase, Record, ResetState, SlotId,
    Snapshot, TimedOut, Wait,
    blocking::{Lease, Pool},
};
