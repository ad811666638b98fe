use std::error::Error;

use everpool_core::CheckoutError;

use crate::state::PendingRollback;

/// Why a Connection has nothing to send a statement on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError<E: Error + 'static> {
    /// There was none, and the pool gave none.
    #[error(transparent)]
    Checkout(#[from] CheckoutError<E>),
    /// It was lost with a transaction open.
    #[error(transparent)]
    PendingRollback(#[from] PendingRollback),
}

/// "Can't detach an invalidated Connection", as SQLAlchemy says it: there is none to detach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("can't detach an invalidated Connection")]
pub struct DetachError;
