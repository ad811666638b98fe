//! What may happen to a tiny pool, and how it happens.

use std::time::Duration;

use everpool_core::machine::{
    Capacity, ConnectFault, Entry, Fault, Permit, PoolClass, Residue, Time,
};

use crate::world::{Birth, News, Outage, Work, Works, World};

/// More callers than this in the queue at once tell nothing new.
const CALLERS: usize = 3;
const MOMENT: Duration = Duration::from_millis(1);

/// One thing that happens. Numbers say which one, in order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Checkout,
    Collect(usize),
    Withdraw(usize),
    TimedOut(usize),
    GiveBack(usize, Residue),
    Invalidate(usize, Fault),
    Spent(usize),
    Detach(usize),
    Connect(usize, Result<(), ConnectFault>),
    Ping(usize, Result<(), Fault>),
    Reset(usize, Result<(), Fault>),
    Closed(usize),
    Recreate,
    Forget,
    Resize(u32),
    Suspend,
    Resume,
    ShutDown,
    Pass(Duration),
    /// The asked tick, at its time or later.
    Tick,
}

/// What may happen besides that everybody comes, gets, returns and goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scope {
    /// Attempts fail, connections are lost, time passes, the pool is recreated.
    pub(crate) fails: bool,
    /// Attempts take too long, callers too; an attempt may fail transiently.
    pub(crate) hangs: bool,
    /// Users detach connections and give them up for later.
    pub(crate) uses: bool,
    /// The pool is resized, suspended, resumed, shut down, and forgets.
    pub(crate) operates: bool,
}

impl World {
    /// Everything that may happen next.
    pub(crate) fn possible(&self, scope: Scope) -> Vec<Event> {
        let mut events = self.happy_events();
        if scope.fails {
            self.add_failures(&mut events);
        }
        if scope.hangs {
            self.add_hangs(&mut events);
        }
        if scope.uses {
            self.add_uses(&mut events);
        }
        if scope.operates {
            self.add_operations(&mut events);
        }
        events
    }

    fn happy_events(&self) -> Vec<Event> {
        use Event::{Checkout, Closed, Collect, Connect, GiveBack, Ping, Reset, Withdraw};
        let mut events = Vec::new();
        if self.callers.len() < CALLERS {
            events.push(Checkout);
        }
        for (at, caller) in self.callers.iter().enumerate() {
            events.push(Withdraw(at));
            events.extend(caller.answer.as_ref().map(|_| Collect(at)));
        }
        // One user is as good as another to leave something open; all may return in any order.
        for at in 0..self.leased.len() {
            events.push(GiveBack(at, Residue::Clean));
        }
        if !self.leased.is_empty() {
            events.push(GiveBack(0, Residue::Open));
        }
        events.extend((0..self.connects.len()).map(|at| Connect(at, Ok(()))));
        events.extend((0..self.pings.len()).map(|at| Ping(at, Ok(()))));
        events.extend((0..self.resets.len()).map(|at| Reset(at, Ok(()))));
        events.extend((0..self.closings.len()).map(Closed));
        events
    }

    fn add_failures(&self, events: &mut Vec<Event>) {
        use Event::{Connect, GiveBack, Invalidate, Pass, Ping, Recreate, Reset};
        events.push(Recreate);
        let lost = [Fault::Connection, Fault::Server];
        if !self.leased.is_empty() {
            events.push(GiveBack(0, Residue::Broken));
            events.extend(lost.map(|fault| Invalidate(0, fault)));
        }
        for at in 0..self.connects.len() {
            let faults = [ConnectFault::Transient, ConnectFault::Permanent];
            events.extend(faults.map(|fault| Connect(at, Err(fault))));
        }
        for at in 0..self.pings.len() {
            events.push(Ping(at, Err(Fault::Statement)));
            events.extend(lost.map(|fault| Ping(at, Err(fault))));
        }
        for at in 0..self.resets.len() {
            events.extend(lost.map(|fault| Reset(at, Err(fault))));
        }
        let grace = self.outage.map(|_| self.options.outage_grace);
        let age = self.options.recycle.map(|age| age + MOMENT);
        events.extend(grace.or(age).map(Pass));
    }

