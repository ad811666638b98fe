//! MySQL and MariaDB, by the messages of their client libraries and servers.
//!
//! The client libraries' texts are fixed English; libmariadb says "server" where libmysqlclient says
//! "MySQL server". A server quotes the statement in its messages, so that a phrase counts only where
//! the message begins.

use super::{ConnectFault, Fault};

/// The server hung up on this session alone: it was killed (1927, 3169), or it sent a packet that
/// was too big (1153).
const SESSION_ENDED: &[&str] = &[
    "Connection was killed",
    "The session was killed",
    "Got a packet bigger than 'max_allowed_packet'",
];

const DISCONNECTED: &[&str] = &[
    "Server has gone away",
    "MySQL server has gone away",
    "Lost connection to server",
    "Lost connection to MySQL server",
    "The client was disconnected by the server because of inactivity",
    "Server shutdown in progress",
    "The server is currently in offline mode",
];

/// Whose fault the message of a failed statement says it is. After a `KILL` the client library says
/// no more than that the server has gone away, so that this is the server's as well.
///
/// ```
/// use everpool_engine::fault::{Fault, mysql::by_message};
///
/// assert_eq!(by_message("Server has gone away"), Fault::Server);
/// assert_eq!(by_message("Connection was killed"), Fault::Connection);
/// assert_eq!(by_message("Table 'app.Server has gone away' doesn't exist"), Fault::Statement);
/// ```
pub fn by_message(message: &str) -> Fault {
    if begins(message, SESSION_ENDED) {
        Fault::Connection
    } else if begins(message, DISCONNECTED) {
        Fault::Server
    } else {
        Fault::Statement
    }
}

const ACCEPTS_LATER: &[&str] = &[
    "Can't connect to server on",
    "Can't connect to MySQL server on",
    "Can't connect to local server through socket",
    "Can't connect to local MySQL server through socket",
    "Too many connections",
    "Can't create a new thread",
    "Connection was killed",
];

/// Whether the server may accept soon, by the message of a failed connect. What is not known is
/// permanent, because then the caller is told at once.
///
/// ```
/// use everpool_engine::fault::{ConnectFault, mysql::connect_by_message};
///
/// let refused = "Can't connect to server on '127.0.0.1' (115)";
/// assert_eq!(connect_by_message(refused), ConnectFault::Transient);
/// let password = "Access denied for user 'scott'@'127.0.0.1' (using password: YES)";
/// assert_eq!(connect_by_message(password), ConnectFault::Permanent);
/// ```
pub fn connect_by_message(message: &str) -> ConnectFault {
    let accepts_later = begins(message, ACCEPTS_LATER)
        || begins(message, DISCONNECTED)
        || user_has_enough(message)
        || name_server_is_away(message);
    if accepts_later {
        ConnectFault::Transient
    } else {
        ConnectFault::Permanent
    }
}

/// 1203 and 1226: one connection fewer of this user, and the server accepts again. The other limits
/// of 1226 are by the hour.
fn user_has_enough(message: &str) -> bool {
    message.starts_with("User ")
        && (message.contains("already has more than 'max_user_connections' active connections")
            || message.contains("has exceeded the 'max_user_connections' resource"))
}

/// The number is `getaddrinfo`'s `EAI_AGAIN` of Linux; a name that does not exist has another.
fn name_server_is_away(message: &str) -> bool {
    begins(
        message,
        &["Unknown server host '", "Unknown MySQL server host '"],
    ) && message.ends_with("(-3)")
}

fn begins(message: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| message.starts_with(phrase))
}
