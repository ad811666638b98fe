//! Threads that contend.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use super::{
    setting::{Hold, SLEEP, Setting},
    tally::{Clock, Tally, operations, throughput, worst_wait},
};
use crate::{
    contender::ThreadRound,
    cycle,
    driver::Driver,
    figure::Figure,
    pool::ThreadPool,
    stopwatch::{Spent, Stopwatch},
};

const WARM_UP: u64 = 1_000;

pub(super) struct Spells<'a>(pub(super) &'a Setting);

impl ThreadRound for Spells<'_> {
    fn run<P: ThreadPool>(&self) -> Vec<Figure> {
        let pool = P::open(self.0.size, Driver::default());
        cycle::threads(&pool, WARM_UP);
        let (spent, tallies) = spell(&pool, self.0, Clock::Covered);
        let mut figures = throughput(&spent, &tallies);
        let (_, tallies) = spell(&pool, self.0, Clock::Read);
        figures.push(worst_wait(&tallies));
        figures
    }
}

fn spell<P: ThreadPool>(pool: &P, setting: &Setting, clock: Clock) -> (Spent, Vec<Tally>) {
    let start = Barrier::new(setting.workers + 1);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let worker = || {
            start.wait();
            work(pool, setting.hold, clock, &is_over)
        };
        let workers: Vec<_> = (0..setting.workers).map(|_| scope.spawn(worker)).collect();
        start.wait();
        let stopwatch = Stopwatch::start();
        thread::sleep(setting.spell(clock));
        is_over.store(true, Relaxed);
        let tallies: Vec<_> = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"))
            .collect();
        (stopwatch.stop(operations(&tallies)), tallies)
    })
}

fn work<P: ThreadPool>(pool: &P, hold: Hold, clock: Clock, is_over: &AtomicBool) -> Tally {
    let mut tally = Tally::new(clock);
    while !is_over.load(Relaxed) {
        let asked = tally.asked();
        let lease = pool.checkout();
        tally.lent(asked);
        match hold {
            Hold::Nothing => {}
            Hold::Yield => thread::yield_now(),
            Hold::Sleep => thread::sleep(SLEEP),
        }
        drop(lease);
    }
    tally
}
