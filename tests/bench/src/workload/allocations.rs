//! `allocations`: how often memory is asked for.

use std::sync::Arc;

use tokio::sync::Barrier;

use super::Workload;
use crate::{
    allocator,
    cell::{Cell, Face},
    contender::{self, TaskRound, ThreadRound},
    cycle,
    driver::Driver,
    figure::Figure,
    pool::{TaskPool, ThreadPool},
    round::Round,
    runtime,
};

const SIZE: u32 = 8;
const WARM_UP: u64 = 1_000;
const OPERATIONS: u64 = 10_000;
/// A count is the same every time, or nearly.
const ROUNDS: u32 = 3;

/// The waiting ones: this many tasks over so few connections, each held over one yield.
const WAITING: u64 = 16;
const SCARCE: u32 = 2;

pub(crate) struct Allocations;

impl Workload for Allocations {
    fn name(&self) -> &'static str {
        "allocations"
    }

    fn about(&self) -> &'static str {
        "Allocations for each checkout and return, once the pool is warm; all threads count, so SQLx's \
         are with those of its pings."
    }

    fn cells(&self) -> Vec<Cell> {
        let waiting = format!("{WAITING} over {SCARCE}, held over a yield");
        vec![
            Cell::new(Face::Threads, format!("one over {SIZE}"), ROUNDS),
            Cell::new(Face::Tasks, format!("one over {SIZE}"), ROUNDS),
            Cell::new(Face::Tasks, waiting, ROUNDS),
        ]
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        match round.cell {
            0 => contender::run_threads(&round.contender, &Alone),
            1 => contender::run_tasks(&round.contender, &Alone),
            _ => contender::run_tasks(&round.contender, &Waiting),
        }
    }
}

struct Alone;

impl ThreadRound for Alone {
    fn run<P: ThreadPool>(&self) -> Vec<Figure> {
        let pool = P::open(SIZE, Driver::default());
        cycle::threads(&pool, WARM_UP);
        allocator::start_counting();
        cycle::threads(&pool, OPERATIONS);
        figures(OPERATIONS)
    }
}

impl TaskRound for Alone {
    fn run<P: TaskPool>(&self) -> Vec<Figure> {
        runtime::single().block_on(async {
            let pool = P::open(SIZE, Driver::default()).await;
            cycle::tasks(&pool, WARM_UP).await;
            allocator::start_counting();
            cycle::tasks(&pool, OPERATIONS).await;
            figures(OPERATIONS)
        })
    }
}

struct Waiting;

impl TaskRound for Waiting {
    fn run<P: TaskPool>(&self) -> Vec<Figure> {
        runtime::single().block_on(async {
            let pool = P::open(SCARCE, Driver::default()).await;
            let warm = Arc::new(Barrier::new(WAITING as usize));
            let tasks: Vec<_> = (0..WAITING)
                .map(|_| tokio::spawn(wait_often(pool.clone(), Arc::clone(&warm))))
                .collect();
            for task in tasks {
                task.await.expect("a task of a round does not panic");
            }
            figures(OPERATIONS)
        })
    }
}

async fn wait_often<P: TaskPool>(pool: P, warm: Arc<Barrier>) {
    hold_often(&pool, WARM_UP / WAITING).await;
    warm.wait().await;
    allocator::start_counting();
    hold_often(&pool, OPERATIONS / WAITING).await;
}

async fn hold_often<P: TaskPool>(pool: &P, operations: u64) {
    for _ in 0..operations {
        let lease = pool.checkout().await;
        tokio::task::yield_now().await;
        drop(lease);
    }
}

fn figures(operations: u64) -> Vec<Figure> {
    let allocations = allocator::allocations() as f64 / operations as f64;
    vec![Figure::new(allocator::UNIT, allocations)]
}
