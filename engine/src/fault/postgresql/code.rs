use super::{super::Fault, by_message};

/// What a server's report says of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `ERROR`: the session goes on.
    Error,
    /// `FATAL` or `PANIC`: the session ends.
    Fatal,
}

/// Whose fault a server's report is.
///
/// The severity decides whether the connection is gone; the protocol has it so. An `ERROR` of class
/// 08 is about another server that this one speaks to (`postgres_fdw`, `dblink`), or about a wrong
/// number of bind values (08P01), and costs nothing. SQLSTATE then tells whether others are suspect
/// (see [`by_sqlstate`]); a pooler has one SQLSTATE for all that it says, and there the message does.
/// What ends this session for a reason that is not known is the connection's fault.
///
/// ```
/// use everpool_engine::fault::{Fault, postgresql::{Severity, by_report}};
///
/// let message = "terminating connection due to administrator command";
/// assert_eq!(by_report(Severity::Fatal, "57P01", message), Fault::Server);
/// assert_eq!(by_report(Severity::Fatal, "08P01", "query_wait_timeout"), Fault::Connection);
/// let message = "could not connect to server \"other\"";
/// assert_eq!(by_report(Severity::Error, "08001", message), Fault::Statement);
/// ```
pub fn by_report(severity: Severity, sqlstate: &str, message: &str) -> Fault {
    match severity {
        Severity::Error => Fault::Statement,
        Severity::Fatal if is_poolers(sqlstate) => by_message(message).max(Fault::Connection),
        Severity::Fatal => by_sqlstate(sqlstate).max(Fault::Connection),
    }
}

/// PgBouncer's for everything; Supavisor's.
pub(super) fn is_poolers(sqlstate: &str) -> bool {
    matches!(sqlstate, "08P01" | "XX000")
}

/// Whose fault an error is by its SQLSTATE alone, for a driver that hides the severity.
///
/// | SQLSTATE | fault |
/// |---|---|
/// | 08000, 08003, 08006 | the server's. It may be about another server (`postgres_fdw`): then a good connection is replaced, which is better than a dead one kept |
/// | 08001, 08004, 08007, 08P01 | the statement's: on an open connection the first three are about another server, the last about a wrong number of bind values |
/// | 57P01, 57P02, 57P03, 57P04 | the server's: shut down, crashed, starting, its database dropped |
/// | 57P05 | the server's: where this connection rested too long, the others have too |
/// | 25P03, 25P04 | the connection's: the timeouts of its own transaction |
///
/// ```
/// use everpool_engine::fault::{Fault, postgresql::by_sqlstate};
///
/// assert_eq!(by_sqlstate("57P01"), Fault::Server);
/// assert_eq!(by_sqlstate("23505"), Fault::Statement);
/// ```
pub fn by_sqlstate(sqlstate: &str) -> Fault {
    match sqlstate {
        "08000" | "08003" | "08006" => Fault::Server,
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => Fault::Server,
        "25P03" | "25P04" => Fault::Connection,
        _ => Fault::Statement,
    }
}
