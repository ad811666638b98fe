//! `echo_pool`: what a pool does, through `tracing`.

use everpool_core::{Connector, Handle, Runtime, machine::SlotId};

use crate::{Echo, EngineOptions};

/// Has a pool write what becomes of its connections to the target `everpool::pool`, as much as the
/// options say: with `echo_pool` those that are invalidated, with `"debug"` each step too. Without it,
/// what the pool itself writes.
pub fn install<K: Connector, R: Runtime>(pool: &Handle<K, R>, options: &EngineOptions) {
    let name = options.pool_logging_name().map(str::to_owned);
    let tell = move |what: &'static str| {
        let name = name.clone();
        move |slot: SlotId| {
            tracing::info!(target: "everpool::pool", name, connection = slot.index(), "{what}");
        }
    };
    if options.echo_pool() == Echo::Off {
        return;
    }
    let events = pool.events();
    let invalidated = tell("Invalidate connection");
    let softly = tell("Soft invalidate connection");
    events.invalidate(move |_, record, _| invalidated(record.slot));
    events.soft_invalidate(move |_, record, _| softly(record.slot));
    if options.echo_pool() == Echo::On {
        return;
    }
    let (created, lent) = (
        tell("Created new connection"),
        tell("Connection checked out from pool"),
    );
    let (closed, returned) = (
        tell("Closing connection"),
        tell("Connection being returned to pool"),
    );
    events.connect(move |_, record| {
        created(record.slot);
        Ok(())
    });
    events.checkout(move |_, record| {
        lent(record.slot);
        Ok(())
    });
    events.checkin(move |_, record| {
        returned(record.slot);
        Ok(())
    });
    events.close(move |_, record| closed(record.slot));
}
