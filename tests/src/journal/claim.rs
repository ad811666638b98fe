//! What a worker says of a transaction, and a row that the database has.

use super::Failure;

/// What a worker was told of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// COMMIT was answered.
    Acknowledged,
    /// COMMIT was not sent, or refused.
    RolledBack,
    /// Nobody knows: the answer to COMMIT was lost, or not waited for.
    Unknown,
}

/// A transaction of a worker's, with its parts from 0 on that were to stay: a row each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) worker: u32,
    pub(super) number: u32,
    pub(super) kept: u32,
    pub(super) word: Word,
}

impl Claim {
    pub(super) fn row(&self, part: u32) -> Row {
        Row {
            worker: self.worker,
            number: self.number,
            part,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) worker: u32,
    pub(super) number: u32,
    pub(super) part: u32,
}

impl Row {
    /// From three numbers with blanks between them.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let numbers: Result<Vec<u32>, _> = text.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[worker, number, part]) => Ok(Row {
                worker,
                number,
                part,
            }),
            _ => Err(format!("this is no row of the journal: {text}").into()),
        }
    }
}
