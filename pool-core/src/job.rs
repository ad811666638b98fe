//! What is owed to the machine while work is under way.

use std::sync::Arc;

use crate::{
    connector::Connector,
    error::ConnectFailure,
    held::HeldEntry,
    home::Home,
    machine::{Closing, ConnectFault, Fault, Permit},
    runtime::Runtime,
    shared::Shared,
};

pub(crate) enum Debt<K: Connector, R> {
    Connect(Permit, Arc<Home<R>>),
    Ping(HeldEntry<K, R>),
    /// A connection that is being reset, or prepared by a hook.
    Return(HeldEntry<K, R>),
    Close(Closing),
}

/// Work under way. Dropped before its debt is paid (with its runtime, by a caller that leaves), it
/// pays with the connection, not with the slot.
pub(crate) struct Job<K: Connector, R: Runtime> {
    pool: Arc<Shared<K, R>>,
    debt: Option<Debt<K, R>>,
}

impl<K: Connector, R: Runtime> Job<K, R> {
    pub(crate) fn new(pool: &Arc<Shared<K, R>>, debt: Debt<K, R>) -> Self {
        Self {
            pool: Arc::clone(pool),
            debt: Some(debt),
        }
    }

    pub(crate) fn pool(&self) -> &Arc<Shared<K, R>> {
        &self.pool
    }

    /// Whoever takes the debt pays it.
    pub(crate) fn paid(mut self) -> Option<Debt<K, R>> {
        self.debt.take()
    }

    pub(crate) fn permit(&self) -> Option<(&Permit, Arc<Home<R>>)> {
        match &self.debt {
            Some(Debt::Connect(permit, home)) => Some((permit, Arc::clone(home))),
            _ => None,
        }
    }

    pub(crate) fn entry(&mut self) -> Option<&mut HeldEntry<K, R>> {
        match &mut self.debt {
            Some(Debt::Ping(entry) | Debt::Return(entry)) => Some(entry),
            _ => None,
        }
    }

    pub(crate) fn closing(&self) -> Option<&Closing> {
        match &self.debt {
            Some(Debt::Close(closing)) => Some(closing),
            _ => None,
        }
    }
}

impl<K: Connector, R: Runtime> Drop for Job<K, R> {
    fn drop(&mut self) {
        let Some(debt) = self.debt.take() else { return };
        if self.pool.is_foreign() {
            // What a child has inherited is the parent's to pay.
            return std::mem::forget(debt);
        }
        let dropped = || Arc::new(ConnectFailure::RuntimeEnded);
        self.pool.report(|machine, now| match debt {
            Debt::Connect(permit, home) => {
                home.ends();
                machine.connect_failed(permit, dropped(), ConnectFault::Transient, now);
            }
            Debt::Ping(entry) => machine.ping_failed(entry, dropped(), Fault::Connection, now),
            Debt::Return(mut entry) => {
                entry.connection.owes_checkin = true;
                machine.invalidated(entry, Fault::Connection, now);
            }
            Debt::Close(closing) => machine.closed(closing, now),
        });
    }
}
