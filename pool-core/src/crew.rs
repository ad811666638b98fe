//! Threads that do what may block while callers wait with a deadline: connecting, pinging, resetting
//! and closing. They are started on demand and leave when they have had nothing to do for a while.

use std::{
    cell::Cell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

pub(crate) type Job = Box<dyn FnOnce() + Send>;

const PATIENCE: Duration = Duration::from_secs(10);

thread_local! {
    /// Whether this thread is in `Office::work`.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Default)]
pub(crate) struct Crew(Arc<Office>);

#[derive(Default)]
struct Office {
    roster: Mutex<Roster>,
    bell: Condvar,
}

#[derive(Default)]
struct Roster {
    jobs: VecDeque<Job>,
    idle: usize,
}

impl Crew {
    /// Has a job done, at once, by a thread of its own. If no thread can be started, another worker
    /// does it when it is free, or this one here does it now.
    pub(crate) fn run(&self, job: Job) {
        let mut roster = self.0.lock();
        roster.jobs.push_back(job);
        if roster.idle >= roster.jobs.len() {
            drop(roster);
            self.0.bell.notify_one();
            return;
        }
        drop(roster);
        let office = Arc::clone(&self.0);
        let worker = thread::Builder::new().name("everpool".into());
        if let Err(error) = worker.spawn(move || office.work(PATIENCE)) {
            tracing::warn!(%error, "no thread could be started; its work is done by the caller");
            // Who is at work already takes up what it has just left, when it is done.
            if !AT_WORK.get() {
                self.0.work(Duration::ZERO);
                AT_WORK.set(false);
            }
        }
    }
}

impl Office {
    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, patience: Duration) {
        AT_WORK.set(true);
        while let Some(job) = self.next(patience) {
            // A job reports its own panics; what remains is one in a destructor of what it held.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a driver panicked where nobody could be told");
            }
        }
    }

    fn next(&self, patience: Duration) -> Option<Job> {
        let mut roster = self.lock();
        if roster.jobs.is_empty() && !patience.is_zero() {
            roster.idle += 1;
            let wait = self
                .bell
                .wait_timeout_while(roster, patience, |at| at.jobs.is_empty());
            roster = wait.unwrap_or_else(PoisonError::into_inner).0;
            roster.idle -= 1;
        }
        roster.jobs.pop_front()
    }
}
