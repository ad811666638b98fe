use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex},
};

use crate::{
    connector::Connector,
    home::Home,
    hook::{Answer, Record},
    info::Info,
    machine::{Entry, Generation, SlotId},
    nests::NestId,
};

/// Undoes something on a connection before it can be lent again.
pub(crate) type Finalizer<C> = Box<dyn for<'a> FnOnce(&'a mut C) -> Answer<'a> + Send>;

/// Why a connection is lost.
pub(crate) type Reason = Arc<dyn Error + Send + Sync>;

/// A driver's connection, and what is kept with it.
pub(crate) struct Held<K: Connector, R> {
    pub(crate) connection: K::Connection,
    pub(crate) info: Info,
    pub(crate) record_info: Info,
    /// The runtime it was opened in.
    pub(crate) home: Arc<Home<R>>,
    /// In locks that are never taken, so that a lease is `Sync` if its connection is.
    pub(crate) finalizers: Vec<Mutex<Finalizer<K::Connection>>>,
    /// A finalizer may have to wait for the driver.
    pub(crate) awaits: bool,
    pub(crate) reason: Option<Reason>,
    /// It is to be replaced although nothing was wrong with it: it was invalidated softly.
    pub(crate) is_spent: bool,
    /// Which nest lent it, the last time that one did.
    pub(crate) nest: Option<NestId>,
    /// A user had it, and the end of that is still to be told: by `checkin`, without it.
    pub(crate) owes_checkin: bool,
}

/// What the machine moves about.
pub(crate) type Boxed<K, R> = Box<Held<K, R>>;
pub(crate) type HeldEntry<K, R> = Entry<Boxed<K, R>>;

impl<K: Connector, R> Held<K, R> {
    pub(crate) fn new(connection: K::Connection, record_info: Info, home: Arc<Home<R>>) -> Self {
        Self {
            connection,
            info: Info::default(),
            record_info,
            home,
            finalizers: Vec::new(),
            awaits: false,
            reason: None,
            is_spent: false,
            nest: None,
            owes_checkin: false,
        }
    }

    /// Whether it can be put to rest with nothing done before, if nothing is open on it.
    pub(crate) fn is_plain(&self) -> bool {
        !self.is_spent && self.finalizers.is_empty() && !self.home.is_over()
    }

    /// The connection, and what a hook is told beside it.
    pub(crate) fn open(
        &mut self,
        slot: SlotId,
        generation: Generation,
    ) -> (&mut K::Connection, Record<'_>) {
        let record = Record {
            info: &mut self.info,
            record_info: &mut self.record_info,
            slot,
            generation,
        };
        (&mut self.connection, record)
    }
}

impl<K: Connector, R> fmt::Debug for Held<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}
