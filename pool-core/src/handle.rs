use std::{fmt, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use crate::{
    connector::Connector,
    crew::Threads,
    error::HeldBy,
    events::Events,
    family::{Family, Stance},
    machine::{
        Capacity, Generation, Holder, Options, OptionsError, PoolClass, ResetOnReturn, Snapshot,
        Status,
    },
    nests::Owner,
    runtime::Runtime,
    shared::{PoolMachine, Setting, Shared, held_by},
};

/// SQLAlchemy's `pool_timeout`.
const POOL_TIMEOUT: Duration = Duration::from_secs(30);

/// All that can be done with a pool but taking a connection and closing it, which differ between
/// [`blocking::Pool`](crate::blocking::Pool) and [`future::Pool`](crate::future::Pool). Nothing here
/// blocks.
pub struct Handle<K: Connector, R: Runtime = Threads> {
    pub(crate) shared: Arc<Shared<K, R>>,
    pub(crate) owner: Arc<Owner<K, R>>,
    /// The pools of the threads, of a `SingletonThreadPool`.
    pub(crate) family: Option<Arc<Family<K, R>>>,
    pub(crate) timeout: Duration,
}

impl<K: Connector, R: Runtime> Clone for Handle<K, R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            owner: Arc::clone(&self.owner),
            family: self.family.clone(),
            timeout: self.timeout,
        }
    }
}

impl<K: Connector, R: Runtime> Handle<K, R> {
    pub(crate) fn new(connector: K, options: Options, runtime: R) -> Result<Self, OptionsError> {
        let is_family = options.class == PoolClass::SingletonThreadPool;
        let size = match options.capacity {
            Capacity::Bounded { size, .. } | Capacity::Growing { size } => size as usize,
            Capacity::Unlimited => usize::MAX,
        };
        let setting = Setting::new(connector, options, runtime);
        let shared = Shared::new(Arc::clone(&setting))?;
        // `min_idle` is met from the beginning on, unless it is each thread's own.
        if !is_family {
            shared.tick();
        }
        Ok(Self {
            owner: Arc::new(Owner(Arc::clone(&shared))),
            shared,
            family: is_family.then(|| Arc::new(Family::new(setting, size))),
            timeout: POOL_TIMEOUT,
        })
    }

