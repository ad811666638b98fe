//! The whole pool as a value.
//!
//! [`Machine`] is told what happened and what time it is; it answers a checkout, and says what to do
//! next ([`Machine::next_action`]). It has no thread, clock, lock or driver. Its state changes in
//! this file and in four more that continue it: `returning.rs` (what comes back), `serving.rs` (who
//! gets what), `connecting.rs` (opening connections, and outages) and `upkeep.rs` (what time and the
//! operator ask for).
//!
//! A checkout is either answered at once or gets a [`Ticket`] in the queue. Connecting and pinging
//! are done *for* the queue, not *by* a caller: as many as there are callers not yet attended to. So
//! a caller that leaves aborts nothing, and what was done for it serves the next.
//!
//! ```
//! use everpool_core::machine::{Action, Borrower, Checkout, Machine, Options, Residue, Time};
//!
//! let mut machine: Machine<&str, &str> = Machine::new(Options::default())?;
//! let now = Time::START;
//!
//! // Nothing is open yet: the caller waits, and one connection is to be opened.
//! let Checkout::Queued(ticket) = machine.checkout(Borrower::here(), &now) else { panic!() };
//! let Some(Action::Connect { permit, .. }) = machine.next_action() else { panic!() };
//! machine.connected(permit, "connection", now);
//!
//! let mut waker = Some(std::task::Waker::noop().clone());
//! let entry = machine.collect(&ticket, &mut waker).expect("it is there").expect("it was opened");
//! assert_eq!(entry.connection, "connection");
//!
//! assert!(machine.given_back(entry, Residue::Clean, &now).is_none(), "nothing is to be reset");
//! assert!(matches!(machine.checkout(Borrower::here(), &now), Checkout::Lent(_)));
//! # Ok::<(), everpool_core::OptionsError>(())
//! ```

use alloc::{collections::VecDeque, vec::Vec};
use core::{task::Waker, time::Duration};

mod action;
mod attempts;
mod check;
mod class;
mod connecting;
mod cuts;
mod entry;
mod fault;
mod histogram;
mod holder;
mod options;
mod outage;
mod reports;
mod returning;
mod serving;
mod slots;
mod status;
mod time;
mod upkeep;
mod waiters;

pub use action::{Action, Checkout, Refusal};
pub use check::OptionsError;
pub use class::{Capacity, PoolClass, ResetOnReturn};
pub use entry::{Cause, Closing, Entry, Generation, Permit};
pub use fault::{ConnectFault, Fault, Residue};
pub use histogram::Histogram;
pub use holder::{Borrower, Holder};
pub use options::Options;
pub use slots::SlotId;
pub use status::{Phase, Snapshot, Status};
pub use time::{Clock, Time};
pub use waiters::Ticket;

use attempts::Attempts;
use class::Limits;
use cuts::ShortCuts;
use outage::Outage;
use slots::Slots;
use status::Tally;
use time::Span;
use waiters::Waiters;

/// The pool: slots, queue, generation, outage. `C` is a connection, `E` the error of a failed
/// connect or ping, told to several callers.
#[derive(Clone, Debug)]
pub struct Machine<C, E> {
    options: Options,
    limits: Limits,
    is_suspended: bool,
    is_closed: bool,
    /// Whether somebody wants to be asked about each checkout.
    is_awaited: bool,
    /// Whether somebody wants to be asked about each return.
    is_heard: bool,
    /// Follows from the rest (`refresh`).
    cuts: ShortCuts,
    /// When a connection at rest needs attention: to be closed, or pinged.
    rest_limit: Option<Span>,
    /// From which rest on a connection is pinged, if at all.
    ping_after: Option<Span>,
    generation: Generation,
    /// Those at rest are all of the current generation.
    slots: Slots<C>,
    waiters: Waiters<Result<Entry<C>, Refusal<E>>>,
    /// Open connections of the current generation, wherever they are: while there is one, it may
    /// come back, and waiting for it makes sense even though nothing can be opened.
    alive: usize,
    connecting: Attempts,
    pinging: Attempts,
    resetting: Attempts,
    closing: Attempts,
    outage: Option<Outage>,
    last_connect_error: Option<(E, Time)>,
    actions: VecDeque<Action<C>>,
    /// The latest moment it was told of.
    latest: Time,
    /// When the next tick was asked for.
    alarm: Option<Time>,
    /// Who wants to know when nothing is open any more, after the pool was closed.
    mourners: Vec<Waker>,
    /// Who waits for as many connections as `min_idle` asks for.
    expectant: Vec<Waker>,
    tally: Tally,
    jitter: u64,
}

