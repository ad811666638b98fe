use super::super::Fault;

/// What a server's report says of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// `ERROR`: the session goes on.
    Error,
    /// `FATAL` or `PANIC`: the session ends.
    Fatal,
}

/// Whose fault a server's report is, by its severity and SQLSTATE.
///
/// The severity decides whether the connection is gone; the protocol has it so. An `ERROR` of class
/// 08 is about another server that this one speaks to (`postgres_fdw`, `dblink`), or about a wrong
/// number of bind values (08P01), and costs nothing. SQLSTATE then tells whether others are suspect:
/// see [`by_sqlstate`]. What ends this session for a reason that is not known there is the
/// connection's fault.
///
/// ```
/// use everpool_engine::fault::{Fault, postgresql::{Severity, by_severity}};
///
/// assert_eq!(by_severity(Severity::Fatal, "57P01"), Fault::Server);
/// assert_eq!(by_severity(Severity::Fatal, "25P03"), Fault::Connection);
/// assert_eq!(by_severity(Severity::Error, "08006"), Fault::Statement);
/// ```
pub fn by_severity(severity: Severity, sqlstate: &str) -> Fault {
    match severity {
        Severity::Error => Fault::Statement,
        // PgBouncer has one code for all that it says.
        Severity::Fatal if sqlstate == "08P01" => Fault::Server,
        Severity::Fatal => by_sqlstate(sqlstate).max(Fault::Connection),
    }
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
