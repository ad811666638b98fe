//! The whole pool as a value.
//!
//! [`Machine`] is told what happened and what time it is; it answers a checkout, and says what to do
//! next ([`Machine::next_action`]). It has no thread, clock, lock or driver. All of its state
//! changes in this one file, which is long because of that.
//!
//! A checkout is either answered at once or gets a [`Ticket`] in the queue. Connecting and pinging
//! are done *for* the queue, not *by* a caller: as many as there are callers not yet attended to. So
//! a caller that leaves aborts nothing, and what was done for it serves the next.
//!
//! ```
//! use everpool_core::machine::{Action, Checkout, Machine, Options, Residue, Time};
//!
//! let mut machine: Machine<&str, &str> = Machine::new(Options::default());
//! let now = Time::START;
//!
//! // Nothing is open yet: the caller waits, and one connection is to be opened.
//! let Checkout::Queued(ticket) = machine.checkout(now) else { panic!() };
//! let Some(Action::Connect { permit, .. }) = machine.next_action() else { panic!() };
//! machine.connected(permit, "connection", now);
//!
//! let waker = std::task::Waker::noop();
//! let entry = machine.collect(&ticket, waker).expect("it is there").expect("it was opened");
//! assert_eq!(entry.connection, "connection");
//!
//! assert!(machine.given_back(entry, Residue::Clean, now).is_none(), "nothing is to be reset");
//! assert!(matches!(machine.checkout(now), Checkout::Lent(_)));
//! ```

use alloc::collections::VecDeque;
use core::task::Waker;

mod action;
mod attention;
mod entry;
mod fault;
mod options;
mod outage;
mod slots;
mod status;
mod time;
mod waiters;

pub use action::{Action, Checkout, Refusal};
pub use entry::{Closing, Entry, Generation, Permit};
pub use fault::{ConnectFault, Fault, Residue};
pub use options::{Capacity, Options, ResetOnReturn};
pub use slots::SlotId;
pub use status::{Phase, Status};
pub use time::Time;
pub use waiters::Ticket;

use attention::Attention;
use outage::Outage;
use slots::{Slot, Slots};
use waiters::Waiters;

/// The pool: slots, queue, generation, outage. `C` is a connection, `E` the error of a failed
/// connect or ping, told to several callers.
#[derive(Clone, Debug)]
pub struct Machine<C, E> {
    options: Options,
    generation: Generation,
    slots: Slots,
    /// In the order of their return.
    idle: VecDeque<Entry<C>>,
    waiters: Waiters<Result<Entry<C>, Refusal<E>>>,
    /// Open connections of the current generation, wherever they are: while there is one, it may
    /// come back, and waiting for it makes sense even though nothing can be opened.
    alive: usize,
    /// Connects under way in the current generation: each will serve one who waits.
    connecting: Attention,
    /// Pings under way in the current generation: so will each of these, and sooner.
    pinging: Attention,
    outage: Option<Outage>,
    last_connect_error: Option<(E, Time)>,
    actions: VecDeque<Action<C>>,
    jitter: u64,
}

impl<C, E: Clone> Machine<C, E> {
    /// An empty pool. Nothing is opened before the first checkout.
    pub fn new(options: Options) -> Self {
        Self {
            generation: Generation::default(),
            slots: Slots::new(options.capacity),
            idle: VecDeque::new(),
            waiters: Waiters::new(),
            alive: 0,
            connecting: Attention::default(),
            pinging: Attention::default(),
            outage: None,
            last_connect_error: None,
            actions: VecDeque::new(),
            jitter: options.seed,
            options,
        }
    }

    /// Somebody wants a connection. First come, first served.
    pub fn checkout(&mut self, now: Time) -> Checkout<C, E> {
        if let Some(outage) = &mut self.outage {
            // What is known of an outage that nobody suffers any more is old.
            if self.waiters.waiting() == 0 && !outage.is_suffered(now, self.options.outage_grace) {
                *outage = Outage::began(now);
            }
            outage.wanted(now);
        }
        if let Some(entry) = self.try_checkout(now) {
            return Checkout::Lent(entry);
        }
        if let Some(refusal) = self.hopeless(now)
            && self.is_connecting()
        {
            return Checkout::Refused(refusal);
        }
        let ticket = self.waiters.join();
        self.attend(now);
        Checkout::Queued(ticket)
    }

