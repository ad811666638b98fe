//! What the connections of a pool are for. SQLite has one writer at a time, so with `sqlite_readers` an
//! engine has two pools.

/// What the connections of a pool are for.
///
/// ```
/// use everpool_engine::Role;
///
/// assert_eq!(Role::Writer.wording("BEGIN"), "BEGIN IMMEDIATE");
/// assert_eq!(Role::Writer.wording("COMMIT"), "COMMIT");
/// assert_eq!(Role::Reader.wording("BEGIN"), "BEGIN");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Whatever the program does.
    #[default]
    Any,
    /// Writing; no other connection of the engine does.
    Writer,
    /// Reading. Its connections are [read-only](crate::isolation::Characteristics::permanent).
    Reader,
}

impl Role {
    /// A statement as it is sent. A writer's `BEGIN` takes SQLite's lock at once, and waits for it if
    /// another process has it. A transaction that asks for the lock only after it has read is refused
    /// if anybody has written since, and waiting would not help it.
    pub fn wording(self, query: &str) -> &str {
        match self {
            Self::Writer if query == "BEGIN" => "BEGIN IMMEDIATE",
            _ => query,
        }
    }

    /// Whether the file must have the journal mode WAL before a connection is used; see
    /// [`wal`](crate::wal). Each connection sees to it, so that the first does.
    pub fn needs_wal(self) -> bool {
        self != Self::Any
    }
}
