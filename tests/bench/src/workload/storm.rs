//! `storm`: many tasks that give up at random moments, while connections take milliseconds to open.
//! A pool whose connects end with the caller that began them opens again and again, or never.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{task::yield_now, time::sleep};

use super::Workload;
use crate::{
    cell::{Cell, Face},
    contender::{self, TaskRound},
    driver::Driver,
    figure::Figure,
    pool::TaskPool,
    random::Random,
    round::Round,
    runtime,
};

const TASKS: u64 = 64;
const SIZE: u32 = 4;
const CONNECT: Duration = Duration::from_millis(5);
const DURATION: Duration = Duration::from_millis(400);
const ROUNDS: u32 = 5;

/// How long the callers wait.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// A few yields, but one of four for longer than a connect may take.
    Mixed,
    /// All of them for less than a connect takes.
    Short,
}

const CALLERS: [Patience; 2] = [Patience::Mixed, Patience::Short];

pub(crate) struct Storm;

impl Workload for Storm {
    fn name(&self) -> &'static str {
        "storm"
    }

    fn about(&self) -> &'static str {
        "Tasks whose checkouts are dropped, for 400 ms. Mixed: three of four after up to 16 yields, the \
         others after up to 10 ms. Short: all after up to 2 ms. A connect takes 5 ms, the pool is empty \
         at first, and nothing ever breaks. The floor opens its connections beforehand."
    }

    fn cells(&self) -> Vec<Cell> {
        let cell = |patience: &Patience| {
            let name = format!("{TASKS} over {SIZE}, {patience}");
            Cell::new(Face::Tasks, name, ROUNDS)
        };
        CALLERS.iter().map(cell).collect()
    }

    fn run(&self, round: &Round) -> Vec<Figure> {
        contender::run_tasks(&round.contender, &CALLERS[round.cell])
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mixed => "mixed patience",
            Self::Short => "short patience",
        })
    }
}

impl TaskRound for Patience {
    fn run<P: TaskPool>(&self) -> Vec<Figure> {
        let runtime = runtime::two_workers();
        let driver = Driver::slow(CONNECT);
        let pool = runtime.block_on(P::open(SIZE, driver.clone()));
        let count = Arc::new(Count::default());
        let began = Instant::now();
        let tasks =
            (0..TASKS).map(|seed| runtime.spawn(give_up(pool.clone(), *self, seed, count.clone())));
        let tasks: Vec<_> = tasks.collect();
        thread::sleep(DURATION);
        count.is_over.store(true, Relaxed);
        for task in tasks {
            let ended = runtime.block_on(task);
            ended.expect("a task of a round does not panic");
        }
        count.figures(&driver, began.elapsed())
    }
}

#[derive(Debug, Default)]
struct Count {
    is_over: AtomicBool,
    lent: AtomicU64,
    given_up: AtomicU64,
}

impl Count {
    fn figures(&self, driver: &Driver, duration: Duration) -> Vec<Figure> {
        let rate = |count: &AtomicU64| count.load(Relaxed) as f64 / duration.as_secs_f64();
        vec![
            Figure::count("connects begun", driver.begun()),
            Figure::count("connects finished", driver.opened()),
            Figure::new("checkouts/s", rate(&self.lent)),
            Figure::new("given up/s", rate(&self.given_up)),
        ]
    }
}

async fn give_up<P: TaskPool>(pool: P, patience: Patience, seed: u64, count: Arc<Count>) {
    let mut random = Random::seeded(seed);
    while !count.is_over.load(Relaxed) {
        tokio::select! {
            biased;
            lease = pool.checkout() => {
                count.lent.fetch_add(1, Relaxed);
                yield_now().await;
                drop(lease);
            }
            () = patience.end(&mut random) => {
                count.given_up.fetch_add(1, Relaxed);
            }
        }
        // A pool that answers at once must not keep the worker.
        yield_now().await;
    }
}

impl Patience {
    /// Waits for as long as a caller does.
    async fn end(self, random: &mut Random) {
        match self {
            Self::Mixed if random.below(4) > 0 => {
                for _ in 0..=random.below(16) {
                    yield_now().await;
                }
            }
            Self::Mixed => sleep(Duration::from_micros(random.below(10_000))).await,
            Self::Short => sleep(Duration::from_micros(random.below(2_000))).await,
        }
    }
}
