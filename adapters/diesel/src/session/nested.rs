use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
};

use everpool_session::{
    blocking,
    stack::{LevelId, Method},
};

use super::{Session, SessionError};
use crate::driver::Driver;

/// A level of a session's transactions, rolled back if it is dropped: a savepoint, from
/// [`Session::begin_nested`].
///
/// It derefs to the session, on which statements run: `.execute(&mut *nested)`. If it is ended through the
/// session, by [`Session::rollback`] or another, statements fail until this is gone, because they would run
/// outside of the savepoint that the code shows.
#[must_use = "a savepoint that is dropped is rolled back at once"]
pub struct Nested<'a, C: Driver> {
    session: &'a mut Session<C>,
    level: LevelId,
    /// The scope around it.
    outer: Option<LevelId>,
    is_over: bool,
}

impl<'a, C: Driver> Nested<'a, C> {
    /// The scope of a level that was just begun.
    pub(super) fn enter(session: &'a mut Session<C>, level: LevelId) -> Self {
        let outer = session.stack.enter(level);
        Self {
            session,
            level,
            outer,
            is_over: false,
        }
    }

    /// Whether it is still to be ended. Does not block.
    pub fn is_open(&self) -> bool {
        self.session.stack.is_open(self.level)
    }

    /// Keeps what was done in it, as part of what is around it. Blocks if anything was sent in it.
    ///
    /// # Errors
    ///
    /// Those of [`Session::commit`]; then it is rolled back. That it was ended before.
    pub fn commit(self) -> Result<(), SessionError> {
        self.end(Method::Commit)
    }

    /// Undoes what was done in it. Blocks if anything was sent in it. A lost connection is no error: what was
    /// done on it is undone.
    ///
    /// # Errors
    ///
    /// The database's; then the whole transaction must be rolled back. That it was ended before.
    pub fn rollback(self) -> Result<(), SessionError> {
        self.end(Method::Rollback)
    }

    fn end(mut self, method: Method) -> Result<(), SessionError> {
        self.leave();
        blocking::end_level(self.session, self.level, method)
    }

    fn leave(&mut self) {
        self.is_over = true;
        self.session.stack.leave(self.outer);
    }

    /// Nobody can be told of an error, and nothing may panic.
    fn abandon(&mut self) {
        let rollback = || blocking::end_level(self.session, self.level, Method::Rollback);
        let rolled_back = catch_unwind(AssertUnwindSafe(rollback));
        if !matches!(rolled_back, Ok(Ok(()))) {
            self.session.connection.invalidate();
        }
    }
}

impl<C: Driver> Drop for Nested<'_, C> {
    fn drop(&mut self) {
        if self.is_over {
            // Its end was begun, and a listener panicked: the session's next method rolls it back.
            return self.session.stack.forsake(self.level);
        }
        self.leave();
        if self.is_open() {
            self.abandon();
        }
    }
}

impl<C: Driver> Deref for Nested<'_, C> {
    type Target = Session<C>;

    fn deref(&self) -> &Session<C> {
        self.session
    }
}

impl<C: Driver> DerefMut for Nested<'_, C> {
    fn deref_mut(&mut self) -> &mut Session<C> {
        self.session
    }
}

impl<C: Driver> fmt::Debug for Nested<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nested")
            .field("session", &self.session)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
