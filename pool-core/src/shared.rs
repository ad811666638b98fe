//! What all handles of a pool share: the machine behind its lock.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    sync::{Arc, OnceLock},
    task::Waker,
};

use crate::{
    clock::Clock,
    connector::Connector,
    error::{CheckoutError, ConnectError, ConnectFailure, HeldBy, TimedOut},
    first::First,
    fork,
    held::{Boxed, HeldEntry},
    home::Homes,
    info::Info,
    listeners::{Board, Event},
    machine::{
        self, Action, Borrower, Holder, Machine, Options, OptionsError, Phase, SlotId, Time,
    },
    nests::Nests,
    now::now,
    panics::shielded,
    runtime::Runtime,
    sync::{Apart, Guard, Lock, thread_local},
    way::Way,
    work::Place,
};

/// When so many wait, no short cut is tried until nobody does.
const CROWD: usize = 8;

pub(crate) type Failure<K> = Arc<ConnectFailure<<K as Connector>::Error>>;
pub(crate) type Refusal<K> = machine::Refusal<Failure<K>>;
pub(crate) type Answer<K, R> = machine::Checkout<Boxed<K, R>, Failure<K>>;
pub(crate) type PoolMachine<K, R> = Machine<Boxed<K, R>, Failure<K>>;

pub(crate) struct Shared<K: Connector, R: Runtime> {
    pub(crate) machine: Apart<Lock<PoolMachine<K, R>>>,
    pub(crate) nests: Nests<K, R>,
    /// How many forks this process was from the first, when the pool was made.
    fork: u32,
    pub(crate) setting: Arc<Setting<K, R>>,
    /// What is kept beside slots that are vacant.
    record_infos: Lock<Vec<Option<Info>>>,
    /// The pool of a forked child, which must not touch this one.
    pub(crate) heir: OnceLock<Arc<Self>>,
}

/// What a machine works with. The machines of a `SingletonThreadPool` have one in common.
pub(crate) struct Setting<K: Connector, R: Runtime> {
    fork: u32,
    pub(crate) connector: Arc<K>,
    pub(crate) board: Board<K::Connection>,
    pub(crate) homes: Homes<R>,
    pub(crate) clock: Clock,
    pub(crate) first: First,
    /// As it was made; the machine's may have another size.
    pub(crate) options: Options,
}

impl<K: Connector, R: Runtime> Setting<K, R> {
    pub(crate) fn new(connector: K, options: Options, runtime: R) -> Arc<Self> {
        Self::with_board(Arc::new(connector), options, runtime, Board::default())
    }

    /// The same for a forked child, where the parent's threads and runtimes are not.
    fn inherited(&self) -> Arc<Self> {
        let connector = Arc::clone(&self.connector);
        let runtime = self.homes.prototype().clone();
        Self::with_board(
            connector,
            self.options.clone(),
            runtime,
            self.board.copied(),
        )
    }

    fn with_board(
        connector: Arc<K>,
        options: Options,
        runtime: R,
        board: Board<K::Connection>,
    ) -> Arc<Self> {
        Arc::new(Self {
            fork: fork::generation(),
            connector,
            board,
            homes: Homes::new(runtime),
            clock: Clock::default(),
            first: First::default(),
            options,
        })
    }
}

impl<K: Connector, R: Runtime> Drop for Setting<K, R> {
    fn drop(&mut self) {
        // The locks of a parent may be held for ever by threads that are not in this process.
        if self.fork == fork::generation() {
            self.clock.stop();
            self.homes.leave();
        }
    }
}

impl<K: Connector, R: Runtime> std::ops::Deref for Shared<K, R> {
    type Target = Setting<K, R>;

    #[inline]
    fn deref(&self) -> &Setting<K, R> {
        &self.setting
    }
}