    fn add_hangs(&self, events: &mut Vec<Event>) {
        use Event::{Connect, Ping, Reset, Tick, TimedOut};
        events.extend(self.alarm.map(|_| Tick));
        events.extend((0..self.callers.len()).map(TimedOut));
        let rest = self.options.ping_after_idle;
        events.extend(rest.map(|rest| Event::Pass(rest + MOMENT)));
        for at in 0..self.connects.len() {
            events.push(Connect(at, Err(ConnectFault::Transient)));
        }
        for at in 0..self.pings.len() {
            events.push(Ping(at, Err(Fault::Server)));
        }
        for at in 0..self.resets.len() {
            events.push(Reset(at, Err(Fault::Server)));
        }
    }

    fn add_uses(&self, events: &mut Vec<Event>) {
        if !self.leased.is_empty() {
            events.extend([Event::Spent(0), Event::Detach(0)]);
        }
    }

    fn add_operations(&self, events: &mut Vec<Event>) {
        use Event::{Forget, Resize, Resume, ShutDown, Suspend};
        events.extend([Forget, ShutDown]);
        events.push(if self.is_suspended { Resume } else { Suspend });
        let sizes = [1, 2].into_iter();
        let other = sizes.filter(|size| self.options.capacity != bounded(*size, 0));
        let is_sized = self.options.class == PoolClass::QueuePool;
        events.extend(other.filter(|_| is_sized).map(Resize));
    }

    pub(crate) fn apply(&mut self, event: Event) {
        self.news = News {
            event: Some(event),
            ..News::default()
        };
        self.events += 1;
        match event {
            Event::Checkout => self.check_out(),
            Event::Collect(at) => self.collect(at),
            Event::Withdraw(at) => {
                let caller = self.callers.remove(at);
                let waker = self.machine.withdraw(&caller.ticket, self.now);
                self.has_left(&caller, waker.as_ref());
            }
            Event::TimedOut(at) => {
                let caller = self.callers.remove(at);
                self.news.timeouts = 1;
                let waker = self.machine.timed_out(&caller.ticket, self.now);
                self.has_left(&caller, waker.as_ref());
            }
            Event::Connect(at, outcome) => self.finish_connect(at, outcome),
            Event::Ping(at, outcome) => self.finish_ping(at, outcome),
            Event::Reset(at, outcome) => self.finish_reset(at, outcome),
            Event::Closed(at) => {
                let work = self.closings.remove(at);
                let (closing, connection) = work.what;
                self.open.remove(&connection).expect("it is closed once");
                self.lost.remove(&connection);
                self.machine.closed(closing, self.now);
            }
            Event::Pass(time) => self.now = self.now + time,
            Event::Tick => self.tick(),
            Event::GiveBack(..) | Event::Invalidate(..) | Event::Spent(_) | Event::Detach(_) => {
                self.user_does(event);
            }
            operation => self.operate(operation),
        }
        self.obey();
        self.look();
        self.counts.timeouts += self.news.timeouts as u64;
        for _caller in 0..self.news.timeouts {
            self.outlast();
        }
    }

    fn user_does(&mut self, event: Event) {
        match event {
            Event::GiveBack(at, residue) => {
                let entry = self.leased.remove(at);
                self.rests(entry.connection);
                let to_reset = self.machine.given_back(entry, residue, &self.now);
                let begun = to_reset.map(|entry| {
                    let slot = entry.slot().index();
                    self.begun(entry, slot, self.now)
                });
                self.resets.extend(begun);
            }
            Event::Invalidate(at, fault) => {
                let entry = self.leased.remove(at);
                self.blamed(&entry, fault);
                self.machine.invalidated(entry, fault, self.now);
            }
            Event::Spent(at) => {
                self.spent.insert(self.leased[at].connection);
                self.machine.spent(&self.leased[at]);
            }
            Event::Detach(at) => {
                let entry = self.leased.remove(at);
                self.open.remove(&entry.connection);
                let _the_users = self.machine.detached(entry, self.now);
            }
            other => panic!("no user does {other:?}"),
        }
    }

