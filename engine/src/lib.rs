//! What an engine decides, for any driver: what its options and its URL mean, whose fault an error
//! is, and what a [`Connection`](blocking::Connection) does after it was lost.
//!
//! Programs use this crate through an adapter such as `everpool-diesel`.

mod error;
pub mod fault;
mod options;
mod seconds;
mod url;

pub mod blocking;
mod state;

pub use error::ConnectionError;
pub use options::{EngineOptions, EngineOptionsBuilder, OptionError};
pub use state::PendingRollback;
pub use url::{Backend, Url, UrlError};
