use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use everpool_engine::Rota;

use crate::{driver::Driver, engine::Engine, shared::Shared};

/// An engine's replicas, and whose turn it is.
pub(crate) struct Replicas<DB: Driver> {
    /// What is asked when none of them is there.
    own: Arc<Shared<DB>>,
    engines: Vec<Engine<DB>>,
    rota: Mutex<Rota>,
}

impl<DB: Driver> Replicas<DB> {
    /// None of none.
    pub(crate) fn new(
        own: Arc<Shared<DB>>,
        engines: impl IntoIterator<Item = Engine<DB>>,
    ) -> Option<Self> {
        let engines: Vec<_> = engines.into_iter().collect();
        for engine in &engines {
            // There is somebody else to be asked, so nobody waits for the end of an outage.
            engine.pool().set_outage_grace(Duration::ZERO);
        }
        let rota = Mutex::new(Rota::new(engines.len()));
        (!engines.is_empty()).then_some(Self { own, engines, rota })
    }

    pub(crate) fn engines(&self) -> &[Engine<DB>] {
        &self.engines
    }

    pub(crate) fn own(&self) -> &Arc<Shared<DB>> {
        &self.own
    }

    pub(crate) fn shared(&self, replica: usize) -> &Arc<Shared<DB>> {
        self.engines[replica].shared()
    }

    /// Whom to ask next, if any of them is there.
    pub(crate) fn next(&self) -> Option<usize> {
        let used = |replica: usize| {
            let status = self.engines[replica].status();
            status.checked_out + status.waiting
        };
        self.rota().next(Instant::now(), used)
    }

    pub(crate) fn reached(&self, replica: usize) {
        self.rota().reached(replica);
    }

    pub(crate) fn missed(&self, replica: usize) {
        self.rota().missed(replica, Instant::now());
    }

    fn rota(&self) -> MutexGuard<'_, Rota> {
        self.rota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
