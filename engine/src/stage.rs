//! The words of a transaction in which a test plays: what begins it, and what its savepoint is for.
//!
//! The savepoint stands after what counts as committed. It is moved by a commit, before a transaction, before a
//! statement outside of one, and when the connection comes back; what is rolled back goes back to it.

use crate::{Backend, control, events::Event};

/// Puts the savepoint there.
pub const SET: &str = "SAVEPOINT everpool_test";

/// Counts what was done so far as committed.
pub const MARK: &str = "RELEASE SAVEPOINT everpool_test; SAVEPOINT everpool_test";

/// Undoes what does not count as committed. The savepoint stays.
pub const UNDO: &str = "ROLLBACK TO SAVEPOINT everpool_test";

/// Comes before the test on MySQL: a statement that commits by the way ends the transaction of the test, and
/// whatever comes after that must not be committed by itself.
pub const NO_AUTOCOMMIT: &str = "SET autocommit = 0";

/// Comes after it, when nothing is open.
pub const AUTOCOMMIT: &str = "SET autocommit = 1";

/// What begins the test.
///
/// ```
/// use everpool_engine::{Backend, stage};
///
/// assert_eq!(stage::begin(Backend::Postgresql, "BEGIN"), "BEGIN; SAVEPOINT everpool_test");
/// ```
pub fn begin(backend: Backend, begin: &str) -> String {
    match backend {
        Backend::Mysql => format!("{NO_AUTOCOMMIT}; {begin}; {SET}"),
        Backend::Postgresql | Backend::Sqlite => format!("{begin}; {SET}"),
    }
}

/// What ends it, with everything that was done.
pub fn end(backend: Backend) -> &'static str {
    match backend {
        Backend::Mysql => "ROLLBACK AND NO CHAIN NO RELEASE; SET autocommit = 1",
        Backend::Postgresql | Backend::Sqlite => "ROLLBACK",
    }
}

/// What is sent in the place of a transaction manager's COMMIT or ROLLBACK; `None` of anything else.
pub fn wording(statement: &str) -> Option<&'static str> {
    match control::event(statement)? {
        Event::Commit => Some(MARK),
        Event::Rollback => Some(UNDO),
        _ => None,
    }
}

/// What was to be undone with the test is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// There is no connection, and no other one takes its place.
    #[error(
        "the connection of this test transaction is gone, and what was done in it is rolled back; begin another \
         one"
    )]
    Gone,
    /// A COMMIT in the program's own words, or a statement that commits by the way.
    #[error(
        "a statement has ended this test transaction, and may have committed what was done in it: one that \
         commits by the way, as CREATE TABLE does on MySQL, or COMMIT or ROLLBACK on the driver's own connection"
    )]
    Ended,
    /// It ends without the connection.
    #[error(
        "a two-phase transaction cannot be rolled back with a test transaction; test it on an engine of its own"
    )]
    Twophase,
    /// It would be opened past the test.
    #[error(
        "SQLx's own transaction that owns its connection has one that is not in this test transaction; call \
         Engine::begin() instead"
    )]
    Elsewhere,
    /// There is a test transaction around it.
    #[error(
        "this engine is that of a test transaction; begin another one on the engine that this was made from"
    )]
    Nested,
}
