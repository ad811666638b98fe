//! Opening a connection.

use std::sync::Arc;

use crate::{
    connector::Connector,
    error::ConnectFailure,
    held::Held,
    home::Home,
    hook::HookError,
    job::{Debt, Job},
    listeners::Event,
    machine::{ConnectFault, Permit},
    panics::{shielded, survive},
    runtime::Runtime,
    shared::Shared,
};

pub(super) async fn connect<K: Connector, R: Runtime>(job: Job<K, R>) {
    let pool = Arc::clone(job.pool());
    let Some((permit, home)) = job.permit() else {
        return;
    };
    let opening = survive(|| pool.open(permit, home));
    let patience = pool.options.connect_timeout;
    let outcome = match pool.bounded(patience, opening).await {
        None => Err(ConnectFailure::Unanswered(patience)),
        Some(Err(panic)) => Err(ConnectFailure::Panicked(panic)),
        Some(Ok(outcome)) => outcome,
    };
    let Some(Debt::Connect(permit, _)) = job.paid() else {
        return;
    };
    match outcome {
        Ok(held) => {
            tracing::debug!(target: "everpool::pool", "Created new connection");
            let stale = pool.report(|machine, now| {
                // Under the lock, as below: the end of its runtime may have been told before.
                if held.home.is_over() {
                    let ended = Arc::new(ConnectFailure::RuntimeEnded);
                    machine.connect_failed(permit, ended, ConnectFault::Transient, now);
                    return Some(held);
                }
                machine.connected(permit, held, now);
                None
            });
            let _panicked = shielded(|| drop(stale));
        }
        Err(failure) => {
            let fault = pool.connect_fault(&failure);
            tracing::info!(target: "everpool::pool", %failure, ?fault, "Error on connect()");
            let failure = Arc::new(failure);
            pool.report(|machine, now| machine.connect_failed(permit, failure, fault, now));
        }
    }
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    fn connect_fault(&self, failure: &ConnectFailure<K::Error>) -> ConnectFault {
        match failure {
            ConnectFailure::Driver(error) => {
                let fault = shielded(|| self.connector.connect_fault(error));
                fault.unwrap_or(ConnectFault::Permanent)
            }
            ConnectFailure::Unanswered(_) | ConnectFailure::RuntimeEnded => ConnectFault::Transient,
            _ => ConnectFault::Permanent,
        }
    }
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    async fn open(
        &self,
        permit: &Permit,
        home: Arc<Home<R>>,
    ) -> Result<Box<Held<K, R>>, ConnectFailure<K::Error>> {
        let connected = self.connector.connect().await;
        let connection = connected.map_err(ConnectFailure::Driver)?;
        let info = self.take_record_info(permit.slot());
        let mut held = Box::new(Held::new(connection, info, home));
        match self.introduce(&mut held, permit).await {
            Ok(()) => Ok(held),
            Err(error) => {
                self.keep_record_info(permit.slot(), std::mem::take(&mut held.record_info));
                self.connector.close(held.connection).await;
                Err(ConnectFailure::Hook(error.into_inner()))
            }
        }
    }

    /// The hooks of a new connection.
    async fn introduce(&self, held: &mut Held<K, R>, permit: &Permit) -> Result<(), HookError> {
        if self.board.is_any_heard(Event::FirstConnect.bit())
            && let Some(turn) = self.first.turn().await
        {
            self.tell(Event::FirstConnect, held, permit.place()).await?;
            turn.succeeded();
        }
        self.tell(Event::Connect, held, permit.place()).await
    }
}