    /// A connection that can be lent without a wait, a ping or a place in the queue.
    pub fn try_checkout(&mut self, now: Time) -> Option<Entry<C>> {
        // Nobody is overtaken: while somebody waits, nothing that needs no ping is idle.
        if self.options.pre_ping {
            return None;
        }
        let entry = self.next_idle(now)?;
        self.slots.set(entry.slot, Slot::Leased);
        Some(entry)
    }

    /// The answer to this ticket, if it is there; else `waker` is woken when it is.
    pub fn collect(
        &mut self,
        ticket: &Ticket,
        waker: &Waker,
    ) -> Option<Result<Entry<C>, Refusal<E>>> {
        self.waiters.collect(ticket, waker)
    }

    /// The caller gave up. What is being done for it goes on and serves the next.
    pub fn withdraw(&mut self, ticket: &Ticket, now: Time) {
        if let Some(Ok(unused)) = self.waiters.leave(ticket) {
            self.settle(unused, Self::serve, now);
        }
    }

    /// The caller's time is up: it leaves, as by `withdraw`. What was being done for it goes on, but
    /// has taken so long that it may never end: the next caller is not made to wait for it.
    pub fn timed_out(&mut self, ticket: &Ticket, now: Time) {
        self.withdraw(ticket, now);
        if self.pinging.callers() + self.connecting.callers() > self.waiters.waiting() {
            let _is_one = self.pinging.outlasted() || self.connecting.outlasted();
        }
    }

    /// A connection comes back. If an entry is returned, something may be open on it: it is to be
    /// reset, then `was_reset` or `invalidated`.
    #[must_use = "an entry that is dropped is a slot that is lost"]
    pub fn given_back(&mut self, entry: Entry<C>, residue: Residue, now: Time) -> Option<Entry<C>> {
        let leave_as_it_is = self.options.reset_on_return == ResetOnReturn::Nothing;
        match residue {
            Residue::Broken => self.invalidated(entry, Fault::Connection, now),
            _ if !self.is_fit(&entry, now) => self.close(entry),
            Residue::Open | Residue::Unknown if !leave_as_it_is => {
                self.slots.set(entry.slot, Slot::Resetting);
                return Some(entry);
            }
            Residue::Clean | Residue::Open | Residue::Unknown => self.offer(entry),
        }
        None
    }

    /// What was open on a returned connection is undone.
    pub fn was_reset(&mut self, entry: Entry<C>, now: Time) {
        self.settle(entry, Self::offer, now);
    }

    /// This connection is not to be lent again. If the fault is the server's, neither is any other
    /// of its generation.
    pub fn invalidated(&mut self, entry: Entry<C>, fault: Fault, now: Time) {
        if fault == Fault::Server {
            self.suspected(entry.generation, now);
        }
        self.close(entry);
    }

    /// A connection of `generation` met a dead server: starts a new generation, unless one was
    /// started since that connection was opened.
    pub fn suspected(&mut self, generation: Generation, now: Time) {
        if generation == self.generation {
            self.recreate(now);
        }
    }

    /// Starts a new generation: what is idle is closed now, what is out when it comes back.
    pub fn recreate(&mut self, now: Time) {
        self.generation.0 += 1;
        self.alive = 0;
        (self.connecting, self.pinging) = Default::default();
        while let Some(entry) = self.idle.pop_front() {
            self.close(entry);
        }
        self.attend(now);
    }

