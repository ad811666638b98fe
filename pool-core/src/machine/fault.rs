/// Whose fault an error on an open connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The caller's: the connection is as good as before.
    Statement,
    /// This connection's: it is gone, the others are not suspect.
    Connection,
    /// The server's: every connection of this generation is suspect.
    Server,
}

impl Fault {
    /// Whether the connection is gone (SQLAlchemy's `is_disconnect`).
    pub const fn is_disconnect(self) -> bool {
        matches!(self, Self::Connection | Self::Server)
    }
}

/// What a failed attempt to open a connection says about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFault {
    /// The server may accept soon: refused, starting up, too many connections, timed out.
    Transient,
    /// Trying again changes nothing: wrong password, unknown database, bad option.
    Permanent,
}

/// What a user left behind on a connection, as far as it can be known without I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residue {
    /// Proved: no transaction is open.
    Clean,
    /// Nobody knows.
    Unknown,
    /// A transaction is open.
    Open,
    /// The connection is lost, or was abandoned in the middle of an operation.
    Broken,
}