thread_local! {
    /// The pool whose actions this thread is performing.
    static PERFORMING: Cell<usize> = const { Cell::new(0) };
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    pub(crate) fn new(setting: Arc<Setting<K, R>>) -> Result<Arc<Self>, OptionsError> {
        fork::watch();
        let mut options = setting.options.clone();
        if options.seed == 0 {
            options.seed = RandomState::new().hash_one(0_u8);
        }
        let mut machine = Machine::new(options)?;
        let (checkouts, returns) = setting.board.heard_at_borders();
        machine.listened_to(checkouts, returns);
        Ok(Arc::new(Self {
            machine: Apart(Lock::new(machine)),
            nests: Nests::new(),
            fork: fork::generation(),
            setting,
            record_infos: Lock::default(),
            heir: OnceLock::new(),
        }))
    }

    /// Whether this process is a child of the one that made this pool.
    #[inline]
    pub(crate) fn is_foreign(&self) -> bool {
        fork::generation() != self.fork
    }

    /// The pool of this process. In a forked child that is not the parent's, whose lock may be held
    /// for ever by a thread that is not there, and whose connections are not the child's to use.
    #[inline]
    pub(crate) fn live(self: &Arc<Self>) -> &Arc<Self> {
        if self.is_foreign() { self.heir() } else { self }
    }

    #[cold]
    #[inline(never)]
    fn heir(self: &Arc<Self>) -> &Arc<Self> {
        let heir = self.heir.get_or_init(|| {
            let heir = Self::new(self.setting.inherited());
            heir.expect("the parent had the same options")
        });
        heir.live()
    }

    /// Asks the machine, under the lock, with all that nests keep back in it; then, without the lock,
    /// does what the machine wants done.
    #[inline]
    pub(crate) fn enter<T>(self: &Arc<Self>, ask: impl FnOnce(&mut PoolMachine<K, R>) -> T) -> T {
        let mut machine = self.machine.lock();
        if self.nests.are_open() {
            let _checkouts = self.close_nests(&mut machine);
        }
        let answer = ask(&mut machine);
        match machine.waiting() {
            0 => self.nests.signpost().show(Way::Plain),
            CROWD.. => self.nests.signpost().show(Way::Queue),
            _ => {}
        }
        self.leave(machine);
        answer
    }

    /// Lets the machine go, and does what it wants done.
    #[inline(always)]
    pub(crate) fn leave(self: &Arc<Self>, machine: Guard<'_, PoolMachine<K, R>>) {
        if machine.has_action() {
            self.leave_and_act(machine);
        }
    }

    #[inline(never)]
    fn leave_and_act(self: &Arc<Self>, mut machine: Guard<'_, PoolMachine<K, R>>) {
        let waker = machine.next_waker();
        let is_more = machine.has_action();
        drop(machine);
        waker.into_iter().for_each(wake);
        if is_more {
            self.perform_all();
        }
    }

    /// The machine, unless its short cuts lead nowhere, or somebody else has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, PoolMachine<K, R>>> {
        if !self.nests.signpost().shows(Way::Plain) {
            return None;
        }
        self.machine.try_lock()
    }

    /// Tells the machine something, at the right time.
    pub(crate) fn report<T>(
        self: &Arc<Self>,
        tell: impl FnOnce(&mut PoolMachine<K, R>, Time) -> T,
    ) -> T {
        let now = now();
        self.enter(|machine| tell(machine, now))
    }

    /// Work that is dropped at once tells so at once, by `enter`; what follows of that is left to
    /// the one who performs already, or the stack might grow with the number of connections.
    #[cold]
    #[inline(never)]
    fn perform_all(self: &Arc<Self>) {
        let this = Arc::as_ptr(self) as usize;
        if PERFORMING.with(Cell::get) == this {
            return;
        }
        let outer = PERFORMING.with(|by| by.replace(this));
        loop {
            // On a line of its own, so that the lock is not held below.
            let next = self.machine.lock().next_action();
            let Some(action) = next else { break };
            if shielded(|| self.perform(action)).is_none() {
                tracing::error!(target: "everpool::pool", "a runtime panicked in spawn");
            }
        }
        PERFORMING.with(|by| by.set(outer));
    }

    /// What is kept beside a slot, taken out of the store.
    pub(crate) fn take_record_info(&self, slot: SlotId) -> Info {
        let mut store = self.record_infos.lock();
        let kept = store.get_mut(slot.index()).and_then(Option::take);
        kept.unwrap_or_default()
    }

    pub(crate) fn keep_record_info(&self, slot: SlotId, info: Info) {
        if info.is_empty() {
            return;
        }
        let mut store = self.record_infos.lock();
        let length = store.len().max(slot.index() + 1);
        store.resize_with(length, || None);
        store[slot.index()] = Some(info);
    }

    pub(crate) fn refused(
        self: &Arc<Self>,
        refusal: Refusal<K>,
        borrower: Borrower,
        began: Time,
    ) -> CheckoutError<K::Error> {
        match refusal {
            machine::Refusal::Connect(failure) => CheckoutError::Connect(failure),
            machine::Refusal::Ping(failure) => CheckoutError::Ping(failure),
            machine::Refusal::Outage(failure, at) => CheckoutError::Outage(ConnectError {
                failure,
                age: now().since(at),
            }),
            machine::Refusal::QueueFull => {
                CheckoutError::QueueFull(self.enter(|machine| machine.status()))
            }
            machine::Refusal::InUse(holder) => CheckoutError::InUse {
                by: holder.map(|holder| HeldBy {
                    place: holder.place,
                    held: None,
                }),
            },
            machine::Refusal::TimedOut(phase) => self.timed_out(phase, borrower, began),
            machine::Refusal::Closed => CheckoutError::Closed,
        }
    }

    pub(crate) fn timed_out(
        self: &Arc<Self>,
        phase: Phase,
        borrower: Borrower,
        began: Time,
    ) -> CheckoutError<K::Error> {
        CheckoutError::TimedOut(Box::new(self.report(|machine, now| {
            TimedOut {
                phase,
                waited: now.since(began),
                status: machine.status(),
                last_connect_error: machine.last_connect_error().map(|(failure, at)| {
                    ConnectError {
                        failure: Arc::clone(failure),
                        age: now.since(*at),
                    }
                }),
                oldest_holder: machine.oldest_holder().map(|holder| held_by(holder, now)),
                own: own(machine, borrower).map(|holder| held_by(holder, now)),
            }
        })))
    }
}

