use std::{error::Error, future::Future};

/// A session whose transaction ends with its request. The adapters' sessions are.
pub trait EndsWithRequest: Send + Sized + 'static {
    /// Why it was not committed.
    type Error: Error + Send + Sync + 'static;

    /// Commits it, if anything was begun. Called when the handler has succeeded. Once it has begun it goes on,
    /// whoever waits for it: what listeners are to do after a commit is done.
    ///
    /// # Errors
    ///
    /// The session's.
    fn end_committed(self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Rolls it back, if anything was begun. Called when the handler has failed.
    ///
    /// # Errors
    ///
    /// The session's; the connection is closed then, and the transaction with it.
    fn end_rolled_back(self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Rolls it back, where nobody waits for that: the handler has panicked, or the client hung up. Does not
    /// block.
    fn abandon(self);
}
