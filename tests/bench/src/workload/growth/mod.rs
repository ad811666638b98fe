//! `growth`: what becomes dearer with the number of connections or of those who wait.

mod setting;
mod tasks;
mod threads;

use std::time::Duration;

use super::Workload;
use crate::{
    cell::{Cell, Face},
    contender::{self, SQLX},
    figure::Figure,
    round::Round,
};
use setting::{SETTINGS, Setting};

/// Thousands of connections or of threads are to be had first.
const PATIENCE: Duration = Duration::from_secs(30);
/// More of SQLx's connections are more threads than a machine should have.
const MOST_OF_SQLX: usize = 100;
const ROUNDS: u32 = 5;

pub(crate) struct Growth;

impl Workload for Growth {
    fn name(&self) -> &'static str {
        "growth"
    }

    fn about(&self) -> &'static str {
        "What one operation takes as the pool or its queue grows. With waiters: from the return of the \
         only connection until each has had it, for each of them. Given up: a checkout that is dropped \
         after its first poll, behind others. Tasks in a runtime of one thread."
    }

    fn cells(&self) -> Vec<Cell> {
        SETTINGS.iter().map(cell).collect()
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        let setting = &SETTINGS[round.cell];
        match setting.face {
            Face::Threads => contender::run_threads(&round.contender, setting),
            Face::Tasks => contender::run_tasks(&round.contender, setting),
        }
    }
}

fn cell(setting: &Setting) -> Cell {
    let mut cell = Cell::new(setting.face, setting, ROUNDS);
    cell.patience = PATIENCE;
    match setting.connections() > MOST_OF_SQLX {
        true => cell.without(SQLX),
        false => cell,
    }
}
