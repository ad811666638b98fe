//! The transaction of a session: when BEGIN is sent, what a commit may claim, and what a lost
//! connection means for it. Programs use `Session` from an adapter such as `everpool-diesel`.

pub mod blocking;
mod error;
pub mod future;
mod transaction;

pub use error::SessionError;
