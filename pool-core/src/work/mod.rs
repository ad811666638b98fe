//! Who does what the machine asks for.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Weak},
    task::Poll,
    time::Duration,
};

use crate::{
    connector::Connector,
    error::ConnectFailure,
    held::Held,
    home::Home,
    job::{Debt, Job},
    listeners::Event,
    machine::{Action, ConnectFault, Fault, Generation, Holder, Permit, SlotId, Time},
    now::now,
    panics::shielded,
    runtime::{Runtime, Work},
    shared::{Setting, Shared, wake},
};

mod closing;
mod opening;
mod pinging;
mod returning;
mod telling;

pub(crate) use returning::{at_once, give_back};

use {
    closing::close,
    opening::connect,
    pinging::{look, ping},
};

impl<K: Connector, R: Runtime> Shared<K, R> {
    pub(crate) fn perform(self: &Arc<Self>, action: Action<Box<Held<K, R>>>) {
        match action {
            Action::Wake(waker) => wake(waker),
            Action::TickAt(at) => self.at(at, Self::tick_now),
            // In a model, time does not pass, and is not waited for.
            Action::Connect { permit, not_before } if cfg!(loom) || not_before <= now() => {
                self.launch(permit);
            }
            Action::Connect { permit, not_before } => {
                self.at(not_before, |pool| pool.launch(permit));
            }
            Action::Ping(entry) => {
                let home = Arc::clone(&entry.connection.home);
                if let Some(job) = look(Job::new(self, Debt::Ping(entry))) {
                    spawn(&home, Box::pin(ping(job)));
                }
            }
            Action::Close(closing, held) => {
                let home = Arc::clone(&held.home);
                let job = Job::new(self, Debt::Close(closing));
                spawn(&home, Box::pin(close(job, held)));
            }
            Action::Leaked(holder, held) => {
                tracing::warn!(target: "everpool::pool", ?held, "A connection was not returned: {holder}");
                self.report_leak(holder, held);
            }
        }
    }

    /// Later, unless the pool is gone by then.
    fn at(self: &Arc<Self>, time: Time, then: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let pool: Weak<Self> = Arc::downgrade(self);
        self.clock.at(time, move || {
            if let Some(pool) = pool.upgrade() {
                then(&pool);
            }
        });
    }

    fn tick_now(this: &Arc<Self>) {
        this.tick();
    }

    /// Time has passed.
    pub(crate) fn tick(self: &Arc<Self>) {
        self.report(|machine, now| {
            machine.tick(now, |after| Arc::new(ConnectFailure::Unanswered(after)));
        });
    }

    fn launch(self: &Arc<Self>, permit: Permit) {
        // Whoever waits is in a runtime that goes on; who performs this may be in another that does
        // not.
        let is_awaited = self.enter(|machine| machine.waiting() > 0);
        let met = is_awaited.then(|| self.homes.last()).flatten();
        let Some(home) = met.or_else(|| self.here()) else {
            let failure = Arc::new(ConnectFailure::NoRuntime);
            return self.report(|machine, now| {
                machine.connect_failed(permit, failure, ConnectFault::Permanent, now);
            });
        };
        let job = Job::new(self, Debt::Connect(permit, Arc::clone(&home)));
        spawn(&home, Box::pin(connect(job)));
    }

    /// A caller may have to wait. Whoever opens a connection for it later, like the clock's thread,
    /// may be in no runtime, and needs to know of this one.
    pub(crate) fn meet(self: &Arc<Self>) {
        if !R::IS_LASTING && shielded(|| self.homes.is_last_here()) != Some(true) {
            let _known_from_now_on = self.here();
        }
    }

    /// In the background: the hooks may take their time, and connections of this pool.
    fn report_leak(self: &Arc<Self>, holder: Holder, held: Duration) {
        if !self.board.is_any_heard(Event::Leak.bit()) {
            return;
        }
        let listeners = self.board.listeners();
        match self.here() {
            Some(home) => spawn(
                &home,
                Box::pin(async move { listeners.leaks(&holder, held) }),
            ),
            None => listeners.leaks(&holder, held),
        }
    }

    fn here(self: &Arc<Self>) -> Option<Arc<Home<R>>> {
        let (home, is_new) = shielded(|| self.homes.here()).flatten()?;
        if is_new && !R::IS_LASTING {
            shielded(|| self.watch(&home))?;
        }
        Some(home)
    }

    /// Leaves a task in a runtime that tells its end.
    fn watch(self: &Arc<Self>, home: &Arc<Home<R>>) {
        let sentinel = Sentinel(Arc::downgrade(self), Arc::clone(home));
        home.runtime.spawn(Box::pin(async move {
            poll_fn(|context| sentinel.1.is_left(context)).await;
        }));
    }

    pub(crate) fn fault(&self, error: &K::Error, held: &mut Held<K, R>) -> Fault {
        shielded(|| self.connector.fault(error, &mut held.connection)).unwrap_or(Fault::Connection)
    }
}

impl<K: Connector, R: Runtime> Setting<K, R> {
    /// The output, unless it takes longer. No timer is set for what is ready at once.
    pub(crate) async fn bounded<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = pin!(work);
        let mut sleep = None;
        poll_fn(|context| {
            if let Poll::Ready(output) = work.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let sleep = sleep.get_or_insert_with(|| Box::pin(self.clock.sleep(patience)));
            sleep.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

/// A slot, and the generation of what is in it.
pub(crate) type Place = (SlotId, Generation);

/// In a runtime that is over, or that panics, work is dropped; that tells its end.
pub(crate) fn spawn<R: Runtime>(home: &Home<R>, work: Work) {
    if !home.is_over() && shielded(|| home.runtime.spawn(work)).is_none() {
        tracing::error!(target: "everpool::pool", "a runtime panicked in spawn");
    }
}

/// Dropped with its runtime.
struct Sentinel<K: Connector, R: Runtime>(Weak<Shared<K, R>>, Arc<Home<R>>);

impl<K: Connector, R: Runtime> Drop for Sentinel<K, R> {
    fn drop(&mut self) {
        let pool = self.0.upgrade();
        if pool.as_ref().is_some_and(|pool| pool.is_foreign()) {
            return;
        }
        self.1.ends();
        if let Some(pool) = pool {
            pool.report(|machine, now| {
                machine.condemn(|held| held.home.is_over(), now);
            });
        }
    }
}
