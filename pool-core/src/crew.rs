//! Threads that do what may block while callers wait with a deadline: connecting, pinging, resetting
//! and closing. They are started on demand and leave when they have had nothing to do for a while.

use std::{
    cell::Cell,
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use crate::{
    fork,
    panics::shielded,
    park::block_on,
    runtime::{Runtime, Work},
    start::start,
};

const PATIENCE: Duration = Duration::from_secs(10);

thread_local! {
    /// Whether this thread is in `Office::work`.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Threads of the pool's own, for drivers that block: each piece of work has one to itself until it
/// is done. Cloning gives another handle to the same threads.
#[derive(Clone, Default)]
pub struct Threads(Arc<Office>);

struct Office {
    /// How many forks this process was from the first, when this was made.
    fork: u32,
    roster: Mutex<Roster>,
    bell: Condvar,
    /// The office of a forked child, in which the threads of this one are not.
    heir: OnceLock<Arc<Self>>,
}

impl Default for Office {
    fn default() -> Self {
        fork::watch();
        Self {
            fork: fork::generation(),
            roster: Mutex::default(),
            bell: Condvar::new(),
            heir: OnceLock::new(),
        }
    }
}

#[derive(Default)]
struct Roster {
    jobs: VecDeque<Work>,
    idle: usize,
}

impl Runtime for Threads {
    const IS_LASTING: bool = true;

    fn current(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Has work done, at once, by a thread of its own. If no thread can be started, another worker
    /// does it when it is free, or this one here does it now.
    fn spawn(&self, work: Work) {
        let office = self.0.live();
        let mut roster = office.lock();
        roster.jobs.push_back(work);
        if roster.idle >= roster.jobs.len() {
            drop(roster);
            office.bell.notify_one();
            return;
        }
        drop(roster);
        let employer = Arc::clone(office);
        if let Err(error) = start("everpool", move || employer.work(PATIENCE)) {
            tracing::warn!(%error, "no thread could be started; its work is done by the caller");
            // Who is at work already takes up what it has just left, when it is done.
            if !AT_WORK.get() {
                office.work(Duration::ZERO);
                AT_WORK.set(false);
            }
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Threads")
    }
}

impl Office {
    /// The office of this process.
    fn live(self: &Arc<Self>) -> &Arc<Self> {
        match self.fork == fork::generation() {
            true => self,
            false => self.heir.get_or_init(Arc::default).live(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, patience: Duration) {
        AT_WORK.set(true);
        while let Some(work) = self.next(patience) {
            // Work reports its own panics; what remains is one in a destructor of what it held.
            if shielded(|| block_on(work)).is_none() {
                tracing::error!("a driver panicked where nobody could be told");
            }
        }
    }

    fn next(&self, patience: Duration) -> Option<Work> {
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