    fn operate(&mut self, event: Event) {
        match event {
            Event::Recreate => {
                self.generation += 1;
                self.machine.recreate(self.now);
            }
            Event::Forget => {
                let idle: Vec<u32> = self.idle().collect();
                self.open.retain(|connection, _| !idle.contains(connection));
                self.generation += 1;
                let mut forgotten = self.machine.forget(self.now);
                forgotten.sort_unstable();
                assert_eq!(forgotten, idle, "all that are idle");
            }
            Event::Resize(size) => {
                self.options.capacity = bounded(size, 0);
                let resized = self.machine.resize(self.options.capacity, self.now);
                resized.expect("a pool may have this size");
            }
            Event::Suspend => {
                self.is_suspended = true;
                self.machine.suspend();
            }
            Event::Resume => {
                self.is_suspended = false;
                self.machine.resume(self.now);
            }
            Event::ShutDown => {
                self.is_closed = true;
                self.machine.shut_down(self.now);
            }
            other => panic!("no operator does {other:?}"),
        }
    }

    fn finish_connect(&mut self, at: usize, outcome: Result<(), ConnectFault>) {
        let work = self.connects.remove(at);
        self.now = self.now.max(work.since);
        match outcome {
            Ok(()) => self.connected(work),
            Err(fault) => {
                match fault {
                    _ if work.is_given_up => {}
                    ConnectFault::Transient => self.outage_continues(1),
                    ConnectFault::Permanent => {
                        self.counts.connect_errors += 1;
                        self.outage = None;
                    }
                }
                let why = "no connection";
                self.machine.connect_failed(work.what, why, fault, self.now);
            }
        }
    }

    fn connected(&mut self, work: Work<Permit>) {
        let connection = self.next_connection;
        self.next_connection += 1;
        self.counts.opened += 1;
        let birth = Birth {
            generation: work.generation,
            opened: self.now,
        };
        self.open.insert(connection, birth);
        self.rests(connection);
        if work.is_given_up {
            self.lost.insert(connection);
        }
        self.outage = None;
        self.news.connected = Some(connection);
        self.machine.connected(work.what, connection, self.now);
    }

    fn outage_continues(&mut self, failed: usize) {
        self.counts.connect_errors += failed as u64;
        let now = self.now;
        let is_suffered = self.waiting().count() > 0;
        let outage = self.outage.get_or_insert(Outage {
            began: now,
            wanted: now,
        });
        if is_suffered {
            outage.wanted = now;
        }
    }

    fn finish_ping(&mut self, at: usize, outcome: Result<(), Fault>) {
        let entry = self.pings.remove(at).what;
        self.heard.insert(entry.connection, self.now);
        match outcome {
            Ok(()) => self.machine.pinged(entry, self.now),
            Err(fault) => {
                self.blamed(&entry, fault);
                self.machine
                    .ping_failed(entry, "no answer", fault, self.now);
            }
        }
    }

    fn finish_reset(&mut self, at: usize, outcome: Result<(), Fault>) {
        let entry = self.resets.remove(at).what;
        self.rests(entry.connection);
        match outcome {
            Ok(()) => self.machine.was_reset(entry, self.now),
            Err(fault) => {
                self.blamed(&entry, fault);
                self.machine.invalidated(entry, fault, self.now);
            }
        }
    }

    fn blamed(&mut self, entry: &Entry<u32>, fault: Fault) {
        if fault == Fault::Server {
            self.blame(entry.connection);
        }
    }

    fn rests(&mut self, connection: u32) {
        self.rested.insert(connection, self.now);
        self.heard.insert(connection, self.now);
    }

