//! A tiny pool with everything around it: its callers, what they hold, the work that is under way,
//! the clock. It keeps its own account of the truth and never looks into the machine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use everpool_core::machine::{
    Action, Borrower, Capacity, Checkout, Closing, Entry, Generation, Machine, Options, Permit,
    PoolClass, Refusal, Ticket, Time,
};

use crate::event::Event;

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
    pub(crate) ticket: Ticket,
    waker: Waker,
    /// When its patience is over.
    pub(crate) deadline: Time,
    pub(crate) woken: bool,
    pub(crate) answer: Option<Answer>,
}

/// A connect, ping, reset or close that was begun and has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Work<T> {
    pub(crate) what: T,
    pub(crate) slot: usize,
    pub(crate) generation: usize,
    /// When it began, or may begin.
    pub(crate) since: Time,
    /// The event that it began with.
    pub(crate) event: u32,
    /// It took longer than it may. Its place is free for others.
    pub(crate) is_given_up: bool,
    /// It outlasted a caller who waited for it.
    pub(crate) is_overdue: bool,
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
    /// How many callers left, or were sent away, because their time was up.
    pub(crate) timeouts: usize,
}

/// What happened so far, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) opened: u64,
    pub(crate) closed: u64,
    pub(crate) lent: u64,
    pub(crate) timeouts: u64,
    pub(crate) connect_errors: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) machine: Machine<u32, &'static str>,
    pub(crate) options: Options,
    /// Of each caller.
    patience: Duration,
    pub(crate) now: Time,
    pub(crate) generation: usize,
    pub(crate) generations: Vec<Generation>,
    /// Opened and not yet closed.
    pub(crate) open: BTreeMap<u32, Birth>,
    /// Of those: given up, or opened in an attempt that was.
    pub(crate) lost: BTreeSet<u32>,
    /// To be replaced when they come back.
    pub(crate) spent: BTreeSet<u32>,
    /// Since when each was not used, and when it last gave a sign of life.
    pub(crate) rested: BTreeMap<u32, Time>,
    pub(crate) heard: BTreeMap<u32, Time>,
    pub(crate) leased: Vec<Entry<u32>>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) connects: Vec<Work<Permit>>,
    pub(crate) pings: Vec<Work<Entry<u32>>>,
    pub(crate) resets: Vec<Work<Entry<u32>>>,
    pub(crate) closings: Vec<Work<(Closing, u32)>>,
    pub(crate) outage: Option<Outage>,
    pub(crate) is_suspended: bool,
    pub(crate) is_closed: bool,
    /// When the next tick was asked for.
    pub(crate) alarm: Option<Time>,
    /// Who waits for the pool to be drained.
    mourner: Waker,
    pub(crate) mourner_was_woken: bool,
    pub(crate) news: News,
    pub(crate) counts: Counts,
    /// How many there were.
    pub(crate) events: u32,
    pub(crate) next_connection: u32,
    next_caller: u32,
}

struct Bell;

impl Wake for Bell {
    fn wake(self: Arc<Self>) {}
}

impl World {
    pub(crate) fn new(options: Options, patience: Duration) -> Self {
        let machine = Machine::new(options.clone()).expect("the options are in their ranges");
        let mut world = Self {
            generations: vec![machine.generation()],
            machine,
            options,
            patience,
            now: Time::START,
            generation: 0,
            open: BTreeMap::new(),
            lost: BTreeSet::new(),
            spent: BTreeSet::new(),
            rested: BTreeMap::new(),
            heard: BTreeMap::new(),
            leased: Vec::new(),
            callers: Vec::new(),
            connects: Vec::new(),
            pings: Vec::new(),
            resets: Vec::new(),
            closings: Vec::new(),
            outage: None,
            is_suspended: false,
            is_closed: false,
            alarm: None,
            mourner: Waker::from(Arc::new(Bell)),
            mourner_was_woken: false,
            news: News::default(),
            counts: Counts::default(),
            events: 0,
            next_connection: 1,
            next_caller: 1,
        };
        let mut mourner = Some(world.mourner.clone());
        assert!(!world.machine.is_drained(&mut mourner), "it is not closed");
        world
    }

    pub(crate) fn tell(&mut self, story: &[Event]) {
        for event in story {
            self.apply(*event);
        }
    }

    /// How many connections are kept, and how many there may be.
    fn limits(&self) -> (usize, usize) {
        let Options {
            class,
            capacity,
            max_total,
            ..
        } = self.options;
        match (class, capacity) {
            (PoolClass::QueuePool, Capacity::Bounded { size, overflow }) => {
                (size as usize, (size + overflow) as usize)
            }
            (PoolClass::NullPool, _) => (0, max_total.expect("a tiny pool is bounded") as usize),
            (PoolClass::StaticPool | PoolClass::AssertionPool, _) => (1, 1),
            other => panic!("no tiny pool is {other:?}"),
        }
    }

