use std::fmt;

/// A savepoint of one connection, with the statements that set, release and roll back to it. They are
/// the same on every database.
///
/// ```
/// use everpool_engine::Savepoints;
///
/// let mut savepoints = Savepoints::default();
/// let first = savepoints.begin();
/// assert_eq!(first.begin(), "SAVEPOINT ep_savepoint_1");
/// assert_eq!(first.release(), "RELEASE SAVEPOINT ep_savepoint_1");
/// let second = savepoints.begin();
/// assert_eq!(second.rollback(), "ROLLBACK TO SAVEPOINT ep_savepoint_2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Savepoint(u64);

impl Savepoint {
    /// What sets it.
    pub fn begin(self) -> String {
        format!("SAVEPOINT {self}")
    }

    /// What ends it and keeps what was done since.
    pub fn release(self) -> String {
        format!("RELEASE SAVEPOINT {self}")
    }

    /// What takes back all that was done since. The savepoint stays.
    pub fn rollback(self) -> String {
        format!("ROLLBACK TO SAVEPOINT {self}")
    }
}

impl fmt::Display for Savepoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ep_savepoint_{}", self.0)
    }
}

/// Numbers the savepoints of one connection, from 1, never one twice.
#[derive(Clone, Debug, Default)]
pub struct Savepoints {
    begun: u64,
}

impl Savepoints {
    /// The next one.
    pub fn begin(&mut self) -> Savepoint {
        self.begun += 1;
        Savepoint(self.begun)
    }
}