impl<C, E: Clone> Machine<C, E> {
    /// An empty pool. Nothing is opened before the first checkout, unless [`Options::min_idle`] and
    /// [`Machine::tick`] ask for it.
    ///
    /// # Errors
    ///
    /// An option that is out of its range.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        options.check()?;
        let mut machine = Self {
            limits: options.limits(),
            is_suspended: false,
            is_closed: false,
            is_awaited: false,
            is_heard: false,
            cuts: ShortCuts::new(&options),
            rest_limit: options.rest_limit().map(Span::from),
            ping_after: options.ping_after().map(Span::from),
            generation: Generation::default(),
            slots: Slots::new(),
            waiters: Waiters::new(),
            alive: 0,
            connecting: Attempts::new(options.connect_timeout),
            pinging: Attempts::new(options.ping_timeout),
            resetting: Attempts::new(options.reset_timeout),
            closing: Attempts::new(options.close_timeout),
            outage: None,
            last_connect_error: None,
            actions: VecDeque::new(),
            latest: Time::START,
            alarm: None,
            mourners: Vec::new(),
            expectant: Vec::new(),
            tally: Tally::default(),
            jitter: options.seed,
            options,
        };
        machine.refresh();
        Ok(machine)
    }

    /// Somebody wants a connection. First come, first served.
    #[inline]
    pub fn checkout(&mut self, borrower: Borrower, clock: &impl Clock) -> Checkout<C, E> {
        self.checkout_within(Duration::MAX, borrower, clock)
    }

    /// As `checkout`, for a caller who is told when its patience is over; a `tick` does that.
    #[inline]
    pub fn checkout_within(
        &mut self,
        patience: Duration,
        borrower: Borrower,
        clock: &impl Clock,
    ) -> Checkout<C, E> {
        let lent = self.lend_plainly(borrower);
        match lent.or_else(|| self.lend_by_age(borrower, clock)) {
            Some(entry) => Checkout::Lent(entry),
            None => self.checkout_at(patience, borrower, clock.now()),
        }
    }

    /// The short cut of `checkout`, which almost always succeeds: a connection at rest, if it can be
    /// lent with no question asked, not even what time it is.
    #[inline(always)]
    pub fn lend_plainly(&mut self, borrower: Borrower) -> Option<Entry<C>> {
        if !self.cuts.lends_plainly {
            return None;
        }
        let (entry, slot) = self.slots.take_first()?;
        slot.holder = Some(self.tally.lent(borrower, Time::NEVER));
        Some(entry)
    }

    /// The next shortest cut: the same with one look at the clock.
    pub fn lend_by_age(&mut self, borrower: Borrower, clock: &impl Clock) -> Option<Entry<C>> {
        if !self.cuts.lends_by_age {
            return None;
        }
        let entry = self.take_idle()?;
        let now = clock.now();
        self.latest = self.latest.max(now);
        // Nobody is overtaken, as in `try_checkout`.
        let is_plain = self.waiters.waiting() == 0 && !self.needs_ping(entry.slot(), now);
        if !is_plain || now >= self.slots.at(entry.slot()).expires {
            self.slots.rest_first(entry);
            return None;
        }
        self.lend(entry.slot(), borrower, now);
        Some(entry)
    }

    fn checkout_at(&mut self, patience: Duration, borrower: Borrower, now: Time) -> Checkout<C, E> {
        self.latest = self.latest.max(now);
        if self.is_closed {
            return Checkout::Refused(Refusal::Closed);
        }
        self.outage_is_suffered(now);
        if let Some(entry) = self.try_checkout(borrower, now) {
            return Checkout::Lent(entry);
        }
        if let Some(refusal) = self.no_admission(now) {
            self.probe(now);
            return Checkout::Refused(refusal);
        }
        let deadline = now + patience;
        let ticket = self.waiters.join(borrower, now, deadline);
        if self.waiters.waiting() == 1 {
            self.refresh();
        }
        self.tick_at(deadline);
        self.attend(now);
        Checkout::Queued(ticket)
    }

    /// A connection that can be lent without a wait, a ping or a place in the queue.
    pub fn try_checkout(&mut self, borrower: Borrower, now: Time) -> Option<Entry<C>> {
        // Nobody is overtaken: while somebody waits for a ping, another may be idle that needs none.
        if self.is_suspended || self.is_closed || self.waiters.waiting() > 0 {
            return None;
        }
        let entry = self.next_idle(now)?;
        if self.needs_ping(entry.slot(), now) {
            self.slots.rest_first(entry);
            return None;
        }
        self.lend(entry.slot(), borrower, now);
        self.replenish(now);
        Some(entry)
    }

    /// Why nobody else may join the queue.
    fn no_admission(&self, now: Time) -> Option<Refusal<E>> {
        if self.options.class.lends_once() && self.checked_out() + self.waiters.waiting() > 0 {
            return Some(Refusal::InUse(
                self.slots.holders().next().map(|holder| holder.borrower),
            ));
        }
        if let Some(refusal) = self.hopeless(now) {
            return Some(refusal);
        }
        let attended = self.pinging.callers() + self.connecting.callers();
        let in_vain = self.waiters.waiting().saturating_sub(attended);
        let most = self.options.max_waiting? as usize;
        let is_full = in_vain >= most && self.slots.idle() == 0 && !self.may_connect();
        is_full.then_some(Refusal::QueueFull)
    }

    /// The answer to this ticket, if it is there; else `waker` is kept, to be woken when it is. A
    /// waker that the machine does not need (any more) is left in its place: drop it where no lock
    /// is held.
    pub fn collect(
        &mut self,
        ticket: &Ticket,
        waker: &mut Option<Waker>,
    ) -> Option<Result<Entry<C>, Refusal<E>>> {
        self.waiters.collect(ticket, waker)
    }

    /// The answer to this ticket, if it is there.
    pub fn answer(&mut self, ticket: &Ticket) -> Option<Result<Entry<C>, Refusal<E>>> {
        self.waiters.answer(ticket)
    }

    /// The caller gave up. What is being done for it goes on and serves the next. Its waker, if it
    /// left one, is to be dropped where no lock is held.
    pub fn withdraw(&mut self, ticket: &Ticket, clock: impl Clock) -> Option<Waker> {
        let (answer, waker) = self.waiters.leave(ticket);
        self.refresh();
        if let Some(Ok(unused)) = answer {
            let now = clock.now();
            self.slots.at_mut(unused.slot()).holder = None;
            self.settle(unused, Self::serve, now);
        }
        waker
    }

    /// The caller's time is up: it leaves, as by `withdraw`. What was being done for it goes on, but
    /// has taken so long that it may never end: the next caller is not made to wait for it.
    pub fn timed_out(&mut self, ticket: &Ticket, now: Time) -> Option<Waker> {
        let waker = self.withdraw(ticket, now);
        self.outlasted();
        waker
    }

    /// A connection of `generation` met a dead server: starts a new generation, unless one was
    /// started since that connection was opened. True if it did.
    pub fn suspected(&mut self, generation: Generation, now: Time) -> bool {
        let is_current = generation == self.generation;
        if is_current {
            self.recreate(now);
        }
        is_current
    }

    /// Starts a new generation: what is idle is closed now, what is out when it comes back.
    pub fn recreate(&mut self, now: Time) {
        while let Some(entry) = self.take_idle() {
            self.close(entry, Cause::Superseded, now);
        }
        self.supersede();
        self.attend(now);
    }

    /// As `recreate`, but what is idle is handed to the caller instead of being closed.
    pub fn forget(&mut self, now: Time) -> Vec<C> {
        let idle = self.slots.take_all();
        self.supersede();
        let forgotten = idle.into_iter().map(|entry| self.detached(entry, now));
        let forgotten = forgotten.collect();
        self.attend(now);
        forgotten
    }

    fn supersede(&mut self) {
        self.generation.0 += 1;
        self.alive = 0;
        self.connecting.supersede();
        self.pinging.supersede();
        for slot in self.slots.iter_mut() {
            slot.is_plain = false;
        }
    }

    /// Somebody wants to be asked about each checkout, or each return: there are no short cuts.
    pub fn listened_to(&mut self, checkouts: bool, returns: bool) {
        self.is_awaited |= checkouts;
        self.is_heard |= returns;
        self.refresh();
    }

    /// Whose answer is there, if that is what is to be done next: the commonest action of all.
    pub fn next_waker(&mut self) -> Option<Waker> {
        let is_wake = matches!(self.actions.front(), Some(Action::Wake(_)));
        match is_wake.then(|| self.actions.pop_front()).flatten() {
            Some(Action::Wake(waker)) => Some(waker),
            _ => None,
        }
    }

    /// Whether anything is to be done next.
    #[inline]
    pub fn has_action(&self) -> bool {
        !self.actions.is_empty()
    }

    /// What is to be done next, if anything. Ask until it is `None` after every call that changes
    /// the machine.
    #[inline]
    pub fn next_action(&mut self) -> Option<Action<C>> {
        self.actions.pop_front()
    }

    fn if_current(&self, generation: Generation) -> usize {
        usize::from(generation == self.generation)
    }

    /// Brings the short cuts up to date with the rest of the state.
    fn refresh(&mut self) {
        let lends =
            !self.is_suspended && !self.is_closed && !self.is_awaited && self.outage.is_none();
        let rests = !self.is_closed
            && !self.is_heard
            && self.waiters.waiting() == 0
            && self.slots.occupied() <= self.limits.kept;
        self.cuts.update(lends, rests);
    }
}
