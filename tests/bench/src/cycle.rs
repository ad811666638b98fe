//! Checkout and return, again and again, by one thread or task.

use std::{hint::black_box, time::Duration};

use crate::{
    pool::{TaskPool, ThreadPool},
    stopwatch::{Spent, Stopwatch},
};

/// How often the clock is not looked at for one time that it is.
const BATCH: u64 = 64;
/// Before the measure: caches, branch predictors and the processor's frequency.
const WARM_UP: Duration = Duration::from_millis(20);

pub(crate) fn threads<P: ThreadPool>(pool: &P, operations: u64) {
    for _ in 0..operations {
        drop(black_box(pool.checkout()));
    }
}

pub(crate) async fn tasks<P: TaskPool>(pool: &P, operations: u64) {
    for _ in 0..operations {
        drop(black_box(pool.checkout().await));
    }
}

/// Warms up, then cycles for about `duration`.
pub(crate) fn threads_for<P: ThreadPool>(pool: &P, duration: Duration) -> Spent {
    let _cold = threads_timed(pool, WARM_UP);
    threads_timed(pool, duration)
}

/// Warms up, then cycles for about `duration`.
pub(crate) async fn tasks_for<P: TaskPool>(pool: &P, duration: Duration) -> Spent {
    let _cold = tasks_timed(pool, WARM_UP).await;
    tasks_timed(pool, duration).await
}

fn threads_timed<P: ThreadPool>(pool: &P, duration: Duration) -> Spent {
    let stopwatch = Stopwatch::start();
    let mut operations = 0;
    while stopwatch.wall() < duration {
        threads(pool, BATCH);
        operations += BATCH;
    }
    stopwatch.stop(operations)
}

async fn tasks_timed<P: TaskPool>(pool: &P, duration: Duration) -> Spent {
    let stopwatch = Stopwatch::start();
    let mut operations = 0;
    while stopwatch.wall() < duration {
        tasks(pool, BATCH).await;
        operations += BATCH;
    }
    stopwatch.stop(operations)
}
