//! Asking for a sign of life.

use std::sync::Arc;

use crate::{
    connector::Connector,
    error::ConnectFailure,
    held::Reason,
    job::{Debt, Job},
    machine::Fault,
    panics::{shielded, survive},
    runtime::Runtime,
};

/// Looks at the connection without asking the server. If that is not enough, it is to be pinged.
pub(super) fn look<K: Connector, R: Runtime>(mut job: Job<K, R>) -> Option<Job<K, R>> {
    let pool = Arc::clone(job.pool());
    let entry = job.entry()?;
    if entry.connection.home.is_over() {
        return Some(job);
    }
    let held = &mut entry.connection.connection;
    match shielded(|| pool.connector.is_alive(held)) {
        Some(None) => Some(job),
        Some(Some(true)) => {
            let Some(Debt::Ping(entry)) = job.paid() else {
                return None;
            };
            let unsure = pool.report(|machine, now| machine.looked_alive(entry, now))?;
            Some(Job::new(&pool, Debt::Ping(unsure)))
        }
        Some(Some(false)) => {
            failed(job, ConnectFailure::Closed, Fault::Connection);
            None
        }
        None => {
            let panicked = ConnectFailure::Panicked("in is_alive".into());
            failed(job, panicked, Fault::Connection);
            None
        }
    }
}

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
    failed(job, failure, fault);
}

fn failed<K: Connector, R: Runtime>(
    job: Job<K, R>,
    failure: ConnectFailure<K::Error>,
    fault: Fault,
) {
    let pool = Arc::clone(job.pool());
    tracing::info!(target: "everpool::pool", %failure, ?fault, "Pool pre-ping on connection failed");
    let failure = Arc::new(failure);
    let Some(Debt::Ping(mut entry)) = job.paid() else {
        return;
    };
    entry.connection.reason = Some(Arc::<ConnectFailure<K::Error>>::clone(&failure) as Reason);
    pool.report(|machine, now| machine.ping_failed(entry, failure, fault, now));
}