    pub(crate) fn kept(&self) -> usize {
        self.limits().0
    }

    pub(crate) fn most(&self) -> usize {
        self.limits().1
    }

    pub(crate) fn is_fit(&self, connection: u32) -> bool {
        let birth = self.open[&connection];
        let too_old = |limit| self.now.since(birth.opened) > limit;
        birth.generation == self.generation
            && !self.options.recycle.is_some_and(too_old)
            && !self.spent.contains(&connection)
            && !self.lost.contains(&connection)
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
        let works = self.pings.iter().chain(&self.resets);
        let worked_on = works.map(|work| work.what.connection);
        let leased = self.leased.iter().map(|entry| entry.connection);
        let closing = self.closings.iter().map(|work| work.what.1);
        let mut busy: Vec<u32> = worked_on.chain(leased).chain(closing).collect();
        busy.extend(self.answered());
        self.open
            .keys()
            .copied()
            .filter(move |connection| !busy.contains(connection))
    }

    /// What counts against the limit.
    pub(crate) fn occupied(&self) -> usize {
        let lost = |connection: &&u32| !self.lost.contains(connection);
        self.open.keys().filter(lost).count() + self.connects.in_time()
    }

    /// What was given up and has not ended.
    pub(crate) fn abandoned(&self) -> usize {
        let given_up = self.connects.len() - self.connects.in_time();
        self.lost.len() + given_up
    }

    pub(crate) fn pings_under_way(&self) -> usize {
        self.pings.attending(self.generation)
    }

    pub(crate) fn connects_under_way(&self) -> usize {
        self.connects.attending(self.generation)
    }

    /// Attempts that may still bring something.
    pub(crate) fn probes(&self) -> usize {
        self.connects_under_way()
    }

    /// Whether a connection of this generation is open that could still come back.
    pub(crate) fn is_any_alive(&self) -> bool {
        let closing =
            |connection: &u32| self.closings.iter().any(|work| work.what.1 == *connection);
        let mut open = self.open.keys();
        open.any(|connection| {
            self.is_current(*connection) && !closing(connection) && !self.lost.contains(connection)
        })
    }

    pub(crate) fn is_current(&self, connection: u32) -> bool {
        self.open[&connection].generation == self.generation
    }

    pub(crate) fn blame(&mut self, connection: u32) {
        if self.is_current(connection) && !self.lost.contains(&connection) {
            self.generation += 1;
        }
    }

    pub(crate) fn check_out(&mut self) {
        let grace = self.options.outage_grace;
        let nobody_waits = self.waiting().count() == 0;
        if let Some(outage) = self.outage.as_mut().filter(|_| !self.is_closed) {
            if nobody_waits && self.now.since(outage.wanted) > grace {
                outage.began = self.now;
            }
            outage.wanted = self.now;
        }
        let borrower = Borrower::here();
        match self
            .machine
            .checkout_within(self.patience, borrower, &self.now)
        {
            Checkout::Lent(entry) => {
                self.news.lent = Some(entry.connection);
                self.counts.lent += 1;
                self.leased.push(entry);
            }
            Checkout::Refused(refusal) => self.news.refused = Some(refusal),
            Checkout::Queued(ticket) => self.wait(ticket),
        }
    }

