//! What is to be done after a transaction.

use std::{collections::VecDeque, fmt, sync::Mutex};

/// Something that the program has left to be done once.
pub struct Callback(
    /// No one else ever has it; a session stays `Sync` by this.
    Mutex<Box<dyn FnOnce() + Send>>,
);

impl Callback {
    /// This.
    pub fn new(call: impl FnOnce() + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(call)))
    }

    /// Does it.
    pub fn call(self) {
        let call = self.0.into_inner();
        call.unwrap_or_else(std::sync::PoisonError::into_inner)();
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

/// On what a callback waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// That what was done is committed.
    Commit,
    /// That it is undone.
    Rollback,
}

/// The callbacks of a transaction, in the order of their registration, each bound to the level that it
/// was registered in.
#[derive(Debug, Default)]
pub(super) struct Callbacks(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    callback: Callback,
    on: On,
    bound: Bound,
}

/// What decides about a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// The end of this level, from 0.
    To(usize),
    /// Nothing any more: its savepoint was rolled back, and that stands whatever follows.
    Decided,
}

impl Callbacks {
    pub(super) fn add(&mut self, level: usize, on: On, callback: Callback) {
        let bound = Bound::To(level);
        self.0.push(Entry {
            callback,
            on,
            bound,
        });
    }

    /// A savepoint was released: the level around it decides.
    pub(super) fn released(&mut self, level: usize) {
        for entry in &mut self.0 {
            if let Bound::To(own) = &mut entry.bound {
                *own = (*own).min(level.saturating_sub(1));
            }
        }
    }

    /// A savepoint was rolled back.
    pub(super) fn rolled_back(&mut self, level: usize) {
        let is_in = |entry: &Entry| matches!(entry.bound, Bound::To(own) if own >= level);
        self.0
            .retain(|entry| !is_in(entry) || entry.on == On::Rollback);
        let undone = self.0.iter_mut().filter(|entry| is_in(entry));
        undone.for_each(|entry| entry.bound = Bound::Decided);
    }

    /// The transaction is over; `outcome` is what became of it, if that is known. Gives those that are
    /// to be called.
    pub(super) fn take(&mut self, outcome: Option<On>) -> VecDeque<Callback> {
        let all = std::mem::take(&mut self.0).into_iter();
        let due = all.filter(|entry| entry.bound == Bound::Decided || Some(entry.on) == outcome);
        due.map(|entry| entry.callback).collect()
    }
}
