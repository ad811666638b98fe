//! PostgreSQL, by the messages of libpq and of the server.
//!
//! The disconnects are those that SQLAlchemy lists for psycopg2. The server translates its messages
//! (`lc_messages`), libpq does not unless the program calls `setlocale`.

use super::{ConnectFault, Fault};

/// The server ends this session alone, for what was done on it: SQLSTATE 25P03 and 25P04. An idle-session
/// timeout (57P05) is not among them: the others in the pool have rested too.
const SESSION_ENDED: &[&str] = &[
    "terminating connection due to transaction timeout",
    "terminating connection due to idle-in-transaction timeout",
];

const DISCONNECTED: &[&str] = &[
    "terminating connection",
    "closed the connection",
    "connection not open",
    "no connection to the server",
    "could not receive data from server",
    "could not send data to server",
    "connection has been closed unexpectedly",
    "lost synchronization with server",
    "SSL error:",
    "SSL SYSCALL error:",
    "server conn crashed",
];

/// Whose fault the message of a failed statement says it is.
///
/// ```
/// use everpool_engine::fault::{Fault, postgresql::by_message};
///
/// assert_eq!(by_message("server closed the connection unexpectedly\n\tThis"), Fault::Server);
/// assert_eq!(by_message("relation \"closed the connection\" does not exist"), Fault::Statement);
/// ```
pub fn by_message(message: &str) -> Fault {
    // Only the first line, and only what stands before a quotation: after it, it may be the
    // statement's own words.
    let words = message
        .lines()
        .next()
        .unwrap_or("")
        .split('"')
        .next()
        .unwrap_or("");
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(SESSION_ENDED) {
        Fault::Connection
    } else if says(DISCONNECTED) {
        Fault::Server
    } else {
        Fault::Statement
    }
}

const ACCEPTS_LATER: &[&str] = &[
    "Connection refused",
    "No such file or directory",
    "Connection reset by peer",
    "Connection timed out",
    "Resource temporarily unavailable",
    "No route to host",
    "Network is unreachable",
    "Network is down",
    "Host is down",
    "Broken pipe",
    "could not send startup packet",
    "SSL SYSCALL error",
    "SSL connection has been closed unexpectedly",
    "session is read-only",
    "session is not read-only",
    "server is in hot standby mode",
    "the database system is not accepting connections",
    "Temporary failure in name resolution",
    "timeout expired",
    "server closed the connection unexpectedly",
    "could not receive data from server",
    "could not send data to server",
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "sorry, too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "terminating connection",
];

/// Whether the server may accept soon, by the message of a failed connect. What is not known is
/// permanent, because then the caller is told at once.
///
/// ```
/// use everpool_engine::fault::{ConnectFault, postgresql::connect_by_message};
///
/// let refused = "connection to server at \"::1\", port 5432 failed: Connection refused\n";
/// assert_eq!(connect_by_message(refused), ConnectFault::Transient);
/// let password = "… failed: FATAL:  password authentication failed for user \"scott\"\n";
/// assert_eq!(connect_by_message(password), ConnectFault::Permanent);
/// ```
pub fn connect_by_message(message: &str) -> ConnectFault {
    if ACCEPTS_LATER.iter().any(|phrase| message.contains(phrase)) {
        ConnectFault::Transient
    } else {
        ConnectFault::Permanent
    }
}
