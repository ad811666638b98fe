//! Checkouts of an engine whose connections are its replicas'.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use everpool_engine::{is_unreachable, note_missed};

use super::Connection;
use crate::{
    driver::Driver,
    engine::{CheckoutError, Engine, Replicas},
    shared::Shared,
};

impl<C: Driver> Connection<C> {
    /// Takes a connection of a replica, or if none is there, of the engine's own database.
    pub(super) fn checkout_routed(
        &mut self,
        replicas: &Replicas<C>,
        timeout: Duration,
    ) -> Result<(), CheckoutError> {
        let began = Instant::now();
        let left = || timeout.saturating_sub(began.elapsed());
        for _ in replicas.all() {
            let Some((number, replica)) = replicas.next(used) else {
                break;
            };
            self.turn_to(replica.shared());
            let Err(error) = self.checkout_here(left()) else {
                replicas.reached(number);
                return Ok(());
            };
            if !is_unreachable(&error) {
                return Err(error);
            }
            replicas.missed(number);
            if left().is_zero() {
                return Err(error);
            }
            note_missed(&self.engine, &error);
        }
        self.turn_to(replicas.own());
        self.checkout_here(left())
    }

    fn turn_to(&mut self, shared: &Arc<Shared<C>>) {
        if !Arc::ptr_eq(self.engine.shared(), shared) {
            self.engine = self.engine.reading(shared);
            self.inner.turn_to(self.engine.pool().clone());
        }
    }
}

/// How many connections are in use or waited for.
fn used<C: Driver>(engine: &Engine<C>) -> usize {
    let status = engine.status();
    status.checked_out + status.waiting
}
