//! A tiny pool with everything around it: its callers, what they hold, the work that is under way,
//! the clock. It keeps its own account of the truth and never looks into the machine.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use everpool_core::machine::{
    Action, Capacity, Checkout, Closing, ConnectFault, Entry, Fault, Generation, Machine, Options,
    Permit, Refusal, Residue, Ticket, Time,
};

/// More callers than this in the queue at once tell nothing new.
const CALLERS: usize = 3;
const TICK: Duration = Duration::from_millis(1);

/// One thing that happens. Numbers say which one, in order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Checkout,
    Collect(usize),
    Withdraw(usize),
    GiveBack(usize, Residue),
    Invalidate(usize, Fault),
    Connect(usize, Result<(), ConnectFault>),
    Ping(usize, Result<(), Fault>),
    Reset(usize, Result<(), Fault>),
    Closed(usize),
    Recreate,
    Pass(Duration),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Birth {
    pub(crate) generation: usize,
    pub(crate) opened: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Connection(u32),
    Refused(Refusal<&'static str>),
}

#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) number: u32,
    ticket: Ticket,
    waker: Waker,
    pub(crate) woken: bool,
    pub(crate) answer: Option<Answer>,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    permit: Permit,
    pub(crate) generation: usize,
    pub(crate) not_before: Time,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) began: Time,
    pub(crate) wanted: Time,
}

/// What the last event brought about.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    pub(crate) event: Option<Event>,
    /// Lent at once, without a place in the queue.
    pub(crate) lent: Option<u32>,
    pub(crate) refused: Option<Refusal<&'static str>>,
    /// The numbers of the callers whose answer came.
    pub(crate) answered: Vec<u32>,
    pub(crate) connected: Option<u32>,
    pub(crate) connects: usize,
    pub(crate) pings: Vec<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) machine: Machine<u32, &'static str>,
    pub(crate) now: Time,
    pub(crate) generation: usize,
    pub(crate) generations: Vec<Generation>,
    /// Opened and not yet closed.
    pub(crate) open: BTreeMap<u32, Birth>,
    pub(crate) leased: Vec<Entry<u32>>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) connects: Vec<Attempt>,
    pub(crate) pings: Vec<Entry<u32>>,
    pub(crate) resets: Vec<Entry<u32>>,
    pub(crate) closings: Vec<(Closing, u32)>,
    pub(crate) outage: Option<Outage>,
    pub(crate) news: News,
    next_connection: u32,
    next_caller: u32,
}

struct Bell;

