//! What a worker does in one transaction, drawn by lot.

use std::ops::Range;
use std::time::Duration;

use fastrand::Rng;

use super::claim::{Claim, Word};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) worker: u32,
    pub(super) number: u32,
    /// How many rows shall stay.
    pub(super) kept: u32,
    pub(super) savepoint: Savepoint,
    pub(super) manner: Manner,
}

/// What comes last in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Savepoint {
    None,
    /// The last row that shall stay is written in it.
    Kept,
    /// A row more is written in it and rolled back.
    Undone,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Commit,
    /// The engine does it all, and does it again.
    Run,
    RollBack,
    /// The session is dropped.
    Drop,
    /// Committed, if all is done so soon; else whoever can give up does.
    Hurry(Duration),
}

impl Transaction {
    pub(super) fn draw(rng: &mut Rng, worker: u32, number: u32) -> Self {
        Transaction {
            worker,
            number,
            kept: rng.u32(1..=3),
            savepoint: Savepoint::draw(rng),
            manner: Manner::draw(rng),
        }
    }

    /// The parts that are written outside of a savepoint.
    pub(super) fn plain(&self) -> Range<u32> {
        match self.savepoint {
            Savepoint::Kept => 0..self.kept - 1,
            Savepoint::None | Savepoint::Undone => 0..self.kept,
        }
    }

    /// The part that is written in the savepoint, if there is one.
    pub(super) fn nested(&self) -> u32 {
        self.plain().end
    }

    pub(super) fn insert(&self, part: u32) -> String {
        let Transaction { worker, number, .. } = self;
        format!("INSERT INTO journal (worker, number, part) VALUES ({worker}, {number}, {part})")
    }

    pub(super) fn claim(&self, word: Word) -> Claim {
        Claim {
            worker: self.worker,
            number: self.number,
            kept: self.kept,
            word,
        }
    }
}

impl Savepoint {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..10) {
            0..2 => Savepoint::Kept,
            2..4 => Savepoint::Undone,
            _ => Savepoint::None,
        }
    }
}

impl Manner {
    fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..100) {
            0..10 => Manner::RollBack,
            10..15 => Manner::Drop,
            15..45 => Manner::Run,
            45..60 => Manner::Hurry(Duration::from_micros(rng.u64(100..8_000))),
            _ => Manner::Commit,
        }
    }
}
