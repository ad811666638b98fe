mod rota;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

pub use rota::{Rota, is_unreachable, note_missed};

/// An engine's replicas, and whose turn it is. `O` is what is asked when none of them is there.
///
/// ```
/// use everpool_engine::Replicas;
///
/// let replicas = Replicas::new("primary", vec!["first", "second"]).expect("two");
/// assert_eq!(replicas.next(|_| 0), Some((0, &"first")));
/// replicas.missed(0);
/// assert_eq!(replicas.next(|_| 0), Some((1, &"second")));
/// replicas.missed(1);
/// assert_eq!(replicas.next(|_| 0), None);
/// assert_eq!(replicas.own(), &"primary");
/// ```
#[derive(Debug)]
pub struct Replicas<O, R> {
    own: O,
    replicas: Vec<R>,
    rota: Mutex<Rota>,
}

impl<O, R> Replicas<O, R> {
    /// `None` of none.
    pub fn new(own: O, replicas: Vec<R>) -> Option<Self> {
        let rota = Mutex::new(Rota::new(replicas.len()));
        (!replicas.is_empty()).then_some(Self {
            own,
            replicas,
            rota,
        })
    }

    /// What is asked when no replica is there.
    pub fn own(&self) -> &O {
        &self.own
    }

    /// All of them, whether they are there or not.
    pub fn all(&self) -> &[R] {
        &self.replicas
    }

    /// The replica to be asked next, and its number; `None` if all are away. `used` says how many connections of
    /// one are in use or waited for; it must not ask this. Does not block.
    pub fn next(&self, used: impl Fn(&R) -> usize) -> Option<(usize, &R)> {
        let used = |replica: usize| used(&self.replicas[replica]);
        let next = self.rota().next(Instant::now(), used)?;
        Some((next, &self.replicas[next]))
    }

    /// The replica with this number has given a connection.
    pub fn reached(&self, replica: usize) {
        self.rota().reached(replica);
    }

    /// The replica with this number could not be reached.
    pub fn missed(&self, replica: usize) {
        self.rota().missed(replica, Instant::now());
    }

    fn rota(&self) -> MutexGuard<'_, Rota> {
        self.rota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
