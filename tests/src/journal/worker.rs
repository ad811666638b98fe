//! One who writes, and keeps a diary.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::claim::{Claim, Word};
use super::course::Course;
use super::tally::Tally;
use super::transaction::Transaction;
use super::writer::Writer;

pub(super) struct Worker<W> {
    pub(super) number: u32,
    pub(super) rng: Rng,
    pub(super) writer: W,
    pub(super) course: Arc<Course>,
}

/// What a worker did and was told.
#[derive(Debug, Default)]
pub(super) struct Diary {
    pub(super) claims: Vec<Claim>,
    pub(super) errors: Tally,
    /// How often an engine did a transaction again.
    pub(super) repeated: usize,
}

impl Diary {
    pub(super) fn join(&mut self, other: Diary) {
        self.claims.extend(other.claims);
        self.errors.join(other.errors);
        self.repeated += other.repeated;
    }
}

impl<W: Writer> Worker<W> {
    /// Until a commit is acknowledged that was begun when nothing was disturbed any more.
    pub(super) fn work(mut self) -> Diary {
        let mut diary = Diary::default();
        for number in 0.. {
            let is_calm = self.course.is_calm();
            let word = self.write(number, &mut diary);
            if is_calm && word == Word::Acknowledged {
                break;
            }
            thread::sleep(Duration::from_micros(self.rng.u64(0..8_000)));
        }
        diary
    }

    fn write(&mut self, number: u32, diary: &mut Diary) -> Word {
        let transaction = Transaction::draw(&mut self.rng, self.number, number);
        let told = self.writer.write(&transaction);
        if told.word == Word::Acknowledged {
            self.course.acknowledged();
        }
        if let Some(error) = told.error {
            diary.errors.add(error);
        }
        diary.repeated += told.repeated;
        diary.claims.push(transaction.claim(told.word));
        told.word
    }
}
