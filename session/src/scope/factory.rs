use std::error::Error;

/// Makes sessions: an adapter's `SessionMaker`.
pub trait SessionFactory {
    /// Dropped, it is rolled back, and its connection returns to the pool. That must not panic.
    type Session: Send + 'static;
    /// The driver's.
    type Error: Error + 'static;

    /// A session that has begun nothing. Does not block.
    #[track_caller]
    fn make(&self) -> Self::Session;
}
