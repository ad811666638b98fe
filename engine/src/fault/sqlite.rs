//! SQLite, by its result codes and messages.
//!
//! There is no server that could be lost. But a connection to what is no database, or to a damaged
//! one, is not worth keeping, and those to a file that was moved away are all at the wrong one.

use super::{ConnectFault, Fault, transient_if};

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const PROTOCOL: i32 = 15;
const NOTADB: i32 = 26;
const BUSY_RECOVERY: i32 = extended(BUSY, 1);
const BUSY_SNAPSHOT: i32 = extended(BUSY, 2);
const LOCKED_SHAREDCACHE: i32 = extended(LOCKED, 1);
const READONLY_DBMOVED: i32 = extended(8, 4);
const IOERR_BLOCKED: i32 = extended(IOERR, 11);
const IOERR_NOMEM: i32 = extended(IOERR, 12);
const IOERR_GETTEMPPATH: i32 = extended(IOERR, 25);
const CORRUPT_VTAB: i32 = extended(CORRUPT, 1);

const fn extended(primary: i32, number: i32) -> i32 {
    primary | number << 8
}

pub(crate) const fn primary(code: i32) -> i32 {
    code & 0xff
}

/// Whose fault the result code of a failed statement says it is. Extended codes tell more than
/// primary ones, and both are understood.
///
/// | code | fault |
/// |---|---|
/// | `NOTADB`, `CORRUPT…`, `IOERR…` | the connection's |
/// | `CORRUPT_VTAB` | the statement's: the content of one virtual table |
/// | `IOERR_BLOCKED`, `IOERR_NOMEM`, `IOERR_GETTEMPPATH` | the statement's: no memory, no place for what is temporary |
/// | `READONLY_DBMOVED` | the server's: every connection has the file that was moved away |
///
/// ```
/// use everpool_engine::fault::{Fault, sqlite::by_code};
///
/// assert_eq!(by_code(5), Fault::Statement);    // SQLITE_BUSY
/// assert_eq!(by_code(26), Fault::Connection);  // SQLITE_NOTADB
/// assert_eq!(by_code(1032), Fault::Server);    // SQLITE_READONLY_DBMOVED
/// ```
pub fn by_code(code: i32) -> Fault {
    match code {
        READONLY_DBMOVED => Fault::Server,
        CORRUPT_VTAB | IOERR_BLOCKED | IOERR_NOMEM | IOERR_GETTEMPPATH => Fault::Statement,
        _ if matches!(primary(code), NOTADB | CORRUPT | IOERR) => Fault::Connection,
        _ => Fault::Statement,
    }
}

/// Whose fault the message of a failed statement says it is. The messages are those of the primary
/// codes, so this knows less than [`by_code`]: not that a file was moved away.
///
/// ```
/// use everpool_engine::fault::{Fault, sqlite::by_message};
///
/// assert_eq!(by_message("database is locked"), Fault::Statement);
/// assert_eq!(by_message("file is not a database"), Fault::Connection);
/// ```
pub fn by_message(message: &str) -> Fault {
    match message {
        "file is not a database" | "database disk image is malformed" | "disk I/O error" => {
            Fault::Connection
        }
        _ => Fault::Statement,
    }
}

/// Whether the file may be opened soon, by the result code: another has it locked (`BUSY…`,
/// `LOCKED…`, `PROTOCOL`). One that cannot be opened will not be there a moment later.
///
/// ```
/// use everpool_engine::fault::{ConnectFault, sqlite::connect_by_code};
///
/// assert_eq!(connect_by_code(5), ConnectFault::Transient);    // SQLITE_BUSY
/// assert_eq!(connect_by_code(14), ConnectFault::Permanent);   // SQLITE_CANTOPEN
/// ```
pub fn connect_by_code(code: i32) -> ConnectFault {
    transient_if(matches!(primary(code), BUSY | LOCKED | PROTOCOL))
}

/// As [`connect_by_code`], by the message.
///
/// ```
/// use everpool_engine::fault::{ConnectFault, sqlite::connect_by_message};
///
/// assert_eq!(connect_by_message("database is locked"), ConnectFault::Transient);
/// assert_eq!(connect_by_message("unable to open database file"), ConnectFault::Permanent);
/// ```
pub fn connect_by_message(message: &str) -> ConnectFault {
    transient_if(matches!(
        message,
        "database is locked" | "database table is locked" | "locking protocol"
    ))
}

/// Whether the transaction may succeed if all of it is done once more, by the result code: another
/// wrote first (`BUSY`, `BUSY_SNAPSHOT`, `BUSY_RECOVERY`, `LOCKED_SHAREDCACHE`).
///
/// `BUSY` is among them because SQLite says it at once, without the busy timeout, to a transaction
/// that began to read and now wants to write: waiting would be a deadlock. `LOCKED` is not: it is a
/// conflict with another statement of the same connection.
///
/// ```
/// use everpool_engine::fault::sqlite::is_retryable;
///
/// assert!(is_retryable(517));  // SQLITE_BUSY_SNAPSHOT
/// assert!(!is_retryable(19));  // SQLITE_CONSTRAINT
/// ```
pub fn is_retryable(code: i32) -> bool {
    matches!(
        code,
        BUSY | BUSY_RECOVERY | BUSY_SNAPSHOT | LOCKED_SHAREDCACHE
    )
}

/// As [`is_retryable`], by the message.
///
/// ```
/// use everpool_engine::fault::sqlite::is_retryable_message;
///
/// assert!(is_retryable_message("database is locked"));
/// ```
pub fn is_retryable_message(message: &str) -> bool {
    message == "database is locked" || message.starts_with("database table is locked: ")
}
