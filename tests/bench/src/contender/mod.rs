//! The pools that are measured, by name.

mod bb8;
mod deadpool;
mod everpool;
mod fast_pool;
mod floor_tasks;
mod floor_threads;
mod mobc;
mod r2d2;
mod sqlx;

use crate::{
    figure::Figure,
    pool::{TaskPool, ThreadPool},
};

/// What the others are compared with.
pub(crate) const EVERPOOL: &str = "everpool";
/// everpool with every option on that looks at a connection's age.
pub(crate) const EVERPOOL_AGING: &str = "everpool, aging";
/// SQLx's own pool. Its connections are real ones of SQLite, because it takes no others.
pub(crate) const SQLX: &str = "sqlx";
/// The least that hands out connections: a lock and a list.
pub(crate) const FLOOR: &str = "floor";

/// The pools for threads.
pub(crate) const THREADS: &[&str] = &[EVERPOOL, "r2d2", FLOOR];

/// The pools for tasks.
pub(crate) const TASKS: &[&str] = &[
    EVERPOOL,
    "bb8",
    "deadpool",
    "mobc",
    "fast_pool",
    SQLX,
    FLOOR,
];

/// A measurement of a pool for threads, whichever it is.
pub(crate) trait ThreadRound {
    fn run<P: ThreadPool>(&self) -> Vec<Figure>;
}

/// A measurement of a pool for tasks, whichever it is.
pub(crate) trait TaskRound {
    fn run<P: TaskPool>(&self) -> Vec<Figure>;
}

pub(crate) fn run_threads(name: &str, round: &impl ThreadRound) -> Vec<Figure> {
    match name {
        EVERPOOL => round.run::<everpool::Blocking<everpool::Plain>>(),
        EVERPOOL_AGING => round.run::<everpool::Blocking<everpool::Aging>>(),
        "r2d2" => round.run::<r2d2::R2d2>(),
        FLOOR => round.run::<floor_threads::Floor>(),
        _ => panic!("no pool for threads is called {name}"),
    }
}

pub(crate) fn run_tasks(name: &str, round: &impl TaskRound) -> Vec<Figure> {
    match name {
        EVERPOOL => round.run::<everpool::Future<everpool::Plain>>(),
        EVERPOOL_AGING => round.run::<everpool::Future<everpool::Aging>>(),
        "bb8" => round.run::<bb8::Bb8>(),
        "deadpool" => round.run::<deadpool::Deadpool>(),
        "mobc" => round.run::<mobc::Mobc>(),
        "fast_pool" => round.run::<fast_pool::FastPool>(),
        SQLX => round.run::<sqlx::Sqlx>(),
        FLOOR => round.run::<floor_tasks::Floor>(),
        _ => panic!("no pool for tasks is called {name}"),
    }
}
