//! SQLite, by its messages.

use super::Fault;

/// Whose fault the message of a failed statement says it is. There is no server that could be lost;
/// but a connection to what is no database (`SQLITE_NOTADB`), or to a damaged one
/// (`SQLITE_CORRUPT`), is not worth keeping.
///
/// ```
/// use everpool_engine::fault::{Fault, sqlite::by_message};
///
/// assert_eq!(by_message("database is locked"), Fault::Statement);
/// assert_eq!(by_message("file is not a database"), Fault::Connection);
/// ```
pub fn by_message(message: &str) -> Fault {
    match message {
        "file is not a database" | "database disk image is malformed" => Fault::Connection,
        _ => Fault::Statement,
    }
}