impl Wake for Bell {
    fn wake(self: Arc<Self>) {}
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        let machine = Machine::new(options);
        Self {
            generations: vec![machine.generation()],
            machine,
            now: Time::START,
            generation: 0,
            open: BTreeMap::new(),
            leased: Vec::new(),
            callers: Vec::new(),
            connects: Vec::new(),
            pings: Vec::new(),
            resets: Vec::new(),
            closings: Vec::new(),
            outage: None,
            news: News::default(),
            next_connection: 1,
            next_caller: 1,
        }
    }

    pub(crate) fn after(options: Options, story: &[Event]) -> Self {
        let mut world = Self::new(options);
        world.tell(story);
        world
    }

    pub(crate) fn tell(&mut self, story: &[Event]) {
        for event in story {
            self.apply(*event);
        }
    }

    pub(crate) fn most(&self) -> usize {
        match self.machine.options().capacity {
            Capacity::Bounded { size, overflow } => (size + overflow) as usize,
            Capacity::Growing { .. } | Capacity::Unlimited => usize::MAX,
        }
    }

    pub(crate) fn kept(&self) -> usize {
        match self.machine.options().capacity {
            Capacity::Bounded { size, .. } | Capacity::Growing { size } => size as usize,
            Capacity::Unlimited => usize::MAX,
        }
    }

    pub(crate) fn is_fit(&self, connection: u32) -> bool {
        let birth = self.open[&connection];
        let too_old = |limit| self.now.since(birth.opened) > limit;
        birth.generation == self.generation && !self.machine.options().recycle.is_some_and(too_old)
    }

    pub(crate) fn answered(&self) -> impl Iterator<Item = u32> {
        self.callers
            .iter()
            .filter_map(|caller| match caller.answer {
                Some(Answer::Connection(connection)) => Some(connection),
                Some(Answer::Refused(_)) | None => None,
            })
    }

    /// Those in the queue who have no answer.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Caller> {
        self.callers.iter().filter(|caller| caller.answer.is_none())
    }

    /// Connections with nobody, which no work is under way on.
    pub(crate) fn idle(&self) -> impl Iterator<Item = u32> {
        let entries = [&self.leased, &self.pings, &self.resets];
        let entries = entries.into_iter().flatten().map(|entry| entry.connection);
        let closing = self.closings.iter().map(|(_, connection)| *connection);
        let busy: Vec<u32> = entries.chain(closing).chain(self.answered()).collect();
        self.open
            .keys()
            .copied()
            .filter(move |connection| !busy.contains(connection))
    }

    pub(crate) fn occupied(&self) -> usize {
        self.open.len() + self.connects.len()
    }

    pub(crate) fn pings_under_way(&self) -> usize {
        let current = |entry: &&Entry<u32>| self.is_current(entry.connection);
        self.pings.iter().filter(current).count()
    }

    pub(crate) fn connects_under_way(&self) -> usize {
        let current = |attempt: &&Attempt| attempt.generation == self.generation;
        self.connects.iter().filter(current).count()
    }

    /// Whether a connection of this generation is open that could still come back.
    pub(crate) fn is_any_alive(&self) -> bool {
        let closing = |connection: &u32| self.closings.iter().any(|(_, other)| other == connection);
        let mut open = self.open.keys();
        open.any(|connection| self.is_current(*connection) && !closing(connection))
    }

    fn is_current(&self, connection: u32) -> bool {
        self.open[&connection].generation == self.generation
    }

    /// Everything that may happen next.
    pub(crate) fn possible(&self) -> Vec<Event> {
        use Event::{
            Checkout, Closed, Collect, Connect, GiveBack, Invalidate, Ping, Recreate, Reset,
        };
        let mut events = vec![Recreate];
        if self.callers.len() < CALLERS {
            events.push(Checkout);
        }
        for (at, caller) in self.callers.iter().enumerate() {
            events.push(Event::Withdraw(at));
            events.extend(caller.answer.as_ref().map(|_| Collect(at)));
        }
        // One user is as good as another to do harm; all may return in any order.
        for at in 0..self.leased.len() {
            events.push(GiveBack(at, Residue::Clean));
        }
        if !self.leased.is_empty() {
            events.extend([Residue::Open, Residue::Broken].map(|residue| GiveBack(0, residue)));
            let faults = [Fault::Connection, Fault::Server];
            events.extend(faults.map(|fault| Invalidate(0, fault)));
        }
        let faults = [ConnectFault::Transient, ConnectFault::Permanent];
        for at in 0..self.connects.len() {
            events.push(Connect(at, Ok(())));
            events.extend(faults.map(|fault| Connect(at, Err(fault))));
        }
        for at in 0..self.pings.len() {
            events.push(Ping(at, Ok(())));
            let faults = [Fault::Statement, Fault::Connection, Fault::Server];
            events.extend(faults.map(|fault| Ping(at, Err(fault))));
        }
        for at in 0..self.resets.len() {
            events.push(Reset(at, Ok(())));
            let faults = [Fault::Connection, Fault::Server];
            events.extend(faults.map(|fault| Reset(at, Err(fault))));
        }
        events.extend((0..self.closings.len()).map(Closed));
        let options = self.machine.options();
        let grace = self.outage.map(|_| options.outage_grace);
        events.extend(
            grace
                .or(options.recycle.map(|age| age + TICK))
                .map(Event::Pass),
        );
        events
    }

    pub(crate) fn apply(&mut self, event: Event) {
        self.news = News {
            event: Some(event),
            ..News::default()
        };
        match event {
            Event::Checkout => self.check_out(),
            Event::Collect(at) => self.collect(at),
            Event::Withdraw(at) => {
                let caller = self.callers.remove(at);
                self.machine.withdraw(&caller.ticket, self.now);
            }
            Event::GiveBack(at, residue) => {
                let entry = self.leased.remove(at);
                let to_reset = self.machine.given_back(entry, residue, self.now);
                self.resets.extend(to_reset);
            }
            Event::Invalidate(at, fault) => {
                let entry = self.leased.remove(at);
                self.blame(&entry, fault);
                self.machine.invalidated(entry, fault, self.now);
            }
            Event::Connect(at, outcome) => self.finish_connect(at, outcome),
            Event::Ping(at, outcome) => self.finish_ping(at, outcome),
            Event::Reset(at, outcome) => self.finish_reset(at, outcome),
            Event::Closed(at) => {
                let (closing, connection) = self.closings.remove(at);
                self.open.remove(&connection).expect("it is closed once");
                self.machine.closed(&closing, self.now);
            }
            Event::Recreate => {
                self.generation += 1;
                self.machine.recreate(self.now);
            }
            Event::Pass(time) => self.now = self.now + time,
        }
        self.obey();
        self.look();
    }

    fn check_out(&mut self) {
        let grace = self.machine.options().outage_grace;
        if let Some(outage) = &mut self.outage {
            let nobody_waits = self.callers.iter().all(|caller| caller.answer.is_some());
            if nobody_waits && self.now.since(outage.wanted) > grace {
                outage.began = self.now;
            }
            outage.wanted = self.now;
        }
        match self.machine.checkout(self.now) {
            Checkout::Lent(entry) => {
                self.news.lent = Some(entry.connection);
                self.leased.push(entry);
            }
            Checkout::Refused(refusal) => self.news.refused = Some(refusal),
            Checkout::Queued(ticket) => {
                let waker = Waker::from(Arc::new(Bell));
                // A face asks at once, and again when it is woken.
                let answer = self.machine.collect(&ticket, &waker);
                assert!(
                    answer.is_none(),
                    "what can be answered at once is not queued"
                );
                let number = self.next_caller;
                self.next_caller += 1;
                self.callers.push(Caller {
                    number,
                    ticket,
                    waker,
                    woken: false,
                    answer: None,
                });
            }
        }
    }

    fn collect(&mut self, at: usize) {
        let caller = self.callers.remove(at);
        let answer = self.machine.collect(&caller.ticket, &caller.waker);
        match answer.expect("an answer stays until it is collected") {
            Ok(entry) => {
                assert_eq!(caller.answer, Some(Answer::Connection(entry.connection)));
                self.leased.push(entry);
            }
            Err(refusal) => assert_eq!(caller.answer, Some(Answer::Refused(refusal))),
        }
    }

    fn finish_connect(&mut self, at: usize, outcome: Result<(), ConnectFault>) {
        let attempt = self.connects.remove(at);
        self.now = self.now.max(attempt.not_before);
        match outcome {
            Ok(()) => {
                let connection = self.next_connection;
                self.next_connection += 1;
                let birth = Birth {
                    generation: attempt.generation,
                    opened: self.now,
                };
                self.open.insert(connection, birth);
                self.outage = None;
                self.news.connected = Some(connection);
                self.machine.connected(attempt.permit, connection, self.now);
            }
            Err(fault) => {
                let now = self.now;
                let goes_on = fault == ConnectFault::Transient;
                let mut outage = self.outage.unwrap_or(Outage {
                    began: now,
                    wanted: now,
                });
                if self.waiting().count() > 0 {
                    outage.wanted = now;
                }
                self.outage = goes_on.then_some(outage);
                self.machine
                    .connect_failed(attempt.permit, "no connection", fault, now);
            }
        }
    }

    fn finish_ping(&mut self, at: usize, outcome: Result<(), Fault>) {
        let entry = self.pings.remove(at);
        match outcome {
            Ok(()) => self.machine.pinged(entry, self.now),
            Err(fault) => {
                self.blame(&entry, fault);
                self.machine
                    .ping_failed(entry, "no answer", fault, self.now);
            }
        }
    }

    fn finish_reset(&mut self, at: usize, outcome: Result<(), Fault>) {
        let entry = self.resets.remove(at);
        match outcome {
            Ok(()) => self.machine.was_reset(entry, self.now),
            Err(fault) => {
                self.blame(&entry, fault);
                self.machine.invalidated(entry, fault, self.now);
            }
        }
    }

    fn blame(&mut self, entry: &Entry<u32>, fault: Fault) {
        self.generation += usize::from(fault == Fault::Server && self.is_current(entry.connection));
    }

    fn obey(&mut self) {
        while let Some(action) = self.machine.next_action() {
            match action {
                Action::Connect { permit, not_before } => {
                    self.news.connects += 1;
                    self.connects.push(Attempt {
                        permit,
                        generation: self.generation,
                        not_before,
                    });
                }
                Action::Ping(entry) => {
                    self.news.pings.push(entry.connection);
                    self.pings.push(entry);
                }
                Action::Close(closing, connection) => self.closings.push((closing, connection)),
                Action::Wake(waker) => {
                    let mut callers = self.callers.iter_mut();
                    let caller = callers.find(|caller| caller.waker.will_wake(&waker));
                    caller.expect("who left is not woken").woken = true;
                }
            }
        }
    }

    /// Sees who has an answer, in a copy, so that whoever has one still has to collect it.
    fn look(&mut self) {
        if self.generations.len() <= self.generation {
            self.generations.push(self.machine.generation());
        }
        if self.machine.status().waiting == self.waiting().count() {
            return;
        }
        for caller in &mut self.callers {
            let answer = self.machine.clone().collect(&caller.ticket, &caller.waker);
            if let (None, Some(answer)) = (&caller.answer, answer) {
                self.news.answered.push(caller.number);
                caller.answer = Some(match answer {
                    Ok(entry) => Answer::Connection(entry.connection),
                    Err(refusal) => Answer::Refused(refusal),
                });
            }
        }
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

    /// Ends all work under way well, and collects all answers.
    pub(crate) fn finish_work(&mut self) {
        while let Some(event) = self.happy() {
            self.apply(event);
        }
    }
}
