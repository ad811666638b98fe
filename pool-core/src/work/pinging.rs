//! Asking for a sign of life.

use std::sync::Arc;

use crate::{
    connector::Connector,
    error::ConnectFailure,
    held::Reason,
    job::{Debt, Job},
    machine::Fault,
    panics::survive,
    runtime::Runtime,
};

pub(super) async fn ping<K: Connector, R: Runtime>(mut job: Job<K, R>) {
    let pool = Arc::clone(job.pool());
    let Some(entry) = job.entry() else { return };
    let pinging = survive(|| pool.connector.ping(&mut entry.connection.connection));
    let patience = pool.options.ping_timeout;
    let (failure, fault) = match pool.bounded(patience, pinging).await {
        Some(Ok(Ok(()))) => {
            let Some(Debt::Ping(entry)) = job.paid() else {
                return;
            };
            return pool.report(|machine, now| match entry.connection.home.is_over() {
                true => {
                    let ended = Arc::new(ConnectFailure::RuntimeEnded);
                    machine.ping_failed(entry, ended, Fault::Connection, now);
                }
                false => machine.pinged(entry, now),
            });
        }
        Some(Ok(Err(error))) => {
            let fault = pool.fault(&error, &mut entry.connection);
            (ConnectFailure::Driver(error), fault)
        }
        Some(Err(panic)) => (ConnectFailure::Panicked(panic), Fault::Connection),
        None => (ConnectFailure::Unanswered(patience), Fault::Server),
    };
    tracing::info!(target: "everpool::pool", %failure, ?fault, "Pool pre-ping on connection failed");
    let failure = Arc::new(failure);
    let Some(Debt::Ping(mut entry)) = job.paid() else {
        return;
    };
    entry.connection.reason = Some(Arc::<ConnectFailure<K::Error>>::clone(&failure) as Reason);
    pool.report(|machine, now| machine.ping_failed(entry, failure, fault, now));
}