    /// How long a checkout waits.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Registers hooks.
    pub fn events(&self) -> Events<'_, K::Connection> {
        let board = &self.shared.live().setting.board;
        let heed = || {
            let (checkouts, returns) = board.heard_at_borders();
            self.each(|pool| pool.enter(|machine| machine.listened_to(checkouts, returns)));
        };
        Events::new(board, Box::new(heed))
    }

    /// Starts a new generation: idle connections are closed at once, those in use when they come
    /// back, and none of them is lent again (SQLAlchemy's `dispose()`).
    pub fn recreate(&self) {
        tracing::info!(target: "everpool::pool", "Pool recreating");
        self.each(|pool| pool.report(PoolMachine::<K, R>::recreate));
    }

    /// As [`recreate`](Self::recreate), but idle connections are left as they are, open and unused:
    /// for connections that are somebody else's, as in the child of a fork that this library did not
    /// notice (`dispose(close=False)`).
    pub fn abandon(&self) {
        self.each(|pool| {
            let left = pool.report(PoolMachine::<K, R>::forget);
            std::mem::forget(left);
        });
    }

    /// As [`recreate`](Self::recreate), unless that was already done since a connection of
    /// `generation` was opened: however many connections meet the same dead server, the pool is
    /// recreated once. True if this did it.
    pub fn suspect(&self, generation: Generation) -> bool {
        let mut is_first = false;
        self.each(|pool| {
            is_first |= pool.report(|machine, now| machine.suspected(generation, now));
        });
        is_first
    }

    /// Another size of a `QueuePool`: more connections are opened when they are needed, and what is
    /// too much is closed, idle ones now and those in use when they come back.
    ///
    /// # Errors
    ///
    /// A size that the options do not allow, or a pool that is no `QueuePool`; then nothing changes.
    pub fn resize(&self, capacity: Capacity) -> Result<(), OptionsError> {
        let pool = self.shared.live();
        pool.report(|machine, now| machine.resize(capacity, now))
    }

    /// For how long callers wait while nothing can be opened, from now on; with 0, an outage is told at
    /// once. For who can ask another server meanwhile. Of a `SingletonThreadPool`, those of the threads that
    /// have come so far.
    pub fn set_outage_grace(&self, grace: Duration) {
        self.each(|pool| pool.enter(|machine| machine.set_outage_grace(grace)));
    }

    /// Lends nothing until [`resume`](Self::resume): callers wait, within their deadlines. Who has a
    /// connection keeps it.
    pub fn suspend(&self) {
        self.stand(Stance::Suspended);
        self.each(|pool| pool.enter(PoolMachine::<K, R>::suspend));
    }

    /// Lends again.
    pub fn resume(&self) {
        self.stand(Stance::Open);
        self.each(|pool| pool.report(PoolMachine::<K, R>::resume));
    }

    /// The pool's numbers at this moment; of a `SingletonThreadPool`, those of the calling thread.
    /// `Display` is SQLAlchemy's status line.
    pub fn status(&self) -> Status {
        self.asked().enter(|machine| machine.status())
    }

    /// The pool's numbers, and what it has counted since it was made; of a `SingletonThreadPool`,
    /// those of the calling thread.
    pub fn snapshot(&self) -> Snapshot {
        self.asked().report(|machine, now| machine.snapshot(now))
    }

    /// Who has a connection, the longest holder first.
    pub fn holders(&self) -> Vec<HeldBy> {
        let mut holders = Vec::new();
        self.each(|pool| {
            pool.report(|machine, now| {
                let mut held: Vec<_> = machine.holders().copied().collect();
                held.sort_by_key(Holder::number);
                holders.extend(held.iter().map(|holder| held_by(holder, now)));
            });
        });
        holders
    }

    /// For tests: from now on connections are lent as while threads contend for the pool.
    #[doc(hidden)]
    pub fn feign_contention(&self) {
        self.shared.live().feign_contention();
    }

    /// What is sent when a connection comes back that may have a transaction open.
    pub fn reset_on_return(&self) -> ResetOnReturn {
        self.shared.options.reset_on_return
    }

    /// What this pool was told to be.
    pub fn options(&self) -> &Options {
        &self.shared.live().setting.options
    }

    /// What this pool opens connections with.
    pub fn connector(&self) -> &K {
        &self.shared.connector
    }

    /// The family of this process.
    fn family(&self) -> Option<&Arc<Family<K, R>>> {
        let setting = &self.shared.live().setting;
        self.family.as_ref().map(|family| family.live(setting))
    }

    /// The pool that the calling thread takes its connections from.
    pub(crate) fn mine(&self) -> Arc<Shared<K, R>> {
        match self.family() {
            Some(family) => family.mine(),
            None => Arc::clone(self.shared.live()),
        }
    }

    /// The same, for who only looks: a thread that has taken none sees none.
    fn asked(&self) -> Arc<Shared<K, R>> {
        let known = self.family().and_then(|family| family.known());
        Arc::clone(known.as_ref().unwrap_or(&self.shared).live())
    }

    fn stand(&self, stance: Stance) {
        self.family()
            .into_iter()
            .for_each(|family| family.stand(stance));
    }

    fn each(&self, mut tell: impl FnMut(&Arc<Shared<K, R>>)) {
        if let Some(family) = self.family() {
            family.members().iter().for_each(&mut tell);
        }
        tell(self.shared.live());
    }

    /// Lends nothing any more.
    pub(crate) fn shut_down(&self) {
        self.stand(Stance::Closed);
        self.each(|pool| pool.report(PoolMachine::<K, R>::shut_down));
    }

    /// Is ready when nothing is open any more.
    pub(crate) async fn drained(&self) {
        let mut pools = vec![Arc::clone(self.shared.live())];
        pools.extend(
            self.family()
                .into_iter()
                .flat_map(|family| family.members()),
        );
        for pool in pools {
            poll_fn(|context| {
                let mut waker = Some(context.waker().clone());
                let is_drained = pool.enter(|machine| machine.is_drained(&mut waker));
                drop(waker);
                if is_drained {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }

    pub(crate) fn closed(&self) -> Closed {
        let mut status = self.shared.live().enter(|machine| machine.status());
        for pool in self
            .family()
            .into_iter()
            .flat_map(|family| family.members())
        {
            add(&mut status, pool.live().enter(|machine| machine.status()));
        }
        Closed {
            still_out: self.holders(),
            status,
        }
    }
}

/// The numbers of another thread's pool.
fn add(status: &mut Status, other: Status) {
    status.idle += other.idle;
    status.checked_out += other.checked_out;
    status.connecting += other.connecting;
    status.checking += other.checking;
    status.resetting += other.resetting;
    status.closing += other.closing;
    status.abandoned += other.abandoned;
    status.waiting += other.waiting;
}

/// What was left when the grace of a close was over. Nothing, if the pool was drained in time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it says who has not returned a connection"]
pub struct Closed {
    /// Who still had a connection. It is closed when it comes back.
    pub still_out: Vec<HeldBy>,
    /// The pool's numbers.
    pub status: Status,
}

impl Closed {
    /// Whether nothing was open any more.
    pub fn is_drained(&self) -> bool {
        let Status {
            checked_out,
            connecting,
            checking,
            resetting,
            closing,
            ..
        } = self.status;
        let left = checked_out + connecting + checking + resetting + closing;
        self.still_out.is_empty() && left == 0
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_drained() {
            return f.write_str("closed; every connection came back");
        }
        write!(f, "closed; {} still out", self.still_out.len())?;
        self.still_out.iter().try_for_each(|by| write!(f, "; {by}"))
    }
}

impl<K: Connector, R: Runtime> fmt::Debug for Handle<K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
