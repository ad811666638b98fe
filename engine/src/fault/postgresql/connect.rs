use super::{
    super::{ConnectFault, transient_if},
    code::is_poolers,
    unquoted,
};

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

/// PgBouncer's words, and those of Odyssey and Supavisor.
const POOLER_ACCEPTS_LATER: &[&str] = &[
    "client_login_timeout",
    "client connections exceeded",
    "no more connections allowed",
    "pgbouncer cannot connect to server",
    "pooler is shutting down",
    "query_wait_timeout",
    "server conn crashed",
    "server login has been failing",
    "server shutting down",
    "remote server read/write error",
    "Max client connections reached",
    "max client connections reached",
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
    let words = unquoted(message);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    transient_if(says(ACCEPTS_LATER) || says(POOLER_ACCEPTS_LATER))
}

/// Whether the server may accept soon, by the SQLSTATE of a failed connect: 08000, 08001, 08003 and
/// 08006 (a connection that did not come about, or broke off), 57P01, 57P02 and 57P03 (going down,
/// crashed, starting up), 53300 (too many connections) and 53200 (out of memory). A pooler has one
/// SQLSTATE for all that it says, a wrong password too; there the message tells.
///
/// ```
/// use everpool_engine::fault::{ConnectFault, postgresql::connect_by_sqlstate};
///
/// let starting = "the database system is starting up";
/// assert_eq!(connect_by_sqlstate("57P03", starting), ConnectFault::Transient);
/// let password = "password authentication failed for user \"scott\"";
/// assert_eq!(connect_by_sqlstate("28P01", password), ConnectFault::Permanent);
/// ```
pub fn connect_by_sqlstate(sqlstate: &str, message: &str) -> ConnectFault {
    match sqlstate {
        "08000" | "08001" | "08003" | "08006" => ConnectFault::Transient,
        "53200" | "53300" | "57P01" | "57P02" | "57P03" => ConnectFault::Transient,
        _ if is_poolers(sqlstate) => connect_by_message(message),
        _ => ConnectFault::Permanent,
    }
}
