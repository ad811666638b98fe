//! A `SingletonThreadPool`: each thread's pool of one connection.

use std::{
    sync::Arc,
    thread::{self, ThreadId},
};

use crate::{
    connector::Connector,
    machine::Status,
    runtime::Runtime,
    shared::{Setting, Shared},
    sync::Lock,
};

pub(crate) struct Family<K: Connector, R: Runtime> {
    setting: Arc<Setting<K, R>>,
    /// How many are kept.
    size: usize,
    /// In the order of their last use.
    members: Lock<Vec<Member<K, R>>>,
}

type Member<K, R> = (ThreadId, Arc<Shared<K, R>>);

impl<K: Connector, R: Runtime> Family<K, R> {
    pub(crate) fn new(setting: Arc<Setting<K, R>>, size: usize) -> Self {
        Self {
            setting,
            size,
            members: Lock::default(),
        }
    }

    /// The calling thread's pool. If that is one too many, the one that rested longest is closed.
    pub(crate) fn mine(&self) -> Arc<Shared<K, R>> {
        let me = thread::current().id();
        let mut members = self.members.lock();
        let mine = members.iter().position(|(thread, _)| *thread == me);
        let mine = match mine {
            Some(at) => members.remove(at).1,
            None => Shared::new(Arc::clone(&self.setting)).expect("checked when it was made"),
        };
        members.push((me, Arc::clone(&mine)));
        let at_rest = |(_, pool): &Member<K, R>| is_at_rest(pool);
        let surplus = members.len() > self.size;
        let oldest = surplus.then(|| members.iter().position(at_rest)).flatten();
        let evicted = oldest
            .filter(|at| *at + 1 < members.len())
            .map(|at| members.remove(at));
        drop(members);
        // Closes its connection, which is the driver's code.
        drop(evicted);
        mine
    }

    pub(crate) fn members(&self) -> Vec<Arc<Shared<K, R>>> {
        let members = self.members.lock();
        members.iter().map(|(_, pool)| Arc::clone(pool)).collect()
    }
}

fn is_at_rest<K: Connector, R: Runtime>(pool: &Arc<Shared<K, R>>) -> bool {
    let Status {
        checked_out,
        waiting,
        connecting,
        ..
    } = pool.enter(|machine| machine.status());
    checked_out + waiting + connecting == 0
}