    /// A connection was opened.
    pub fn connected(&mut self, permit: Permit, connection: C, now: Time) {
        let Permit { slot, generation } = permit;
        self.attended(generation, |machine| &mut machine.connecting);
        (self.outage, self.last_connect_error) = (None, None);
        self.alive += self.if_current(generation);
        let entry = Entry {
            connection,
            slot,
            generation,
            opened: now,
        };
        self.settle(entry, Self::serve, now);
    }

    /// A connection could not be opened. If that is permanent, the first in line is told; if it is
    /// transient, all wait on, for `outage_grace`.
    pub fn connect_failed(&mut self, permit: Permit, error: E, fault: ConnectFault, now: Time) {
        self.attended(permit.generation, |machine| &mut machine.connecting);
        self.slots.vacate(permit.slot);
        self.last_connect_error = Some((error.clone(), now));
        match fault {
            ConnectFault::Permanent => {
                self.outage = None;
                self.refuse_first(Refusal::Connect(error));
            }
            ConnectFault::Transient => self.outage_continues(now),
        }
        self.attend(now);
    }

    /// A sign of life came.
    pub fn pinged(&mut self, entry: Entry<C>, now: Time) {
        self.attended(entry.generation, |machine| &mut machine.pinging);
        self.settle(entry, Self::serve, now);
    }

    /// None came. A disconnect is nobody's error: the next connection is tried. Anything else is
    /// told to the first in line.
    pub fn ping_failed(&mut self, entry: Entry<C>, error: E, fault: Fault, now: Time) {
        self.attended(entry.generation, |machine| &mut machine.pinging);
        if !fault.is_disconnect() {
            self.refuse_first(Refusal::Ping(error));
        }
        self.invalidated(entry, fault, now);
        self.attend(now);
    }

    /// A connection is closed, and its slot vacant.
    pub fn closed(&mut self, closing: &Closing, now: Time) {
        self.slots.vacate(closing.slot);
        self.attend(now);
    }

    /// What is to be done next, if anything. Ask until it is `None` after every call that changes
    /// the machine.
    pub fn next_action(&mut self) -> Option<Action<C>> {
        self.actions.pop_front()
    }

    /// Whether what a caller asks for depends on the time right now. If not, any time will do for
    /// all but the reports of what came of an action, and nobody needs to read a clock.
    pub fn needs_time(&self) -> bool {
        self.options.recycle.is_some() || self.outage.is_some()
    }

    /// The pool's numbers.
    pub fn status(&self) -> Status {
        Status::of(self)
    }

    /// What the first in line is waiting for.
    pub fn phase(&self) -> Phase {
        Phase::of(self)
    }

    /// The current generation.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What this pool was told to be.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The last error of a failed connect, and when that was; `None` once one succeeded.
    pub fn last_connect_error(&self) -> Option<&(E, Time)> {
        self.last_connect_error.as_ref()
    }

    /// Gives whoever waits what there is: idle connections first, then permits to open one. A
    /// connect may take as long as the server likes, so it is no reason to let a connection rest.
    fn attend(&mut self, now: Time) {
        while self.waiters.waiting() > self.pinging.callers()
            && let Some(entry) = self.next_idle(now)
        {
            self.offer(entry);
        }
        while self.waiters.waiting() > self.pinging.callers() + self.connecting.callers() {
            if !self.start_connect() {
                return;
            }
        }
        let outage = self.outage.as_ref();
        if outage.is_some_and(|outage| outage.is_suffered(now, self.options.outage_grace)) {
            let _one_is_enough = self.start_connect();
        }
    }

    /// An attempt has ended; those of an older generation are not counted any more.
    fn attended(&mut self, generation: Generation, what: fn(&mut Self) -> &mut Attention) {
        if generation == self.generation {
            what(self).end();
        }
    }

    /// Whether there is an attempt to wait for.
    fn is_connecting(&self) -> bool {
        self.slots.count(Slot::Connecting) > self.connecting.overdue()
    }

    fn if_current(&self, generation: Generation) -> usize {
        usize::from(generation == self.generation)
    }

