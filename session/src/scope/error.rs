/// Why a scope gave no session, or could not be entered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// Somebody has the session of this scope: further up in the same code, or in another thread with the same key.
    #[error(
        "the session of this scope is in use; hand it on as an argument, or let go of it before asking again"
    )]
    InUse,
    /// The task is in no scope of this `ScopedSession`. What is spawned in a scope is not in it.
    #[error("this task is in no scope; have it run in `ScopedSession::scope`")]
    NoTaskScope,
    /// Nobody has entered the scope of this key, or it is over.
    #[error("no scope of {key} is entered; call `ScopedSession::enter` and keep what it gives")]
    NotEntered {
        /// It, as its `Debug` shows it.
        key: String,
    },
    /// A key is entered that is entered already.
    #[error("the scope of {key} is entered already; leave it first, or use what is there")]
    AlreadyEntered {
        /// It, as its `Debug` shows it.
        key: String,
    },
    /// The thread ends, and with it its scope.
    #[error(
        "this thread is ending, so no session can be bound to it; make one of a `SessionMaker`"
    )]
    ThreadEnds,
}
