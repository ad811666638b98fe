//! What is done with a connection that came back, before it can be lent again.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, PoisonError},
    task::{Context, Poll, Waker},
};

use super::{Place, telling::hook_panicked};
use crate::{
    connector::Connector,
    error::ConnectFailure,
    held::{Held, Reason},
    hook::{HookError, ResetState},
    job::{Debt, Job},
    listeners::Event,
    machine::{Fault, ResetOnReturn, Residue},
    panics::survive,
    runtime::Runtime,
    shared::Shared,
};

/// A connection came back and something is to be done with it; the machine knows.
pub(crate) async fn give_back<K: Connector, R: Runtime>(mut job: Job<K, R>, residue: Residue) {
    let pool = Arc::clone(job.pool());
    let Some(entry) = job.entry() else { return };
    let place = (entry.slot(), entry.generation());
    let undoing = survive(|| pool.undo(&mut entry.connection, place, residue));
    let patience = pool.options.reset_timeout;
    // A hook does not want it back, which is no accident.
    let mut is_dismissed = false;
    let (reason, fault): (Reason, Fault) = match pool.bounded(patience, undoing).await {
        Some(Ok(Ok(()))) => {
            let Some(Debt::Return(entry)) = job.paid() else {
                return;
            };
            return pool.report(|machine, now| match entry.connection.home.is_over() {
                true => machine.invalidated(entry, Fault::Connection, now),
                false => machine.was_reset(entry, now),
            });
        }
        Some(Ok(Err(ReturnFailure::Driver(error)))) => {
            // Whatever the error is, what was open may still be.
            let fault = pool.fault(&error, &mut entry.connection);
            (Arc::new(error), fault.max(Fault::Connection))
        }
        Some(Ok(Err(ReturnFailure::Hook(error)))) => {
            is_dismissed = matches!(error, HookError::Disconnection(_));
            let fault = match error {
                HookError::InvalidatePool(_) => Fault::Server,
                _ => Fault::Connection,
            };
            (error.into_inner().into(), fault)
        }
        Some(Err(panic)) => (panicked::<K>(panic), Fault::Connection),
        None => {
            let failure = ConnectFailure::<K::Error>::Unanswered(patience);
            (Arc::new(failure), Fault::Connection)
        }
    };
    match is_dismissed {
        true => tracing::info!(target: "everpool::pool", %reason, "Invalidate connection"),
        false => {
            tracing::error!(target: "everpool::pool", %reason, "Exception during reset or similar");
        }
    }
    let Some(Debt::Return(mut entry)) = job.paid() else {
        return;
    };
    entry.connection.reason = Some(reason);
    pool.report(|machine, now| machine.invalidated(entry, fault, now));
}

fn panicked<K: Connector>(message: String) -> Reason {
    Arc::new(ConnectFailure::<K::Error>::Panicked(message))
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    /// All that is done with a connection that came back, before it can be lent again.
    async fn undo(
        &self,
        held: &mut Held<K, R>,
        place: Place,
        residue: Residue,
    ) -> Result<(), ReturnFailure<K::Error>> {
        held.owes_checkin = true;
        let state = ResetState {
            transaction_was_reset: residue == Residue::Clean,
            terminate_only: false,
        };
        let told = self.tell_with(Event::Reset, held, place, state).await;
        told.map_err(ReturnFailure::Hook)?;
        if self.is_to_be_reset(residue) {
            let how = self.options.reset_on_return;
            let reset = self.connector.reset(&mut held.connection, how).await;
            reset.map_err(ReturnFailure::Driver)?;
        }
        while let Some(finalizer) = held.finalizers.pop() {
            let finalizer = finalizer
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner);
            let undone = survive(|| finalizer(&mut held.connection).verdict()).await;
            let undone = undone.unwrap_or_else(|panic| Err(hook_panicked(&panic)));
            undone.map_err(ReturnFailure::Hook)?;
        }
        (held.awaits, held.owes_checkin) = (false, false);
        let told = self.tell(Event::Checkin, held, place).await;
        told.map_err(ReturnFailure::Hook)
    }

    pub(crate) fn is_to_be_reset(&self, residue: Residue) -> bool {
        let is_due = residue != Residue::Clean || self.options.reset_always;
        is_due && self.options.reset_on_return != ResetOnReturn::Nothing
    }
}

/// Why a returned connection cannot be lent again.
enum ReturnFailure<E> {
    Driver(E),
    Hook(HookError),
}

/// The future's output, if it has one at once.
pub(crate) fn at_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
