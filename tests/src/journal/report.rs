use std::fmt;

use super::claim::Row;
use super::judge::{Fault, Verdict, Wrong};
use super::pulse::Silence;
use super::tally::Tally;

/// Of what is wrong.
const SHOWN: usize = 20;

/// What came of a trial.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) verdict: Verdict,
    pub(super) disturbances: Tally,
    /// What workers met, by its kind.
    pub(super) errors: Tally,
    /// How often an engine did a transaction again.
    pub(super) repeated: usize,
    pub(super) silence: Silence,
}

impl Report {
    /// Whether nobody was told wrong, and it shows anything: something was acknowledged, and something disturbed.
    pub fn is_right(&self) -> bool {
        self.verdict.is_right() && self.disturbances.total() > 0
    }

    /// The numbers that count.
    pub fn line(&self) -> String {
        let verdict = &self.verdict;
        format!(
            "acknowledged={} missing={} twice={} phantom={} unknown={}",
            verdict.acknowledged,
            verdict.count(Fault::Missing),
            verdict.count(Fault::Twice),
            verdict.count(Fault::Phantom),
            verdict.unknown
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} disturbances:", self.disturbances.total())?;
        write!(f, "{}", self.disturbances)?;
        writeln!(f, "  {} errors:", self.errors.total())?;
        write!(f, "{}", self.errors)?;
        writeln!(
            f,
            "  transactions: {} acknowledged, {} rolled back, {} unknown, of which {} came true",
            self.verdict.acknowledged,
            self.verdict.rolled_back,
            self.verdict.unknown,
            self.verdict.came_true
        )?;
        writeln!(f, "  done again by the engine: {}", self.repeated)?;
        let Silence { length, after } = self.silence;
        let seconds = length.as_secs_f64();
        writeln!(
            f,
            "  longest time without an acknowledged commit while the server was there: {seconds:.3} s, \
             after {after}"
        )?;
        self.write_wrongs(f)
    }
}

impl Report {
    fn write_wrongs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrongs = &self.verdict.wrongs;
        writeln!(
            f,
            "  rows out of order: {}",
            self.verdict.count(Fault::Disordered)
        )?;
        if !wrongs.is_empty() {
            writeln!(f, "  the first of {} wrong rows:", wrongs.len())?;
        }
        for Wrong { fault, row } in wrongs.iter().take(SHOWN) {
            let Row {
                worker,
                number,
                part,
            } = row;
            writeln!(
                f,
                "    {fault:?}: worker {worker}, transaction {number}, row {part}"
            )?;
        }
        Ok(())
    }
}
