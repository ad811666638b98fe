use super::{
    super::{ConnectFault, Fault, transient_if},
    begins, by_code,
    message::DISCONNECTED,
};

const ACCEPTS_LATER: &[&str] = &[
    "Can't connect to server on",
    "Can't connect to MySQL server on",
    "Can't connect to local server through socket",
    "Can't connect to local MySQL server through socket",
    "Too many connections",
    "Can't create a new thread",
    "WSREP has not yet prepared node for application use",
];

const USER_LIMIT: &str = "'max_user_connections'";

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
    transient_if(
        begins(message, ACCEPTS_LATER)
            || begins(message, DISCONNECTED)
            || user_has_enough(message)
            || name_server_is_away(message),
    )
}

/// Whether the server may accept soon, by the number of a failed connect; `message` is looked at
/// where a number has more than one meaning.
///
/// Transient are: too many connections (1040, 1203, and 1226 for `max_user_connections`), no thread
/// or memory for one more (1037, 1041, 1135), a Galera node that is not ready (1047), no server there
/// (2002, 2003), no answer of the name server (2005), and what [`by_code`] has for a
/// server's fault. Never 1045 and 1049 (password, database), nor 1129 (the host is blocked).
///
/// ```
/// use everpool_engine::fault::{ConnectFault, mysql::connect_by_code};
///
/// assert_eq!(connect_by_code(1040, "Too many connections"), ConnectFault::Transient);
/// assert_eq!(connect_by_code(1049, "Unknown database 'nope'"), ConnectFault::Permanent);
/// ```
pub fn connect_by_code(code: u16, message: &str) -> ConnectFault {
    transient_if(match code {
        1037 | 1040 | 1041 | 1047 | 1135 | 1203 | 2002 | 2003 => true,
        1226 => message.contains(USER_LIMIT),
        2005 => name_server_is_away(message),
        _ => by_code(code) == Fault::Server,
    })
}

/// 1203 and 1226: one connection fewer of this user, and the server accepts again. The other limits
/// of 1226 are by the hour.
fn user_has_enough(message: &str) -> bool {
    message.starts_with("User ") && message.contains(USER_LIMIT)
}

/// The number is `getaddrinfo`'s `EAI_AGAIN` of Linux; a name that does not exist has another.
fn name_server_is_away(message: &str) -> bool {
    let unknown_host = ["Unknown server host '", "Unknown MySQL server host '"];
    begins(message, &unknown_host) && message.ends_with("(-3)")
}
