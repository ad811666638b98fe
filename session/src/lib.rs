//! The transaction of a session: when BEGIN and SAVEPOINT are sent, what a commit may claim, and what a
//! lost connection means for it. Programs use `Session` from an adapter such as `everpool-diesel`.
//!
//! The [`stack`] decides; [`blocking`] and [`future`] carry it out.

pub mod blocking;
mod deadline;
mod error;
pub mod future;
pub mod group;
mod join;
mod listeners;
mod options;
pub mod retry;
pub mod scope;
mod settings;
pub mod stack;
mod transaction_id;

pub use error::{InDoubt, LostCommit, SessionError};
pub use group::{Group, GroupError};
pub use join::{JoinTransactionMode, UnknownJoinTransactionMode};
pub use listeners::Listeners;
pub use options::SessionOptions;
pub use retry::{Retry, RetryPolicy, RetryReason, RetryWhen};
pub use scope::ScopeError;
pub use settings::SessionSettings;
pub use stack::{Cause, Moment, Origin, SessionTransaction, StateError};
pub use transaction_id::{Outcome, TransactionId};
