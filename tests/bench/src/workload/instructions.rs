//! `instructions`: how many machine instructions, counted by valgrind's callgrind. The figure is the
//! same on a busy machine.

use std::time::Duration;

use super::Workload;
use crate::{
    cell::{Cell, Face},
    contender::{self, EVERPOOL_AGING, SQLX, TaskRound, ThreadRound},
    cycle,
    driver::Driver,
    figure::Figure,
    pool::{TaskPool, ThreadPool},
    process::{Fault, output},
    round::Round,
    runtime,
};

const FACES: [Face; 2] = [Face::Threads, Face::Tasks];
const SIZE: u32 = 8;
const OPERATIONS: u64 = 10_000;
const ROUNDS: u32 = 3;
/// The log goes to the standard output, which is read in any case.
const CALLGRIND: &[&str] = &[
    "valgrind",
    "--tool=callgrind",
    "--callgrind-out-file=/dev/null",
    "--log-fd=1",
];

pub(crate) struct Instructions;

impl Workload for Instructions {
    fn name(&self) -> &'static str {
        "instructions"
    }

    fn about(&self) -> &'static str {
        "Instructions for each checkout and return, of all threads; a runtime of one thread. Counted in \
         a run and in one of twice as many operations: what is shown is the difference. SQLx's pings \
         are on another thread and would be counted with it."
    }

    fn cells(&self) -> Vec<Cell> {
        FACES.map(cell).to_vec()
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        let cycles = Cycles(OPERATIONS * round.times);
        match FACES[round.cell] {
            Face::Threads => contender::run_threads(&round.contender, &cycles),
            Face::Tasks => contender::run_tasks(&round.contender, &cycles),
        }
    }

    fn measure(&self, round: &Round, cell: &Cell) -> Result<Vec<Figure>, Fault> {
        counted(round, cell, OPERATIONS, None)
    }
}

/// What callgrind counts for each of a round's operations: the difference of a run and of one of
/// twice as many. A round may be told one thing by its environment.
pub(super) fn counted(
    round: &Round,
    cell: &Cell,
    operations: u64,
    told: Option<(&str, &str)>,
) -> Result<Vec<Figure>, Fault> {
    let mut twice = round.clone();
    twice.times *= 2;
    let difference = collected(&twice, cell, told)? - collected(round, cell, told)?;
    let instructions = difference / (operations * round.times) as f64;
    Ok(vec![Figure::new("instructions/op", instructions)])
}

fn cell(face: Face) -> Cell {
    let mut cell = Cell::new(face, format!("one over {SIZE}"), ROUNDS).without(SQLX);
    cell.contenders.insert(1, EVERPOOL_AGING);
    cell.patience = Duration::from_secs(60);
    cell
}

/// What callgrind counted in a whole process.
fn collected(round: &Round, cell: &Cell, told: Option<(&str, &str)>) -> Result<f64, Fault> {
    let log = output(round.command(CALLGRIND, told)?, cell.patience)?;
    let count = log.lines().find_map(|line| line.split_once("Collected : "));
    let count = count.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| Fault::Failed("callgrind collected nothing".to_owned()))
}

struct Cycles(u64);

impl ThreadRound for Cycles {
    fn run<P: ThreadPool>(&self) -> Vec<Figure> {
        let pool = P::open(SIZE, Driver::default());
        cycle::threads(&pool, self.0);
        Vec::new()
    }
}

impl TaskRound for Cycles {
    fn run<P: TaskPool>(&self) -> Vec<Figure> {
        runtime::single().block_on(async {
            let pool = P::open(SIZE, Driver::default()).await;
            cycle::tasks(&pool, self.0).await;
        });
        Vec::new()
    }
}
