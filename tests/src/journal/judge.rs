//! Claims held against rows.

use std::collections::HashMap;

use super::claim::{Claim, Row, Word};

/// What is right and wrong with a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) acknowledged: usize,
    pub(super) rolled_back: usize,
    pub(super) unknown: usize,
    /// Of the unknown, those that are there.
    pub(super) came_true: usize,
    pub(super) wrongs: Vec<Wrong>,
}

/// A row with which something is wrong; named more than once if it is so more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) fault: Fault,
    pub(super) row: Row,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Acknowledged and not there; or the rest of an unknown transaction that is there.
    Missing,
    /// There once more than once.
    Twice,
    /// There, and rolled back; or written by nobody.
    Phantom,
    /// Written before a row of an earlier transaction of the same worker.
    Disordered,
}

impl Verdict {
    pub(super) fn count(&self, fault: Fault) -> usize {
        let wrongs = self.wrongs.iter();
        wrongs.filter(|wrong| wrong.fault == fault).count()
    }

    pub(super) fn is_right(&self) -> bool {
        self.wrongs.is_empty() && self.acknowledged > 0
    }

    /// A claim, and how often each of its rows was found.
    fn add(&mut self, claim: &Claim, found: &[usize]) {
        let is_there = found.iter().any(|count| *count > 0);
        match claim.word {
            Word::Acknowledged => self.acknowledged += 1,
            Word::RolledBack => self.rolled_back += 1,
            Word::Unknown => {
                self.unknown += 1;
                self.came_true += usize::from(is_there);
            }
        }
        for (part, count) in (0..).zip(found) {
            let row = claim.row(part);
            match claim.word {
                Word::RolledBack => self.blame(Fault::Phantom, row, *count),
                Word::Unknown if !is_there => {}
                Word::Acknowledged | Word::Unknown => {
                    self.blame(Fault::Missing, row, usize::from(*count == 0));
                    self.blame(Fault::Twice, row, count.saturating_sub(1));
                }
            }
        }
    }

    fn blame(&mut self, fault: Fault, row: Row, times: usize) {
        let wrong = Wrong { fault, row };
        self.wrongs.extend(std::iter::repeat_n(wrong, times));
    }
}

/// The rows are in the order in which they were written.
pub(super) fn judge(claims: &[Claim], rows: &[Row]) -> Verdict {
    let mut left = HashMap::new();
    for row in rows {
        *left.entry(*row).or_insert(0) += 1;
    }
    let mut verdict = Verdict::default();
    for claim in claims {
        let parts = (0..claim.kept).map(|part| claim.row(part));
        let found: Vec<_> = parts.map(|row| left.remove(&row).unwrap_or(0)).collect();
        verdict.add(claim, &found);
    }
    for (row, times) in left {
        verdict.blame(Fault::Phantom, row, times);
    }
    for row in disordered(rows) {
        verdict.blame(Fault::Disordered, row, 1);
    }
    verdict
}

fn disordered(rows: &[Row]) -> Vec<Row> {
    let (mut latest, mut disordered) = (HashMap::new(), Vec::new());
    for row in rows {
        let latest = latest.entry(row.worker).or_insert(row.number);
        if row.number < *latest {
            disordered.push(*row);
        }
        *latest = row.number.max(*latest);
    }
    disordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(number: u32, kept: u32, word: Word) -> Claim {
        Claim {
            worker: 0,
            number,
            kept,
            word,
        }
    }

    fn row(number: u32, part: u32) -> Row {
        claim(number, 1, Word::Unknown).row(part)
    }

    /// What a right journal has of everything.
    fn right() -> (Vec<Claim>, Vec<Row>) {
        let claims = vec![
            claim(0, 1, Word::Acknowledged),
            claim(1, 2, Word::Acknowledged),
            claim(2, 2, Word::RolledBack),
            claim(3, 2, Word::Unknown),
            claim(4, 2, Word::Unknown),
        ];
        let rows = vec![row(0, 0), row(1, 0), row(1, 1), row(4, 0), row(4, 1)];
        (claims, rows)
    }

    fn wrong(change: impl FnOnce(&mut Vec<Claim>, &mut Vec<Row>)) -> [usize; 4] {
        let (mut claims, mut rows) = right();
        change(&mut claims, &mut rows);
        let verdict = judge(&claims, &rows);
        let faults = [
            Fault::Missing,
            Fault::Twice,
            Fault::Phantom,
            Fault::Disordered,
        ];
        let found = faults.map(|fault| verdict.count(fault));
        assert_eq!(verdict.is_right(), found == [0; 4], "{verdict:?}");
        found
    }

    #[test]
    fn a_right_journal_has_what_was_acknowledged_and_perhaps_what_is_unknown() {
        let (claims, rows) = right();
        let expected = Verdict {
            acknowledged: 2,
            rolled_back: 1,
            unknown: 2,
            came_true: 1,
            ..Verdict::default()
        };
        assert_eq!(judge(&claims, &rows), expected);
        assert!(expected.is_right());
    }

    #[test]
    fn a_journal_in_which_nothing_was_acknowledged_is_not_right() {
        assert!(!judge(&[], &[]).is_right());
    }

    #[test]
    fn an_acknowledged_row_that_is_not_there_is_missing() {
        assert_eq!(
            wrong(|_, rows| rows.retain(|it| *it != row(0, 0))),
            [1, 0, 0, 0]
        );
        assert_eq!(
            wrong(|_, rows| rows.retain(|it| *it != row(1, 1))),
            [1, 0, 0, 0]
        );
        assert_eq!(wrong(|_, rows| rows.clear()), [3, 0, 0, 0]);
    }

    #[test]
    fn half_of_an_unknown_transaction_is_missing_and_all_of_it_is_not() {
        assert_eq!(wrong(|_, rows| rows.truncate(4)), [1, 0, 0, 0]);
        assert_eq!(wrong(|_, rows| rows.truncate(3)), [0; 4]);
    }

    #[test]
    fn a_row_that_is_there_twice_is_seen() {
        assert_eq!(wrong(|_, rows| rows.insert(0, row(0, 0))), [0, 1, 0, 0]);
        assert_eq!(wrong(|_, rows| rows.push(row(4, 1))), [0, 1, 0, 0]);
    }

    #[test]
    fn a_row_that_was_rolled_back_or_that_nobody_wrote_is_a_phantom() {
        assert_eq!(wrong(|_, rows| rows.insert(3, row(2, 1))), [0, 0, 1, 0]);
        assert_eq!(wrong(|_, rows| rows.push(row(5, 0))), [0, 0, 1, 0]);
        let undone_savepoint = row(4, 2);
        assert_eq!(wrong(|_, rows| rows.push(undone_savepoint)), [0, 0, 1, 0]);
    }

    #[test]
    fn rows_of_a_worker_in_another_order_are_seen_and_those_of_two_workers_have_none() {
        assert_eq!(wrong(|_, rows| rows.rotate_left(1)), [0, 0, 0, 1]);
        let other = Claim {
            worker: 1,
            ..claim(0, 1, Word::Acknowledged)
        };
        let late = |claims: &mut Vec<_>, rows: &mut Vec<_>| {
            claims.push(other);
            rows.push(other.row(0));
        };
        assert_eq!(wrong(late), [0; 4]);
    }
}