    fn tick(&mut self) {
        let alarm = self.alarm.take();
        let now = alarm.map_or(self.now, |at| at.max(self.now));
        self.now = now;
        let patience = self.options.clone();
        let mut hung = 0;
        for work in &mut self.connects {
            hung += usize::from(work.give_up(patience.connect_timeout, now));
        }
        if hung > 0 {
            self.outage_continues(hung);
        }
        let mut given_up = Vec::new();
        for work in &mut self.pings {
            if work.give_up(patience.ping_timeout, now) {
                given_up.push(work.what.connection);
            }
        }
        for connection in &given_up {
            self.blame(*connection);
        }
        for work in &mut self.resets {
            if work.give_up(patience.reset_timeout, now) {
                given_up.push(work.what.connection);
            }
        }
        for work in &mut self.closings {
            if work.give_up(patience.close_timeout, now) {
                given_up.push(work.what.1);
            }
        }
        self.lost.extend(given_up);
        self.machine.tick(now, |_| "no answer in time");
    }

    /// When the first work under way will have taken too long, or the first patience be over.
    pub(crate) fn first_overdue(&self) -> Option<Time> {
        let options = &self.options;
        let patience = self.waiting().map(|caller| caller.deadline);
        let ends = [
            patience.filter(|deadline| *deadline < Time::NEVER).min(),
            self.connects.end(options.connect_timeout),
            self.pings.end(options.ping_timeout),
            self.resets.end(options.reset_timeout),
            self.closings.end(options.close_timeout),
        ];
        ends.into_iter().flatten().min()
    }

    /// The next thing that happens if all goes well and every caller stays until it is served.
    fn happy(&self) -> Option<Event> {
        let first = |is_any: bool, event| is_any.then_some(event);
        let answered = self
            .callers
            .iter()
            .position(|caller| caller.answer.is_some());
        answered
            .map(Event::Collect)
            .or(first(!self.connects.is_empty(), Event::Connect(0, Ok(()))))
            .or(first(!self.pings.is_empty(), Event::Ping(0, Ok(()))))
            .or(first(!self.resets.is_empty(), Event::Reset(0, Ok(()))))
            .or(first(!self.closings.is_empty(), Event::Closed(0)))
    }

    /// As `happy`, but what was given up never ends.
    fn happy_in_time(&self) -> Option<Event> {
        let in_time = |given_up: bool| !given_up;
        let connect = self
            .connects
            .iter()
            .position(|work| in_time(work.is_given_up));
        let ping = self.pings.iter().position(|work| in_time(work.is_given_up));
        let reset = self
            .resets
            .iter()
            .position(|work| in_time(work.is_given_up));
        let closing = self
            .closings
            .iter()
            .position(|work| in_time(work.is_given_up));
        let mut callers = self.callers.iter();
        let answered = callers.position(|caller| caller.answer.is_some());
        answered
            .map(Event::Collect)
            .or(connect.map(|at| Event::Connect(at, Ok(()))))
            .or(ping.map(|at| Event::Ping(at, Ok(()))))
            .or(reset.map(|at| Event::Reset(at, Ok(()))))
            .or(closing.map(Event::Closed))
    }

    /// Ends all work under way well but what was given up, and collects all answers.
    pub(crate) fn finish_work_in_time(&mut self) {
        for _ in 0..1_000 {
            match self.happy_in_time() {
                Some(event) => self.apply(event),
                None => return,
            }
        }
        panic!("the work never ends");
    }

    /// Ends all work under way well, and collects all answers.
    pub(crate) fn finish_work(&mut self) {
        for _ in 0..1_000 {
            match self.happy() {
                Some(event) => self.apply(event),
                None => return,
            }
        }
        panic!("the work never ends");
    }
}

pub(crate) fn bounded(size: u32, overflow: u32) -> Capacity {
    Capacity::Bounded { size, overflow }
}
