//! A growing pool for threads.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::AcqRel},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::setting::{Crowd, DURATION, Setting};
use crate::{
    contender::ThreadRound,
    cycle,
    driver::Driver,
    figure::Figure,
    pool::ThreadPool,
    stopwatch::{WALL, nanoseconds},
};

/// With few waiters, they are let wait again and again until so many have had the connection.
const HANDED_ON: usize = 100;
/// A waiter needs little.
const STACK: usize = 64 * 1024;

impl ThreadRound for Setting {
    fn run<P: ThreadPool>(&self) -> Vec<Figure> {
        let size = u32::try_from(self.connections()).expect("pools are not that large");
        let pool = P::open(size, Driver::default());
        match self.crowd {
            Crowd::Idle(many) => {
                hold(&pool, many);
                vec![cycle::threads_for(&pool, DURATION).wall_figure()]
            }
            Crowd::Held(many) => {
                hold(&pool, many);
                let _held = hold(&pool, many - 1);
                vec![cycle::threads_for(&pool, DURATION).wall_figure()]
            }
            Crowd::Waiting(many) => vec![hand_on(&pool, many)],
            Crowd::GivenUp(_) => unreachable!("a thread does not give up"),
        }
    }
}

fn hold<P: ThreadPool>(pool: &P, many: usize) -> Vec<P::Lease> {
    (0..many).map(|_| pool.checkout()).collect()
}

fn hand_on<P: ThreadPool>(pool: &P, many: usize) -> Figure {
    let times = HANDED_ON.div_ceil(many);
    let spent: Duration = (0..times).map(|_| queue(pool, many)).sum();
    Figure::new(WALL, nanoseconds(spent) / (times * many) as f64)
}

/// How long it takes until all in the queue have had the connection.
fn queue<P: ThreadPool>(pool: &P, many: usize) -> Duration {
    let lease = pool.checkout();
    let come = Barrier::new(many + 1);
    let served = AtomicUsize::new(0);
    let (done, finished) = mpsc::channel();
    let wait = || {
        come.wait();
        drop(pool.checkout());
        if served.fetch_add(1, AcqRel) + 1 == many {
            done.send(Instant::now()).expect("it is waited for");
        }
    };
    thread::scope(|scope| {
        for _ in 0..many {
            let builder = thread::Builder::new().stack_size(STACK);
            let started = builder.spawn_scoped(scope, wait);
            started.expect("a thread starts");
        }
        come.wait();
        thread::sleep(until_all_wait(many));
        let began = Instant::now();
        drop(lease);
        let ended = finished.recv().expect("the last one tells");
        ended - began
    })
}

/// Nothing tells from outside that a thread waits. It does, by then.
fn until_all_wait(many: usize) -> Duration {
    Duration::from_millis(2) + Duration::from_micros(100) * u32::try_from(many).unwrap_or(u32::MAX)
}
