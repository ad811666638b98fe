//! What a text does to the transaction on a connection.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// What is open stays open or ends, and nothing is begun.
    Keeps,
    /// If it succeeds, a transaction is open after it in which nothing has failed.
    Begins,
    /// A transaction may be open after it.
    Opens,
    /// If it succeeds, nothing is open after it.
    Ends,
    /// The same, unless the connection was told that the end of a transaction begins the next.
    EndsUnlessChained,
    /// If it succeeds, what failed since a savepoint is undone.
    Returns,
    /// It is not known what it does, nor what the words mean that follow it.
    Obscures,
}

impl Effect {
    /// Of one text and then another. An end among several is not relied upon.
    pub(super) fn and_then(self, second: Self) -> Self {
        let is_any = |effect| self == effect || second == effect;
        let is_either = |effects: &[Self]| effects.iter().any(|effect| is_any(*effect));
        if is_any(Self::Obscures) {
            Self::Obscures
        } else if is_either(&[Self::Begins, Self::Opens, Self::EndsUnlessChained]) {
            Self::Opens
        } else if is_any(Self::Returns) {
            Self::Returns
        } else {
            Self::Keeps
        }
    }
}
