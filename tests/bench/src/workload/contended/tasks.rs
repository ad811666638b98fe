//! Tasks that contend.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tokio::runtime::Runtime;

use super::{
    setting::{Hold, SLEEP, Setting},
    tally::{Clock, Tally, operations, throughput, worst_wait},
};
use crate::{
    contender::TaskRound,
    cycle,
    driver::Driver,
    figure::Figure,
    pool::TaskPool,
    runtime,
    stopwatch::{Spent, Stopwatch},
};

const WARM_UP: u64 = 1_000;
/// How long the tasks have to spread over the workers.
const SETTLING: Duration = Duration::from_millis(5);

pub(super) struct Spells<'a>(pub(super) &'a Setting);

impl TaskRound for Spells<'_> {
    fn run<P: TaskPool>(&self) -> Vec<Figure> {
        let runtime = runtime::two_workers();
        let pool = runtime.block_on(async {
            let pool = P::open(self.0.size, Driver::default()).await;
            cycle::tasks(&pool, WARM_UP).await;
            pool
        });
        let (spent, tallies) = spell(&runtime, &pool, self.0, Clock::Covered);
        let mut figures = throughput(&spent, &tallies);
        let (_, tallies) = spell(&runtime, &pool, self.0, Clock::Read);
        figures.push(worst_wait(&tallies));
        figures
    }
}

/// The end is told by a thread that is not the runtime's: two tasks that never wait may keep both
/// workers, and with them the runtime's timers.
fn spell<P: TaskPool>(
    runtime: &Runtime,
    pool: &P,
    setting: &Setting,
    clock: Clock,
) -> (Spent, Vec<Tally>) {
    let flags = Arc::new(Flags::default());
    let workers: Vec<_> = (0..setting.workers)
        .map(|_| {
            let (pool, hold, flags) = (pool.clone(), setting.hold, Arc::clone(&flags));
            runtime.spawn(async move {
                flags.started().await;
                work(&pool, hold, clock, &flags.is_over).await
            })
        })
        .collect();
    thread::sleep(SETTLING);
    let stopwatch = Stopwatch::start();
    flags.is_started.store(true, Relaxed);
    thread::sleep(setting.spell(clock));
    flags.is_over.store(true, Relaxed);
    let tallies: Vec<_> = workers
        .into_iter()
        .map(|worker| runtime.block_on(worker))
        .map(|tally| tally.expect("a worker does not panic"))
        .collect();
    (stopwatch.stop(operations(&tallies)), tallies)
}

#[derive(Debug, Default)]
struct Flags {
    is_started: AtomicBool,
    is_over: AtomicBool,
}

impl Flags {
    /// A barrier would wake all tasks on the worker of the last to come, and tasks that do not wait
    /// stay there. Tasks that yield are taken over by idle workers.
    async fn started(&self) {
        while !self.is_started.load(Relaxed) {
            tokio::task::yield_now().await;
        }
    }
}

async fn work<P: TaskPool>(pool: &P, hold: Hold, clock: Clock, is_over: &AtomicBool) -> Tally {
    let mut tally = Tally::new(clock);
    while !is_over.load(Relaxed) {
        let asked = tally.asked();
        let lease = pool.checkout().await;
        tally.lent(asked);
        match hold {
            Hold::Nothing => {}
            Hold::Yield => tokio::task::yield_now().await,
            Hold::Sleep => tokio::time::sleep(SLEEP).await,
        }
        drop(lease);
    }
    tally
}
