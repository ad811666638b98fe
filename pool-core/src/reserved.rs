use std::{
    fmt, mem,
    sync::{Arc, Mutex},
};

use crate::{
    connector::Connector,
    held::{Finalizer, Held, HeldEntry, Reason},
    home::Home,
    info::Info,
    lease::{Lease, Loan},
    machine::Entry,
    nests::NestId,
    runtime::Runtime,
    shared::Shared,
};

/// A place in a pool whose connection somebody has by itself: [`Lease::take_out`]. To the pool it is lent.
///
/// Dropped, it is free at once: the connection does not come back.
#[must_use = "a reserved place that is dropped is free at once"]
pub struct Reserved<K: Connector, R: Runtime> {
    shared: Arc<Shared<K, R>>,
    /// Until it is put back.
    entry: Option<Entry<Beside<K, R>>>,
    waits: bool,
}

/// All that is kept with a connection, without it.
struct Beside<K: Connector, R> {
    info: Info,
    record_info: Info,
    home: Arc<Home<R>>,
    finalizers: Vec<Mutex<Finalizer<K::Connection>>>,
    awaits: bool,
    reason: Option<Reason>,
    is_spent: bool,
    nest: Option<NestId>,
    owes_checkin: bool,
}

impl<K: Connector, R: Runtime> Beside<K, R> {
    fn apart(held: Held<K, R>) -> (K::Connection, Self) {
        let Held {
            connection,
            info,
            record_info,
            home,
            finalizers,
            awaits,
            reason,
            is_spent,
            nest,
            owes_checkin,
        } = held;
        let beside = Self {
            info,
            record_info,
            home,
            finalizers,
            awaits,
            reason,
            is_spent,
            nest,
            owes_checkin,
        };
        (connection, beside)
    }

    fn together(self, connection: K::Connection) -> Held<K, R> {
        Held {
            connection,
            info: self.info,
            record_info: self.record_info,
            home: self.home,
            finalizers: self.finalizers,
            awaits: self.awaits,
            reason: self.reason,
            is_spent: self.is_spent,
            nest: self.nest,
            owes_checkin: self.owes_checkin,
        }
    }
}

impl<K: Connector, R: Runtime> Reserved<K, R> {
    pub(crate) fn take_out(loan: Loan<K, R>, waits: bool) -> (K::Connection, Self) {
        let Loan { shared, entry } = loan;
        let mut connection = None;
        let entry = entry.map(|held| {
            let (taken, beside) = Beside::apart(*held);
            connection = Some(taken);
            beside
        });
        let reserved = Self {
            shared,
            entry: Some(entry),
            waits,
        };
        (connection.expect("`map` calls what it is given"), reserved)
    }

    /// A lease of this connection, which returns it to its place. Does not block.
    pub fn put_back(mut self, connection: K::Connection) -> Lease<K, R> {
        let entry = self.entry.take().expect("only this and the drop take it");
        let entry: HeldEntry<K, R> = entry.map(|beside| Box::new(beside.together(connection)));
        let shared = Arc::clone(&self.shared);
        Lease::of(Loan { shared, entry }, self.waits)
    }
}

impl<K: Connector, R: Runtime> Drop for Reserved<K, R> {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else {
            return;
        };
        if self.shared.is_foreign() {
            // In a forked child the place is the parent's.
            return mem::forget(entry);
        }
        let slot = entry.slot();
        let beside = self
            .shared
            .report(|machine, now| machine.detached(entry, now));
        self.shared.keep_record_info(slot, beside.record_info);
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Reserved<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = self.entry.as_ref().map(Entry::slot);
        f.debug_struct("Reserved")
            .field("slot", &slot)
            .finish_non_exhaustive()
    }
}
