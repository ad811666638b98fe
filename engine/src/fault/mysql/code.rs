use super::super::Fault;

/// Whose fault the number of an error says it is.
///
/// | number | fault |
/// |---|---|
/// | 1053, 1077, 1079, 1080, 3032, 3168 | the server's: it goes down, or takes nobody |
/// | 1152, 1154, 1158 to 1161, 1184 | the server's: its end of the connection broke off |
/// | 1927, 3169 | the server's: killed; MaxScale says 1927 when its server is lost |
/// | 4031 | the server's: where this connection rested too long, the others have too |
/// | 2006, 2013, 2045, 2055 | the server's, as the client library tells it |
/// | 1153, 1155, 1156, 1157 | the connection's: a packet was too big, out of order or damaged, and the server hangs up |
/// | 2014, 2026, 2027 | the connection's: client and server are out of step |
///
/// A `KILL` of one connection cannot be told from the end of the server: MySQL itself says 1053 to
/// both. On MariaDB, 4031 is a missing trigger in `CREATE TRIGGER … FOLLOWS`; it is taken for a
/// disconnect, as SQLAlchemy has it.
///
/// ```
/// use everpool_engine::fault::{Fault, mysql::by_code};
///
/// assert_eq!(by_code(2013), Fault::Server);
/// assert_eq!(by_code(1153), Fault::Connection);
/// assert_eq!(by_code(1213), Fault::Statement);
/// ```
pub fn by_code(code: u16) -> Fault {
    match code {
        1053 | 1077 | 1079 | 1080 | 3032 | 3168 => Fault::Server,
        1152 | 1154 | 1158..=1161 | 1184 => Fault::Server,
        1927 | 3169 | 4031 => Fault::Server,
        2006 | 2013 | 2045 | 2055 => Fault::Server,
        1153 | 1155..=1157 => Fault::Connection,
        2014 | 2026 | 2027 => Fault::Connection,
        _ => Fault::Statement,
    }
}
