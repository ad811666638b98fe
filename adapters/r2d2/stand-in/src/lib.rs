//! everpool in the place of r2d2.
//!
//! This package is named `r2d2`, so that Cargo can put it in r2d2's place: every package that uses
//! r2d2 uses everpool then, without a change of its own.
//!
//! ```toml
//! [patch.crates-io]
//! r2d2 = { git = "https://github.com/everpool/everpool" }
//! ```
//!
//! Run `cargo update -p r2d2` after that, or Cargo stays with the version in `Cargo.lock` and says
//! that the patch "was not used in the crate graph".
//!
//! All but the traits is `everpool-r2d2`, whose documentation says what is different.

#[path = "../../src/builder.rs"]
mod builder;
#[path = "../../src/config.rs"]
mod config;
#[path = "../../src/connector.rs"]
mod connector;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/event.rs"]
pub mod event;
mod extensions;
#[path = "../../src/managed.rs"]
mod managed;
#[path = "../../src/pool.rs"]
mod pool;
#[path = "../../src/pooled.rs"]
mod pooled;
#[path = "../../src/state.rs"]
mod state;
mod traits;

pub use builder::Builder;
pub use connector::{Connector, Failure};
pub use error::Error;
pub use event::{HandleEvent, NopEventHandler};
pub use everpool_core::Fault;
pub use extensions::Extensions;
pub use managed::Managed;
pub use pool::Pool;
pub use pooled::{PooledConnection, Verdict};
pub use state::State;
pub use traits::{
    CustomizeConnection, HandleError, LoggingErrorHandler, ManageConnection,
    NopConnectionCustomizer, NopErrorHandler,
};

#[cfg(all(test, r2d2_tests))]
mod test;
