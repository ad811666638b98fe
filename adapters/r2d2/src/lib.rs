//! everpool's pool for every manager of r2d2, with r2d2's own interface.
//!
//! [`Pool`], [`Builder`], [`PooledConnection`], [`State`], [`Error`] and the [`event`]s have the names,
//! defaults and meaning of r2d2's. The traits ([`ManageConnection`], [`CustomizeConnection`],
//! [`HandleError`]) *are* r2d2's, so that what was written for r2d2 fits. A handler of events
//! implements this crate's [`HandleEvent`], because nobody but r2d2 can make r2d2's events.
//!
//! ```
//! use everpool_r2d2::{ManageConnection, Pool};
//!
//! /// Connections are numbers.
//! struct Numbers;
//!
//! impl ManageConnection for Numbers {
//!     type Connection = u32;
//!     type Error = std::io::Error;
//!
//!     fn connect(&self) -> Result<u32, std::io::Error> {
//!         Ok(42)
//!     }
//!     fn is_valid(&self, _: &mut u32) -> Result<(), std::io::Error> {
//!         Ok(())
//!     }
//!     fn has_broken(&self, _: &mut u32) -> bool {
//!         false
//!     }
//! }
//!
//! let pool = Pool::builder().max_size(2).build(Numbers)?;
//! let connection = pool.get()?;
//! assert_eq!(*connection, 42);
//! # Ok::<(), everpool_r2d2::Error>(())
//! ```
//!
//! # What is different
//!
//! - Whoever waits is served in the order of arrival.
//! - The time limit of [`Pool::get`] covers the test of the connection. A test that gives no answer
//!   within five seconds, or a connect that gives none within `connection_timeout` (30 seconds at
//!   least), is given up; no thread waits for it any more but the one it blocks.
//! - After a failed connect there is one attempt at a time for the whole pool, 10 to 100 ms apart. It
//!   goes on as long as anybody asks, and a minute longer.
//! - A connection is replaced as soon as its time is over (`max_lifetime`, up to a tenth earlier, so
//!   that not all are replaced at once; `idle_timeout`), not at the next half minute.
//! - [`Error`] says what was waited for and who has the connections.
//! - When the last [`Pool`] is dropped, its idle connections are closed before the drop returns, for
//!   up to five seconds.
//! - Connections are opened, tested and closed by threads of the pool's own, which are there while
//!   there is something to do. A connection that its manager calls broken is released by the thread
//!   that returns it, as in r2d2.
//!
//! Beyond r2d2: [`Builder::fault_of`], [`PooledConnection::invalidate`] and [`Pool::everpool`]. For a
//! pool of tasks, or with other options, [`Connector`] makes a manager fit
//! [`everpool_core::future::Pool`] and [`everpool_core::blocking::Pool`]:
//!
//! ```
//! use everpool_core::{Options, blocking};
//! use everpool_r2d2::{Connector, ManageConnection};
//!
//! fn lend<M: ManageConnection>(manager: M) -> Result<(), Box<dyn std::error::Error>> {
//!     let pool = blocking::Pool::new(Connector::new(manager), Options::default())?;
//!     let mut lease = pool.checkout()?;
//!     let _connection: &mut M::Connection = &mut lease;
//!     Ok(())
//! }
//! ```

mod builder;
mod config;
mod connector;
mod error;
pub mod event;
mod managed;
mod pool;
mod pooled;
mod state;

pub use builder::Builder;
pub use connector::{Connector, Failure};
pub use error::Error;
pub use event::{HandleEvent, NopEventHandler};
pub use everpool_core::Fault;
pub use managed::Managed;
pub use pool::Pool;
pub use pooled::{PooledConnection, Verdict};
pub use r2d2::{
    CustomizeConnection, Extensions, HandleError, LoggingErrorHandler, ManageConnection,
    NopConnectionCustomizer, NopErrorHandler,
};
pub use state::State;
