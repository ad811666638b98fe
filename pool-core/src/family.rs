//! A `SingletonThreadPool`: each thread's pool of one connection.

use std::{
    sync::{Arc, OnceLock},
    thread::{self, ThreadId},
};

use crate::{
    connector::Connector,
    runtime::Runtime,
    shared::{PoolMachine, Setting, Shared},
    sync::Lock,
};

pub(crate) struct Family<K: Connector, R: Runtime> {
    setting: Arc<Setting<K, R>>,
    /// How many are kept.
    size: usize,
    members: Lock<Members<K, R>>,
    /// The family of a forked child, which must not touch this one.
    heir: OnceLock<Arc<Self>>,
}

struct Members<K: Connector, R: Runtime> {
    /// In the order of their last use.
    known: Vec<Member<K, R>>,
    stance: Stance,
}

type Member<K, R> = (ThreadId, Arc<Shared<K, R>>);

/// How a thread is met that comes for the first time: as the others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    /// → Suspended, Closed
    Open,
    /// → Open, Closed
    Suspended,
    Closed,
}

impl<K: Connector, R: Runtime> Family<K, R> {
    pub(crate) fn new(setting: Arc<Setting<K, R>>, size: usize) -> Self {
        let members = Members {
            known: Vec::new(),
            stance: Stance::Open,
        };
        Self {
            setting,
            size,
            members: Lock::new(members),
            heir: OnceLock::new(),
        }
    }

    /// The family of this process, whose setting this is. In a forked child that is not the parent's,
    /// whose lock may be held for ever by a thread that is not there.
    pub(crate) fn live(self: &Arc<Self>, setting: &Arc<Setting<K, R>>) -> &Arc<Self> {
        if Arc::ptr_eq(&self.setting, setting) {
            return self;
        }
        let heir = || Arc::new(Self::new(Arc::clone(setting), self.size));
        self.heir.get_or_init(heir).live(setting)
    }

    /// From now on, unless the family is closed.
    pub(crate) fn stand(&self, stance: Stance) {
        let mut members = self.members.lock();
        if members.stance != Stance::Closed {
            members.stance = stance;
        }
    }

    /// The calling thread's pool. If there are too many, those that rested longest are closed.
    pub(crate) fn mine(&self) -> Arc<Shared<K, R>> {
        let me = thread::current().id();
        let mut members = self.members.lock();
        let known = members.known.iter().position(|(thread, _)| *thread == me);
        let mine = match known {
            Some(at) => members.known.remove(at).1,
            None => self.newcomer(members.stance),
        };
        let mut evicted = Vec::new();
        while members.known.len() >= self.size
            && let Some(oldest) = members.known.iter().position(is_at_rest)
        {
            evicted.push(members.known.remove(oldest));
        }
        members.known.push((me, Arc::clone(&mine)));
        drop(members);
        // Closes their connections, which is the driver's code.
        drop(evicted);
        mine
    }

    fn newcomer(&self, stance: Stance) -> Arc<Shared<K, R>> {
        let pool = Shared::new(Arc::clone(&self.setting)).expect("checked when it was made");
        match stance {
            Stance::Open => {}
            Stance::Suspended => pool.enter(PoolMachine::<K, R>::suspend),
            Stance::Closed => pool.report(PoolMachine::<K, R>::shut_down),
        }
        pool
    }

    /// The calling thread's pool, if it has come before.
    pub(crate) fn known(&self) -> Option<Arc<Shared<K, R>>> {
        let me = thread::current().id();
        let members = self.members.lock();
        let mut known = members.known.iter();
        known.find_map(|(thread, pool)| (*thread == me).then(|| Arc::clone(pool)))
    }

    pub(crate) fn members(&self) -> Vec<Arc<Shared<K, R>>> {
        let members = self.members.lock();
        let known = members.known.iter();
        known.map(|(_, pool)| Arc::clone(pool)).collect()
    }
}

/// Whether nobody has anything to do with this pool: no lease, no work, no thread on its way to a
/// checkout.
fn is_at_rest<K: Connector, R: Runtime>((_, pool): &Member<K, R>) -> bool {
    Arc::strong_count(pool) == 1 && Arc::strong_count(pool.live()) == 1
}
