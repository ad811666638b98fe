//! Closing a connection.

use std::sync::Arc;

use crate::{
    connector::Connector,
    held::Held,
    job::{Debt, Job},
    listeners::Event,
    machine::Cause,
    panics::survive,
    runtime::Runtime,
};

pub(super) async fn close<K: Connector, R: Runtime>(job: Job<K, R>, mut held: Box<Held<K, R>>) {
    let pool = Arc::clone(job.pool());
    let Some(closing) = job.closing() else { return };
    let (slot, place) = (closing.slot(), closing.place());
    let is_lost = match closing.cause() {
        Cause::Invalidated => !held.is_spent,
        Cause::PingFailed | Cause::ResetFailed => true,
        _ => false,
    };
    tracing::debug!(target: "everpool::pool", cause = ?closing.cause(), "Closing connection");
    if is_lost {
        pool.notify(Event::Invalidate, &mut held, place).await;
    }
    pool.notify(Event::Close, &mut held, place).await;
    let Held {
        connection,
        mut record_info,
        mut info,
        owes_checkin,
        ..
    } = *held;
    let closed = pool.bounded(
        pool.options.close_timeout,
        survive(|| pool.connector.close(connection)),
    );
    match closed.await {
        Some(Ok(())) => {}
        Some(Err(panic)) => {
            tracing::error!(target: "everpool::pool", panic, "Exception closing connection");
        }
        None => tracing::warn!(target: "everpool::pool", "a connection did not close in time"),
    }
    if owes_checkin {
        pool.checked_in_without(&mut info, &mut record_info, place)
            .await;
    }
    pool.keep_record_info(slot, record_info);
    let Some(Debt::Close(closing)) = job.paid() else {
        return;
    };
    pool.report(|machine, now| machine.closed(closing, now));
}
