use super::{super::Fault, opening};

/// The server ends this session alone, for what was done on it: SQLSTATE 25P03, 25P04 and 40001. An
/// idle-session timeout (57P05) is not among them: the others in the pool have rested too.
const SESSION_ENDED: &[&str] = &[
    "terminating connection due to transaction timeout",
    "terminating connection due to idle-in-transaction timeout",
    "terminating connection due to conflict with recovery",
];

/// All that PgBouncer says when it ends one client's connection.
const CLIENT_ENDED: &[&str] = &[
    "query_timeout",
    "query_wait_timeout",
    "idle transaction timeout",
    "transaction timeout",
    "transaction blocks not allowed in statement pooling mode",
    "admin forced disconnect",
];

/// SQLAlchemy's list for psycopg2, as far as the texts are libpq's or the server's; then Odyssey's.
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
    "server login has been failing",
    "remote server read/write error",
];

/// All that PgBouncer says when it, or its server, is away for every client.
const POOLER_ENDED: &[&str] = &[
    "client_idle_timeout",
    "close_needed",
    "connect string changed",
    "database configuration changed",
    "database removed",
    "pause failed",
    "pgbouncer cannot connect to server",
    "pooler is shutting down",
    "server idle timeout",
    "server lifetime over",
    "server shutting down",
    "suspend_timeout",
];

/// Whose fault the message of a failed statement says it is. Only its first line counts, up to the
/// first quotation. A text that a program raises itself (`RAISE EXCEPTION`) is not told from the
/// server's own; a code is better where there is one.
///
/// ```
/// use everpool_engine::fault::{Fault, postgresql::by_message};
///
/// assert_eq!(by_message("server closed the connection unexpectedly\n\tThis"), Fault::Server);
/// assert_eq!(by_message("relation \"closed the connection\" does not exist"), Fault::Statement);
/// ```
pub fn by_message(message: &str) -> Fault {
    let words = opening(message);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(SESSION_ENDED) || CLIENT_ENDED.contains(&words) {
        Fault::Connection
    } else if says(DISCONNECTED) || POOLER_ENDED.contains(&words) {
        Fault::Server
    } else {
        Fault::Statement
    }
}
