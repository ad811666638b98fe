use super::{super::Fault, begins};

/// The server hangs up on this connection alone, or the client is out of step with it: 1153, 2014,
/// 2027.
const SESSION_ENDED: &[&str] = &[
    "Got a packet bigger than 'max_allowed_packet'",
    "Commands out of sync",
    "Malformed packet",
    "Received malformed packet",
];

pub(super) const DISCONNECTED: &[&str] = &[
    "Server has gone away",
    "MySQL server has gone away",
    "Lost connection to server",
    "Lost connection to MySQL server",
    "Lost connection to backend server",
    "Connection was killed",
    "Connection killed by MaxScale",
    "The session was killed",
    "The client was disconnected by the server because of inactivity",
    "Server shutdown in progress",
    "The server is currently in offline mode",
    "Aborted connection ",
    "Got an error reading communication packets",
    "Got timeout reading communication packets",
    "Got an error writing communication packets",
    "Got timeout writing communication packets",
];

/// Whose fault the message of a failed statement says it is. After a `KILL` the client library says
/// no more than that the server has gone away, so that this is the server's as well.
///
/// ```
/// use everpool_engine::fault::{Fault, mysql::by_message};
///
/// assert_eq!(by_message("Server has gone away"), Fault::Server);
/// assert_eq!(by_message("Got a packet bigger than 'max_allowed_packet' bytes"), Fault::Connection);
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