/// A waker that panics costs its own task its wake-up, and nobody else theirs.
pub(crate) fn wake(waker: Waker) {
    if shielded(|| waker.wake()).is_none() {
        tracing::error!(target: "everpool::pool", "a waker panicked");
    }
}

/// The connection that this very thread or task has already.
pub(crate) fn own<K: Connector, R>(
    machine: &PoolMachine<K, R>,
    borrower: Borrower,
) -> Option<&Holder> {
    let mut holders = machine.holders();
    holders.find(|holder| borrower.owner != 0 && holder.borrower.owner == borrower.owner)
}

pub(crate) fn held_by(holder: &Holder, now: Time) -> HeldBy {
    HeldBy {
        place: holder.borrower.place,
        held: holder.since().map(|since| now.since(since)),
    }
}

/// The last handle and the last lease are gone. What is idle is closed as it should be, in the
/// background; but a child closes nothing of its parent's.
impl<K: Connector, R: Runtime> Drop for Shared<K, R> {
    fn drop(&mut self) {
        if self.is_foreign() {
            return self.leave_alone();
        }
        let machine = self.machine.0.get_mut();
        machine.shut_down(now());
        while let Some(action) = machine.next_action() {
            if let Action::Close(closing, held) = action {
                let _panicked = shielded(|| end(&self.setting, closing.place(), held));
            }
        }
    }
}

fn end<K: Connector, R: Runtime>(
    setting: &Arc<Setting<K, R>>,
    place: Place,
    mut held: Boxed<K, R>,
) {
    let home = Arc::clone(&held.home);
    if home.is_over() {
        return drop(held);
    }
    let setting = Arc::clone(setting);
    home.runtime.spawn(Box::pin(async move {
        let patience = setting.options.close_timeout;
        let closing = async {
            setting.notify(Event::Close, &mut held, place).await;
            setting.connector.close(held.connection).await;
        };
        let _in_time = setting.bounded(patience, closing).await;
    }));
}

impl<K: Connector, R: Runtime> Shared<K, R> {
    fn leave_alone(&mut self) {
        let nothing = Machine::new(Options::default()).expect("the defaults are valid");
        std::mem::forget(std::mem::replace(self.machine.0.get_mut(), nothing));
    }
}

/// An entry that a child has inherited: it is the parent's.
pub(crate) fn leave_alone<K: Connector, R>(entry: HeldEntry<K, R>) {
    std::mem::forget(entry);
}