    /// In an outage there is one attempt at a time for the whole pool.
    fn start_connect(&mut self) -> bool {
        if self.outage.is_some() && self.is_connecting() {
            return false;
        }
        let Some(slot) = self.slots.occupy() else {
            return false;
        };
        let permit = Permit {
            slot,
            generation: self.generation,
        };
        self.connecting.begin();
        let not_before = self
            .outage
            .as_ref()
            .map_or(Time::START, Outage::next_attempt);
        self.actions
            .push_back(Action::Connect { permit, not_before });
        true
    }

    fn next_idle(&mut self, now: Time) -> Option<Entry<C>> {
        loop {
            let next = if self.options.use_lifo {
                self.idle.pop_back()
            } else {
                self.idle.pop_front()
            };
            let entry = next?;
            if self.is_fit(&entry, now) {
                return Some(entry);
            }
            self.close(entry);
        }
    }

    fn is_fit(&self, entry: &Entry<C>, now: Time) -> bool {
        let too_old = |limit| now.since(entry.opened) > limit;
        entry.generation == self.generation && !self.options.recycle.is_some_and(too_old)
    }

    /// Passes a connection on if it is fit, else closes it.
    fn settle(&mut self, entry: Entry<C>, pass_on: fn(&mut Self, Entry<C>), now: Time) {
        if self.is_fit(&entry, now) {
            pass_on(self, entry);
        } else {
            self.close(entry);
        }
        self.attend(now);
    }

    /// To whoever waits, after a ping if one is asked for.
    fn offer(&mut self, entry: Entry<C>) {
        if self.options.pre_ping && self.waiters.waiting() > 0 {
            self.slots.set(entry.slot, Slot::Checking);
            self.pinging.begin();
            self.actions.push_back(Action::Ping(entry));
        } else {
            self.serve(entry);
        }
    }

    /// To the first in line, or to rest.
    fn serve(&mut self, entry: Entry<C>) {
        self.slots.set(entry.slot, Slot::Leased);
        match self.waiters.answer_first(Ok(entry)) {
            Ok(waker) => self.actions.extend(waker.map(Action::Wake)),
            Err(unanswered) => unanswered.into_iter().for_each(|entry| self.rest(entry)),
        }
    }

    fn rest(&mut self, entry: Entry<C>) {
        if self.idle.len() >= self.options.capacity.kept() {
            self.close(entry);
        } else {
            self.slots.set(entry.slot, Slot::Idle);
            self.idle.push_back(entry);
        }
    }

    fn close(&mut self, entry: Entry<C>) {
        self.alive -= self.if_current(entry.generation);
        self.slots.set(entry.slot, Slot::Closing);
        self.actions.push_back(Action::Close(
            Closing { slot: entry.slot },
            entry.connection,
        ));
    }

    fn refuse_first(&mut self, refusal: Refusal<E>) {
        // Nobody waits any more: the error stands in `last_connect_error`.
        if let Ok(waker) = self.waiters.answer_first(Err(refusal)) {
            self.actions.extend(waker.map(Action::Wake));
        }
    }

    fn outage_continues(&mut self, now: Time) {
        // Knuth's MMIX generator; its low bits are poor.
        self.jitter = self
            .jitter
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1);
        let jitter = self.jitter >> 33;
        let suffered = self.waiters.waiting() > 0;
        let outage = self.outage.get_or_insert_with(|| Outage::began(now));
        outage.attempt_failed(now, jitter);
        if suffered {
            outage.wanted(now);
        }
        while self.waiters.waiting() > 0
            && let Some(refusal) = self.hopeless(now)
        {
            self.refuse_first(refusal);
        }
    }

    /// Set once an outage has outlasted its grace and no connection is left that could come back.
    fn hopeless(&self, now: Time) -> Option<Refusal<E>> {
        let outage = self.outage.as_ref()?;
        let (error, at) = self.last_connect_error.as_ref()?;
        let over = self.alive == 0 && outage.age(now) >= self.options.outage_grace;
        over.then(|| Refusal::Outage(error.clone(), *at))
    }
}
