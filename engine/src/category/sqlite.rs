//! SQLite, as Python's `sqlite3` has it: by the primary result code.

use super::Category;
use crate::fault::sqlite::primary;

/// The category of a result code, primary or extended. Where Python has a `MemoryError` (`NOMEM`),
/// this is operational.
///
/// ```
/// use everpool_engine::category::{Category, sqlite::by_code};
///
/// assert_eq!(by_code(2067), Category::Integrity);  // SQLITE_CONSTRAINT_UNIQUE
/// assert_eq!(by_code(5), Category::Operational);   // SQLITE_BUSY
/// ```
pub fn by_code(code: i32) -> Category {
    match primary(code) {
        // INTERNAL, NOTFOUND
        2 | 12 => Category::Internal,
        // ERROR, PERM, ABORT, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR; FULL, CANTOPEN,
        // PROTOCOL, EMPTY, SCHEMA
        1 | 3..=10 | 13..=17 => Category::Operational,
        // TOOBIG
        18 => Category::Data,
        // CONSTRAINT, MISMATCH
        19 | 20 => Category::Integrity,
        // MISUSE, RANGE
        21 | 25 => Category::Interface,
        // CORRUPT, NOTADB and what is new
        _ => Category::Database,
    }
}

/// The category by the message, where the driver hides the code. What is not known is operational:
/// most messages belong to `SQLITE_ERROR`.
///
/// ```
/// use everpool_engine::category::{Category, sqlite::by_message};
///
/// assert_eq!(by_message("UNIQUE constraint failed: users.id"), Category::Integrity);
/// assert_eq!(by_message("near \"SELEC\": syntax error"), Category::Operational);
/// ```
pub fn by_message(message: &str) -> Category {
    let (beginning, _) = message.split_once(':').unwrap_or((message, ""));
    match beginning {
        "file is not a database" | "database disk image is malformed" => Category::Database,
        "string or blob too big" => Category::Data,
        "datatype mismatch" | "constraint failed" => Category::Integrity,
        "bad parameter or other API misuse" | "column index out of range" => Category::Interface,
        _ if beginning.ends_with(" constraint failed") => Category::Integrity,
        _ => Category::Operational,
    }
}
