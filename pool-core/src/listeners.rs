use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::{
    hook::Hook,
    machine::Holder,
    panics::shielded,
    sync::{AtomicU32, Lock, Ordering},
};

/// What can be listened to on a connection's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    FirstConnect,
    Connect,
    Checkout,
    Reset,
    Checkin,
    Invalidate,
    SoftInvalidate,
    Close,
    Detach,
    CloseDetached,
    Wait,
    Leak,
}

impl Event {
    const COUNT: usize = Self::Leak as usize + 1;

    pub(crate) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Hooks that run on a return.
pub(crate) const RETURN: u32 = Event::Reset.bit() | Event::Checkin.bit();

/// A caller's wait in the queue.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Wait<'a> {
    /// A caller has joined the queue.
    Started {
        /// Where it called the checkout.
        place: &'a std::panic::Location<'static>,
    },
    /// It got its connection, was refused one, or went away.
    Ended {
        /// Where it called the checkout.
        place: &'a std::panic::Location<'static>,
        /// For how long it waited.
        waited: Duration,
    },
    /// Its time was up.
    TimedOut {
        /// Where it called the checkout.
        place: &'a std::panic::Location<'static>,
        /// For how long it waited.
        waited: Duration,
    },
}

pub(crate) type WaitHook = Box<dyn Fn(Wait<'_>) + Send + Sync>;
pub(crate) type LeakHook = Box<dyn Fn(&Holder, Duration) + Send + Sync>;

/// What was registered, in the order in which it is called. Never changed, only replaced, so that
/// hooks run without a lock.
pub(crate) struct Listeners<C> {
    pub(crate) hooks: [Vec<Arc<Hook<C>>>; Event::COUNT],
    pub(crate) waits: Vec<Arc<WaitHook>>,
    pub(crate) leaks: Vec<Arc<LeakHook>>,
}

impl<C> Listeners<C> {
    pub(crate) fn of(&self, event: Event) -> &[Arc<Hook<C>>] {
        &self.hooks[event as usize]
    }

    pub(crate) fn waits(&self, wait: Wait<'_>) {
        self.waits.iter().for_each(|hook| unharmed(|| hook(wait)));
    }

    pub(crate) fn leaks(&self, holder: &Holder, held: Duration) {
        let leaks = self.leaks.iter();
        leaks.for_each(|hook| unharmed(|| hook(holder, held)));
    }
}

/// A hook that panics has nobody to tell but the log.
fn unharmed(hook: impl FnOnce()) {
    if shielded(hook).is_none() {
        tracing::error!(target: "everpool::pool", "a hook panicked");
    }
}

impl<C> Default for Listeners<C> {
    fn default() -> Self {
        Self {
            hooks: Default::default(),
            waits: Vec::new(),
            leaks: Vec::new(),
        }
    }
}

impl<C> Clone for Listeners<C> {
    fn clone(&self) -> Self {
        Self {
            hooks: self.hooks.clone(),
            waits: self.waits.clone(),
            leaks: self.leaks.clone(),
        }
    }
}

/// The listeners of a pool, and which events have any.
pub(crate) struct Board<C> {
    /// Of all versions the newest counts. They are read without a lock: in a forked child, a lock may
    /// be held for ever by a thread that is not there.
    oldest: Version<C>,
    changes: Lock<()>,
    heard: AtomicU32,
    /// Events with a listener whose answer may come later.
    pub(crate) awaited: AtomicU32,
}

/// Stays as long as the board does; there are as many as there were registrations.
struct Version<C> {
    listeners: Arc<Listeners<C>>,
    next: OnceLock<Box<Self>>,
}

impl<C> Version<C> {
    fn new(listeners: Arc<Listeners<C>>) -> Self {
        Self {
            listeners,
            next: OnceLock::new(),
        }
    }
}

impl<C> Default for Board<C> {
    fn default() -> Self {
        Self {
            oldest: Version::new(Arc::default()),
            changes: Lock::default(),
            heard: AtomicU32::new(0),
            awaited: AtomicU32::new(0),
        }
    }
}

impl<C> Board<C> {
    /// Whether anybody listens to any of these events (`Event::bit`).
    #[inline]
    pub(crate) fn is_any_heard(&self, events: u32) -> bool {
        self.heard.load(Ordering::Relaxed) & events != 0
    }

    /// Whether anybody listens to checkouts, and to returns.
    pub(crate) fn heard_at_borders(&self) -> (bool, bool) {
        let checkouts = self.is_any_heard(Event::Checkout.bit());
        (checkouts, self.is_any_heard(RETURN))
    }

    pub(crate) fn is_any_awaited(&self, events: u32) -> bool {
        self.awaited.load(Ordering::Relaxed) & events != 0
    }

    pub(crate) fn listeners(&self) -> Arc<Listeners<C>> {
        Arc::clone(&self.newest().listeners)
    }

    fn newest(&self) -> &Version<C> {
        let mut newest = &self.oldest;
        while let Some(next) = newest.next.get() {
            newest = next;
        }
        newest
    }

    /// A board with the same listeners.
    pub(crate) fn copied(&self) -> Self {
        Self {
            oldest: Version::new(self.listeners()),
            changes: Lock::default(),
            heard: AtomicU32::new(self.heard.load(Ordering::Relaxed)),
            awaited: AtomicU32::new(self.awaited.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn change(&self, event: Event, change: impl FnOnce(&mut Listeners<C>)) {
        let one_at_a_time = self.changes.lock();
        let newest = self.newest();
        let mut listeners = Listeners::clone(&newest.listeners);
        change(&mut listeners);
        let version = Box::new(Version::new(Arc::new(listeners)));
        newest.next.get_or_init(|| version);
        drop(one_at_a_time);
        self.heard.fetch_or(event.bit(), Ordering::Relaxed);
    }
}