    fn wait(&mut self, ticket: Ticket) {
        let waker = Waker::from(Arc::new(Bell));
        // A face asks at once, and again when it is woken.
        let answer = self.machine.collect(&ticket, &mut Some(waker.clone()));
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
            deadline: self.now + self.patience,
            woken: false,
            answer: None,
        });
    }

    pub(crate) fn collect(&mut self, at: usize) {
        let caller = self.callers.remove(at);
        let answer = self.machine.collect(&caller.ticket, &mut None);
        match answer.expect("an answer stays until it is collected") {
            Ok(entry) => {
                assert_eq!(caller.answer, Some(Answer::Connection(entry.connection)));
                self.leased.push(entry);
            }
            Err(refusal) => assert_eq!(caller.answer, Some(Answer::Refused(refusal))),
        }
    }

    /// A caller leaves; its waker comes back unless it was woken with it.
    pub(crate) fn has_left(&self, caller: &Caller, waker: Option<&Waker>) {
        match waker {
            None => assert!(caller.woken, "a waker was lost"),
            Some(waker) => assert!(!caller.woken && waker.will_wake(&caller.waker)),
        }
    }

    /// A caller's time was up. If more is under way than is waited for, it was one of those that the
    /// caller waited for.
    pub(crate) fn outlast(&mut self) {
        let generation = self.generation;
        // A tick first sends callers away, then begins what is to be done for the others.
        let is_new = |event: u32| event == self.events && self.news.event == Some(Event::Tick);
        let news = self.pings.iter().filter(|work| is_new(work.event)).count()
            + self
                .connects
                .iter()
                .filter(|work| is_new(work.event))
                .count();
        let attending = self.pings_under_way() + self.connects_under_way() - news;
        if attending > self.waiting().count() && !self.pings.outlast(generation) {
            self.connects.outlast(generation);
        }
    }

    pub(crate) fn obey(&mut self) {
        while let Some(action) = self.machine.next_action() {
            match action {
                Action::Connect { permit, not_before } => {
                    self.news.connects += 1;
                    let slot = permit.slot().index();
                    let since = self.now.max(not_before);
                    self.connects.push(self.begun(permit, slot, since));
                }
                Action::Ping(entry) => {
                    self.news.pings.push(entry.connection);
                    let slot = entry.slot().index();
                    self.pings.push(self.begun(entry, slot, self.now));
                }
                Action::Close(closing, connection) => {
                    self.counts.closed += 1;
                    let slot = closing.slot().index();
                    let mut work = self.begun((closing, connection), slot, self.now);
                    work.is_given_up = self.lost.contains(&connection);
                    self.closings.push(work);
                }
                Action::Wake(waker) => self.wake(&waker),
                Action::TickAt(at) => {
                    self.alarm = Some(self.alarm.map_or(at, |alarm| alarm.min(at)));
                }
                Action::Leaked(..) => panic!("no tiny pool reports leaks"),
            }
        }
    }

    pub(crate) fn begun<T>(&self, what: T, slot: usize, since: Time) -> Work<T> {
        Work {
            what,
            slot,
            generation: self.generation,
            since,
            event: self.events,
            is_given_up: false,
            is_overdue: false,
        }
    }

    fn wake(&mut self, waker: &Waker) {
        if self.mourner.will_wake(waker) {
            assert!(!self.mourner_was_woken, "once is enough");
            self.mourner_was_woken = true;
            return;
        }
        let mut callers = self.callers.iter_mut();
        let caller = callers.find(|caller| caller.waker.will_wake(waker));
        caller.expect("who left is not woken").woken = true;
    }

    /// Sees who has an answer, in a copy, so that whoever has one still has to collect it.
    pub(crate) fn look(&mut self) {
        if self.generations.len() <= self.generation {
            self.generations
                .resize(self.generation + 1, self.machine.generation());
        }
        if self.machine.status().waiting == self.waiting().count() {
            return;
        }
        let mut copy = self.machine.clone();
        for caller in &mut self.callers {
            let answer = copy.collect(&caller.ticket, &mut None);
            if let (None, Some(answer)) = (&caller.answer, answer) {
                self.news.answered.push(caller.number);
                caller.answer = Some(match answer {
                    Ok(entry) => Answer::Connection(entry.connection),
                    Err(refusal) => Answer::Refused(refusal),
                });
                match &caller.answer {
                    Some(Answer::Connection(_)) => self.counts.lent += 1,
                    Some(Answer::Refused(Refusal::TimedOut(_))) => self.news.timeouts += 1,
                    _ => {}
                }
            }
        }
    }
}

/// Several works of one kind.
pub(crate) trait Works {
    /// How many were not given up.
    fn in_time(&self) -> usize;
    /// How many callers are attended to by them.
    fn attending(&self, generation: usize) -> usize;
    /// The oldest that attends to a caller has outlasted one; false if there is none.
    fn outlast(&mut self, generation: usize) -> bool;
    /// When the first will have taken too long.
    fn end(&self, patience: Duration) -> Option<Time>;
}

impl<T> Works for Vec<Work<T>> {
    fn in_time(&self) -> usize {
        self.iter().filter(|work| !work.is_given_up).count()
    }

    fn attending(&self, generation: usize) -> usize {
        self.iter().filter(|work| work.attends(generation)).count()
    }

    fn outlast(&mut self, generation: usize) -> bool {
        let attending = self.iter_mut().filter(|work| work.attends(generation));
        let oldest = attending.min_by_key(|work| (work.since, work.slot));
        oldest.map(|work| work.is_overdue = true).is_some()
    }

    fn end(&self, patience: Duration) -> Option<Time> {
        let in_time = self.iter().filter(|work| !work.is_given_up);
        in_time.map(|work| work.since + patience).min()
    }
}

impl<T> Work<T> {
    fn attends(&self, generation: usize) -> bool {
        self.generation == generation && !self.is_given_up && !self.is_overdue
    }

    /// Gives it up if it took too long; true if it did just now.
    pub(crate) fn give_up(&mut self, patience: Duration, now: Time) -> bool {
        let is_over = !self.is_given_up && self.since + patience <= now;
        self.is_given_up |= is_over;
        is_over
    }
}
