use std::{error::Error, fmt, future::Future, pin::Pin};

use crate::{
    info::Info,
    machine::{Generation, SlotId},
};

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A future of any type.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a hook is told of a connection beside the connection itself.
#[derive(Debug)]
#[non_exhaustive]
pub struct Record<'a> {
    /// What is kept beside the connection; gone when it is.
    pub info: &'a mut Info,
    /// What is kept beside the slot, whatever is connected in it.
    pub record_info: &'a mut Info,
    /// The slot.
    pub slot: SlotId,
    /// The connection's generation.
    pub generation: Generation,
}

/// What the pool is about to do with a connection that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResetState {
    /// It is proved that no transaction is open, so nothing will be sent.
    pub transaction_was_reset: bool,
    /// The connection does not go back to the pool: it is detached.
    pub terminate_only: bool,
}

/// What a hook has against a connection. Any error converts into
/// [`Failed`](Self::Failed), by `?`.
#[derive(Debug)]
pub enum HookError {
    /// The connection is lost: another is taken (SQLAlchemy's `DisconnectionError`).
    Disconnection(BoxError),
    /// So are all others of its generation (`InvalidatePoolError`).
    InvalidatePool(BoxError),
    /// The caller is told; the connection is closed.
    Failed(BoxError),
}

impl<E: Into<BoxError>> From<E> for HookError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl HookError {
    pub(crate) fn into_inner(self) -> BoxError {
        match self {
            Self::Disconnection(error) | Self::InvalidatePool(error) | Self::Failed(error) => error,
        }
    }
}

impl fmt::Display for HookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnection(error) | Self::InvalidatePool(error) | Self::Failed(error) => {
                error.fmt(f)
            }
        }
    }
}

/// A hook's answer, at once or later.
pub(crate) enum Answer<'a> {
    Now(Result<(), HookError>),
    Later(BoxFuture<'a, Result<(), HookError>>),
}

impl Answer<'_> {
    pub(crate) async fn verdict(self) -> Result<(), HookError> {
        match self {
            Self::Now(verdict) => verdict,
            Self::Later(verdict) => verdict.await,
        }
    }
}

/// All that any hook may be told.
pub(crate) struct Scene<'a, C> {
    pub(crate) connection: Option<&'a mut C>,
    pub(crate) record: Option<Record<'a>>,
    pub(crate) reset: ResetState,
    pub(crate) reason: Option<&'a (dyn Error + 'static)>,
}

pub(crate) type Hook<C> = Box<dyn for<'a> Fn(Scene<'a, C>) -> Answer<'a> + Send + Sync>;
