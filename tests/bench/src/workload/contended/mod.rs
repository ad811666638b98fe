//! `contended`: several check out at once, most often more than there are connections.

mod setting;
mod tally;
mod tasks;
mod threads;

use super::Workload;
use crate::{
    cell::{Cell, Face},
    contender,
    figure::Figure,
    round::Round,
};
use setting::SETTINGS;

pub(crate) struct Contended;

impl Workload for Contended {
    fn name(&self) -> &'static str {
        "contended"
    }

    fn about(&self) -> &'static str {
        "Workers check out, hold, return and start again; tasks in a runtime of two threads. A round is \
         two spells: one for the cost and the fairness, and one in which every wait is timed. Starved is \
         who got less than a quarter of the mean. A pool that answers at once and never yields starves \
         the other tasks of its worker, which then do not even wait."
    }

    fn cells(&self) -> Vec<Cell> {
        let cell = |setting: &setting::Setting| Cell::new(setting.face, setting, setting.rounds());
        SETTINGS.iter().map(cell).collect()
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        let setting = &SETTINGS[round.cell];
        match setting.face {
            Face::Threads => contender::run_threads(&round.contender, &threads::Spells(setting)),
            Face::Tasks => contender::run_tasks(&round.contender, &tasks::Spells(setting)),
        }
    }
}
