//! The statements that end a transaction. What begins one is `BEGIN` on every database.

use crate::Backend;

/// What keeps it. On MySQL a plain COMMIT would begin another or hang up, if `completion_type` says
/// so.
///
/// ```
/// use everpool_engine::{Backend, transaction};
///
/// assert_eq!(transaction::commit(Backend::Mysql), "COMMIT AND NO CHAIN NO RELEASE");
/// ```
pub const fn commit(backend: Backend) -> &'static str {
    match backend {
        Backend::Mysql => "COMMIT AND NO CHAIN NO RELEASE",
        Backend::Postgresql | Backend::Sqlite => "COMMIT",
    }
}

/// What takes it back. On MySQL as with [`commit`].
///
/// ```
/// use everpool_engine::{Backend, transaction};
///
/// assert_eq!(transaction::rollback(Backend::Mysql), "ROLLBACK AND NO CHAIN NO RELEASE");
/// ```
pub const fn rollback(backend: Backend) -> &'static str {
    match backend {
        Backend::Mysql => "ROLLBACK AND NO CHAIN NO RELEASE",
        Backend::Postgresql | Backend::Sqlite => "ROLLBACK",
    }
}
