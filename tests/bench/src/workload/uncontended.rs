//! `uncontended`: one thread or task, and more connections than it needs.

use std::time::Duration;

use super::Workload;
use crate::{
    cell::{Cell, Face},
    contender::{self, TaskRound, ThreadRound},
    cycle,
    driver::Driver,
    figure::Figure,
    pool::{TaskPool, ThreadPool},
    round::Round,
    runtime,
};

const FACES: [Face; 2] = [Face::Threads, Face::Tasks];
const SIZE: u32 = 8;
const DURATION: Duration = Duration::from_millis(100);
const ROUNDS: u32 = 11;

pub(crate) struct Uncontended;

impl Workload for Uncontended {
    fn name(&self) -> &'static str {
        "uncontended"
    }

    fn about(&self) -> &'static str {
        "One thread or task checks out and returns; a runtime of two workers."
    }

    fn cells(&self) -> Vec<Cell> {
        let cell = |face| Cell::new(face, format!("one over {SIZE}"), ROUNDS);
        FACES.map(cell).to_vec()
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        match FACES[round.cell] {
            Face::Threads => contender::run_threads(&round.contender, self),
            Face::Tasks => contender::run_tasks(&round.contender, self),
        }
    }
}

impl ThreadRound for Uncontended {
    fn run<P: ThreadPool>(&self) -> Vec<Figure> {
        let pool = P::open(SIZE, Driver::default());
        cycle::threads_for(&pool, DURATION).figures()
    }
}

impl TaskRound for Uncontended {
    fn run<P: TaskPool>(&self) -> Vec<Figure> {
        runtime::on_worker(async {
            let pool = P::open(SIZE, Driver::default()).await;
            cycle::tasks_for(&pool, DURATION).await.figures()
        })
    }
}
