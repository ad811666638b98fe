//! Every short story of two scopes by key.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use everpool_session::scope::{Entered, ScopeError, Scoped, ScopedSession};

use crate::factory::{Factory, Numbered, refused};

const KEYS: usize = 2;
const LONGEST: usize = 6;

/// What happens, in the scope of a key.
#[derive(Clone, Copy, Debug)]
enum Event {
    Enter(usize),
    Leave(usize),
    Use(usize),
    /// The use that began first is over.
    EndUse(usize),
    Remove(usize),
    RemoveAll,
}

const EVENTS: [Event; 11] = [
    Event::Enter(0),
    Event::Enter(1),
    Event::Leave(0),
    Event::Leave(1),
    Event::Use(0),
    Event::Use(1),
    Event::EndUse(0),
    Event::EndUse(1),
    Event::Remove(0),
    Event::Remove(1),
    Event::RemoveAll,
];

/// What ought to be.
#[derive(Default)]
struct Expected {
    made: usize,
    is_entered: [bool; KEYS],
    /// The session that the scope has.
    current: [Option<usize>; KEYS],
}

struct World<'a> {
    factory: Factory,
    scoped: &'a ScopedSession<Factory, usize>,
    here: Arc<AtomicUsize>,
    entered: [Option<Entered<usize, Numbered>>; KEYS],
    /// The uses of each key's sessions, with what is used.
    uses: [Vec<(usize, Scoped<'a, usize, Numbered>)>; KEYS],
    expected: Expected,
}

impl World<'_> {
    fn happens(&mut self, event: Event) {
        match event {
            Event::Enter(key) => self.enter(key),
            Event::Leave(key) => {
                self.entered[key] = None;
                self.expected.is_entered[key] = false;
                self.expected.current[key] = None;
            }
            Event::Use(key) => self.begin_use(key),
            Event::EndUse(key) => {
                if !self.uses[key].is_empty() {
                    drop(self.uses[key].remove(0));
                }
            }
            Event::Remove(key) => {
                self.here.store(key, Ordering::Relaxed);
                self.scoped.remove();
                self.expected.current[key] = None;
            }
            Event::RemoveAll => {
                self.scoped.remove_all();
                self.expected.current = [None; KEYS];
            }
        }
    }

    fn enter(&mut self, key: usize) {
        let entered = self.scoped.enter(key);
        assert_eq!(entered.is_err(), self.expected.is_entered[key]);
        match entered {
            Ok(entered) => self.entered[key] = Some(entered),
            Err(error) => assert_eq!(
                error,
                ScopeError::AlreadyEntered {
                    key: key.to_string()
                }
            ),
        }
        self.expected.is_entered[key] = true;
    }

    fn begin_use(&mut self, key: usize) {
        self.here.store(key, Ordering::Relaxed);
        let session = self.scoped.session();
        if !self.expected.is_entered[key] {
            let key = key.to_string();
            assert_eq!(refused(session), ScopeError::NotEntered { key });
        } else if self.is_in_use(key) {
            assert_eq!(refused(session), ScopeError::InUse);
        } else {
            let session = session.unwrap();
            let expected = self.expected.current[key].unwrap_or(self.expected.made + 1);
            assert_eq!(session.number, expected);
            self.expected.made = self.expected.made.max(expected);
            self.expected.current[key] = Some(expected);
            self.uses[key].push((expected, session));
        }
    }

    fn is_in_use(&self, key: usize) -> bool {
        let current = self.expected.current[key];
        self.uses[key]
            .iter()
            .any(|(used, _)| Some(*used) == current)
    }

    /// Each session is a scope's or somebody's, and there are no others.
    fn check(&self) {
        let current = self.expected.current.iter().flatten();
        assert_eq!(self.scoped.len(), current.clone().count());
        let used = self.uses.iter().flatten().map(|(used, _)| used);
        let there: std::collections::BTreeSet<_> = current.chain(used).collect();
        assert_eq!(self.factory.open(), there.len());
    }
}

fn told(story: &[Event]) {
    let (factory, here) = (Factory::default(), Arc::new(AtomicUsize::new(0)));
    let asked = Arc::clone(&here);
    let scoped = ScopedSession::by_key(factory.clone(), move || asked.load(Ordering::Relaxed));
    let mut world = World {
        factory: factory.clone(),
        scoped: &scoped,
        here,
        entered: [None, None],
        uses: [Vec::new(), Vec::new()],
        expected: Expected::default(),
    };
    for event in story {
        world.happens(*event);
        world.check();
    }
    drop(world);
    drop(scoped);
    assert_eq!(factory.open(), 0);
}

fn stories(number: usize) -> Vec<Event> {
    let mut left = number;
    let events = (0..LONGEST).map(|_| {
        let event = EVENTS[left % EVENTS.len()];
        left /= EVENTS.len();
        event
    });
    events.collect()
}

#[test]
fn in_every_short_story_a_session_is_its_scope_s_and_of_one_user_at_a_time() {
    let all = EVENTS.len().pow(u32::try_from(LONGEST).unwrap());
    for number in 0..all {
        let story = stories(number);
        let ends = std::panic::catch_unwind(|| told(&story));
        assert!(ends.is_ok(), "{story:?}");
    }
}

#[test]
fn scopes_that_are_over_leave_nothing_however_many_there_were() {
    let here = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&here);
    let scoped = ScopedSession::by_key(Factory::default(), move || asked.load(Ordering::Relaxed));
    for key in 0..1000 {
        here.store(key, Ordering::Relaxed);
        let entered = scoped.enter(key).unwrap();
        assert_eq!(scoped.with(|session| session.number).unwrap(), key + 1);
        drop(entered);
        assert!(scoped.is_empty());
    }
    assert_eq!(scoped.maker().open(), 0);
    let said = refused(scoped.session()).to_string();
    assert_eq!(
        said,
        "no scope of 999 is entered; call `ScopedSession::enter` and keep what it gives"
    );
}

#[test]
fn a_scope_outlives_neither_its_scoped_session_nor_the_other_way_round() {
    let factory = Factory::default();
    let scoped = ScopedSession::by_key(factory.clone(), || "here");
    let clone = scoped.clone();
    let entered = scoped.enter("here").unwrap();
    let number = scoped.with(|session| session.number).unwrap();
    drop(scoped);
    assert_eq!(clone.with(|session| session.number).unwrap(), number);
    drop(clone);
    assert_eq!(factory.open(), 0);
    drop(entered);
}
