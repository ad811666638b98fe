//! Which transaction it was, and what became of it.

use std::fmt;

/// A transaction of a PostgreSQL server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionId {
    /// It has written nothing, so it has no number, and no commit to be unsure of.
    Unassigned,
    /// Its number, with the epoch.
    Assigned(u64),
}

impl TransactionId {
    /// The query for the number of the transaction that it is sent in: a number, or NULL. PostgreSQL's,
    /// from version 10 on.
    pub const QUERY: &str = "SELECT txid_current_if_assigned() AS transaction_id";
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unassigned => f.write_str("a transaction that has written nothing"),
            Self::Assigned(number) => write!(f, "transaction {number}"),
        }
    }
}

/// What became of a transaction, as the server says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is committed.
    Committed,
    /// It is rolled back.
    Aborted,
    /// The server has not noticed yet that its client is gone, or is at COMMIT. Ask again.
    InProgress,
    /// It had written nothing, so nothing depends on it.
    WroteNothing,
    /// It was so long ago that the server has forgotten.
    Forgotten,
}

impl Outcome {
    /// The query for the outcome of the transaction of this number: a text, or NULL.
    pub fn query(number: u64) -> String {
        format!("SELECT txid_status({number}) AS status")
    }

    /// What the server's answer means; `None` if it is a word that it has learned since.
    ///
    /// ```
    /// use everpool_session::Outcome;
    ///
    /// assert_eq!(Outcome::from_answer(Some("in progress")), Some(Outcome::InProgress));
    /// assert_eq!(Outcome::from_answer(None), Some(Outcome::Forgotten));
    /// ```
    pub fn from_answer(answer: Option<&str>) -> Option<Self> {
        match answer {
            Some("committed") => Some(Self::Committed),
            Some("aborted") => Some(Self::Aborted),
            Some("in progress") => Some(Self::InProgress),
            Some(_) => None,
            None => Some(Self::Forgotten),
        }
    }
}
