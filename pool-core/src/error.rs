use std::{error::Error, fmt, sync::Arc, time::Duration};

use crate::machine::{Phase, Status};

/// Why a connect or a ping gave no connection. Several callers may be told of the same one.
#[derive(Debug)]
pub enum ConnectFailure<E> {
    /// The driver's answer.
    Driver(E),
    /// The driver panicked; the panic's message.
    Panicked(String),
}

impl<E: fmt::Display> fmt::Display for ConnectFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // libpq ends its messages with a line feed.
            Self::Driver(error) => f.write_str(error.to_string().trim_end()),
            Self::Panicked(message) => write!(f, "the driver panicked: {message}"),
        }
    }
}

impl<E: Error + 'static> Error for ConnectFailure<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Driver(error) => Some(error),
            Self::Panicked(_) => None,
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

/// Why a checkout gave no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckoutError<E: Error + 'static> {
    /// `pool_timeout` is over.
    #[error(
        "no connection within {waited:.1?}: {phase} ({status}  Waiting: {waiting}{last})",
        waiting = status.waiting,
        last = last_connect_error.as_ref().map(|last| format!(
            "; last connect error, {:.1?} ago: {last}", last.age
        )).unwrap_or_default()
    )]
    TimedOut {
        /// What was being waited for at the end.
        phase: Phase,
        /// How long the caller waited.
        waited: Duration,
        /// The pool's numbers at the end.
        status: Box<Status>,
        /// The last failed connect, if none succeeded since.
        #[source]
        last_connect_error: Option<ConnectError<E>>,
    },
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
}
