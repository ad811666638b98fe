/// One level of a session's transactions: the transaction itself, or a savepoint in it. What listeners
/// are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionTransaction {
    pub(super) id: u64,
    pub(super) depth: usize,
    pub(super) origin: Origin,
}

impl SessionTransaction {
    /// Whether it is a savepoint.
    pub fn is_nested(&self) -> bool {
        self.depth > 0
    }

    /// In how many others it is; 0 for the transaction itself.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// What it was begun by.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its number: no other of this session has it.
    pub fn id(&self) -> u64 {
        self.id
    }
}

/// What a level was begun by: SQLAlchemy's `SessionTransactionOrigin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The first statement, or a commit of nothing.
    Autobegin,
    /// The program, or a savepoint that needs a transaction.
    Begin,
    /// The program, as a savepoint.
    BeginNested,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) transaction: SessionTransaction,
    /// Listeners know of it.
    pub(super) is_announced: bool,
    /// Listeners know that it was begun on the database.
    pub(super) is_begin_told: bool,
}
