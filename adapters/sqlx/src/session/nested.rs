use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use everpool_session::{
    future,
    stack::{LevelId, Method},
};

use super::{Session, SessionError};
use crate::driver::Driver;

/// A level of a session's transactions, rolled back if it is dropped: a savepoint, from
/// [`Session::begin_nested`].
///
/// A drop cannot wait, so that rollback is sent by the session's next method, before anything else, and its
/// error is that method's. The same holds if the future of [`commit`](Self::commit) or
/// [`rollback`](Self::rollback) is dropped.
///
/// It derefs to the session, on which statements run: `.execute(&mut *nested)`. If it is ended through the
/// session, by [`Session::rollback`] or another, statements fail until this is gone, because they would run
/// outside of the savepoint that the code shows.
#[must_use = "a savepoint that is dropped is rolled back at once"]
pub struct Nested<'a, DB: Driver> {
    session: &'a mut Session<DB>,
    level: LevelId,
    /// The scope around it.
    outer: Option<LevelId>,
    is_left: bool,
}

impl<'a, DB: Driver> Nested<'a, DB> {
    /// The scope of a level that was just begun.
    pub(super) fn enter(session: &'a mut Session<DB>, level: LevelId) -> Self {
        let outer = session.stack.enter(level);
        Self {
            session,
            level,
            outer,
            is_left: false,
        }
    }

    /// Whether it is still to be ended. Does not block.
    pub fn is_open(&self) -> bool {
        self.session.stack.is_open(self.level)
    }

    /// Keeps what was done in it, as part of what is around it. Waits if anything was sent in it.
    ///
    /// # Errors
    ///
    /// Those of [`Session::commit`]; then it is rolled back. That it was ended before.
    pub async fn commit(self) -> Result<(), SessionError> {
        self.end(Method::Commit).await
    }

    /// Undoes what was done in it. Waits if anything was sent in it. A lost connection is no error: what was
    /// done on it is undone.
    ///
    /// # Errors
    ///
    /// The database's; then the whole transaction must be rolled back. That it was ended before.
    pub async fn rollback(self) -> Result<(), SessionError> {
        self.end(Method::Rollback).await
    }

    async fn end(mut self, method: Method) -> Result<(), SessionError> {
        self.leave();
        future::end_level(self.session, self.level, method).await
    }

    fn leave(&mut self) {
        if !self.is_left {
            self.is_left = true;
            self.session.stack.leave(self.outer);
        }
    }
}

impl<DB: Driver> Drop for Nested<'_, DB> {
    fn drop(&mut self) {
        self.leave();
        self.session.stack.forsake(self.level);
    }
}

impl<DB: Driver> Deref for Nested<'_, DB> {
    type Target = Session<DB>;

    fn deref(&self) -> &Session<DB> {
        self.session
    }
}

impl<DB: Driver> DerefMut for Nested<'_, DB> {
    fn deref_mut(&mut self) -> &mut Session<DB> {
        self.session
    }
}

impl<DB: Driver> fmt::Debug for Nested<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nested")
            .field("session", &self.session)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
