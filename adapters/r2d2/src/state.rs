use std::fmt;

use everpool_core::Status;

/// How many connections a pool has at one moment.
#[non_exhaustive]
pub struct State {
    /// Connections that are open, whoever has them.
    pub connections: u32,
    /// Those of them that nobody has.
    pub idle_connections: u32,
}

impl From<Status> for State {
    fn from(status: Status) -> Self {
        let count = |connections: usize| u32::try_from(connections).unwrap_or(u32::MAX);
        let in_use = status.checked_out + status.checking + status.resetting;
        Self {
            connections: count(status.idle + in_use),
            idle_connections: count(status.idle),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("connections", &self.connections)
            .field("idle_connections", &self.idle_connections)
            .finish()
    }
}
