use std::{error::Error, fmt, panic::Location, sync::Arc, time::Duration};

use crate::{
    hook::BoxError,
    machine::{Phase, Status},
};

/// Why a connect or a ping gave no connection. Several callers may be told of the same one.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectFailure<E> {
    /// The driver's answer.
    Driver(E),
    /// The driver panicked; the panic's message.
    Panicked(String),
    /// There was no answer for so long.
    Unanswered(Duration),
    /// A hook of `first_connect` or `connect` refused the connection.
    Hook(BoxError),
    /// There is no runtime to connect in: whoever asked was in none, and none was known that still
    /// runs.
    NoRuntime,
    /// The runtime was shut down meanwhile.
    RuntimeEnded,
    /// The server had closed the connection while it rested.
    Closed,
}

impl<E: fmt::Display> fmt::Display for ConnectFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // libpq ends its messages with a line feed.
            Self::Driver(error) => f.write_str(error.to_string().trim_end()),
            Self::Panicked(message) => write!(f, "the driver panicked: {message}"),
            Self::Unanswered(after) => write!(f, "no answer within {after:.1?}"),
            Self::Hook(error) => write!(f, "a hook refused the new connection: {error}"),
            Self::NoRuntime => f.write_str("there is no async runtime to connect in"),
            Self::RuntimeEnded => f.write_str("the async runtime was shut down"),
            Self::Closed => f.write_str("the server had closed the connection"),
        }
    }
}

impl<E: Error + 'static> Error for ConnectFailure<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Driver(error) => Some(error),
            Self::Hook(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

/// A failed connect, and how long ago that was.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct ConnectError<E: Error + 'static> {
    /// What failed.
    pub failure: Arc<ConnectFailure<E>>,
    /// How long before it was told.
    pub age: Duration,
}

/// Who has a connection: the place of the checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldBy {
    /// Where the checkout was called.
    pub place: &'static Location<'static>,
    /// For how long it has been out, if the pool knows: it reads no clock for a checkout that needs
    /// none.
    pub held: Option<Duration>,
}

impl fmt::Display for HeldBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checked out at {}", self.place)?;
        match self.held {
            Some(held) => write!(f, " {held:.1?} ago"),
            None => Ok(()),
        }
    }
}

/// All that is known of a checkout whose time was up.
#[derive(Debug)]
#[non_exhaustive]
pub struct TimedOut<E: Error + 'static> {
    /// What was being waited for at the end.
    pub phase: Phase,
    /// How long the caller waited.
    pub waited: Duration,
    /// The pool's numbers at the end.
    pub status: Status,
    /// The last failed connect, if none succeeded since.
    pub last_connect_error: Option<ConnectError<E>>,
    /// Who has had a connection for the longest time.
    pub oldest_holder: Option<HeldBy>,
    /// Where this very thread or task took a connection that it still has: it waits for itself.
    pub own: Option<HeldBy>,
}

impl<E: Error + 'static> fmt::Display for TimedOut<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            phase,
            waited,
            status,
            ..
        } = self;
        let waiting = status.waiting;
        write!(
            f,
            "no connection within {waited:.1?}: {phase} ({status}  Waiting: {waiting}"
        )?;
        if let Some(last) = &self.last_connect_error {
            write!(f, "; last connect error, {:.1?} ago: {last}", last.age)?;
        }
        if let Some(oldest) = &self.oldest_holder {
            write!(f, "; the oldest was {oldest}")?;
        }
        if let Some(own) = &self.own {
            write!(f, "; this thread or task has one itself, {own}")?;
        }
        f.write_str(")")
    }
}

impl<E: Error + 'static> Error for TimedOut<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let last = self.last_connect_error.as_ref()?;
        Some(last)
    }
}

/// Why a checkout gave no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckoutError<E: Error + 'static> {
    /// `pool_timeout` is over.
    #[error(transparent)]
    TimedOut(Box<TimedOut<E>>),
    /// A connection could not be opened, and trying again would not help.
    #[error("cannot connect: {0}")]
    Connect(#[source] Arc<ConnectFailure<E>>),
    /// For longer than `pool_outage_grace` no connection could be opened. The pool goes on trying
    /// while anybody asks, and lends again as soon as the server accepts.
    #[error("the server has accepted no connection for a while; last error, {age:.1?} ago: {0}", age = .0.age)]
    Outage(#[source] ConnectError<E>),
    /// The ping failed, and not because the connection is lost.
    #[error("the connection is open but its ping failed: {0}")]
    Ping(#[source] Arc<ConnectFailure<E>>),
    /// A hook of `checkout` refused it.
    #[error("a hook refused the connection: {0}")]
    Hook(#[source] BoxError),
    /// Hooks of `checkout` said of two connections in turn that they are lost.
    #[error("this connection is closed: a hook refused two in turn; the last because of: {0}")]
    Rejected(#[source] BoxError),
    /// As many callers as may wait (`max_waiting`) are waiting.
    #[error("all connections are in use and {waiting} callers wait for one ({0})", waiting = .0.waiting)]
    QueueFull(Status),
    /// The one connection of an `AssertionPool`, or of this thread in a `SingletonThreadPool`, is
    /// checked out.
    #[error("connection is already checked out{}", by.map(|by| format!(": {by}")).unwrap_or_default())]
    InUse {
        /// By whom.
        by: Option<HeldBy>,
    },
    /// The pool was closed.
    #[error("the pool is closed")]
    Closed,
}
