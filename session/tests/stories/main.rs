//! The laws of a session, each on all short stories: every sequence of what a program can do, with every
//! failure of everything that is sent. The database panics where something illegal is sent to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod database;
mod session;
mod world;

use std::collections::BTreeMap;

use everpool_session::{Moment, stack::On};

use database::{Fate, Names};
use session::{Manners, Row, Session};
use world::{EVENTS, Event, Face, Outcome};

/// How many events a story has; `EVERPOOL_STORIES=4` makes them longer.
const DEPTH: usize = 3;

/// What listeners panic with.
const LISTENER: &str = "a listener panics";

type Fated = (Event, Option<(usize, Fate)>);

/// What is alike in many stories.
#[derive(Clone, Copy, Debug)]
struct Setting {
    face: Face,
    names: Names,
    manners: Manners,
    /// Transactions can be prepared.
    twophase: bool,
}

impl Setting {
    fn fates(self) -> &'static [Fate] {
        match self.face {
            Face::Blocking => &[Fate::Refused, Fate::LostOnTheWay, Fate::AnswerLost],
            Face::Future => &[
                Fate::Refused,
                Fate::LostOnTheWay,
                Fate::AnswerLost,
                Fate::Abandoned,
                Fate::AnswerAbandoned,
            ],
        }
    }
}

/// A session, and what must be so of it.
struct Told {
    session: Session,
    setting: Setting,
    /// What was committed when the last transaction began.
    committed: Vec<u32>,
    /// Nobody was told how a method ended in this transaction.
    is_unsure: bool,
    /// The rows of which nobody was told what became of them.
    unsure: Vec<u32>,
    /// Something was to be sent in this transaction.
    was_used: bool,
}

impl Told {
    fn new(setting: Setting) -> Self {
        Self {
            session: Session::new(setting.names, setting.manners, setting.twophase),
            setting,
            committed: Vec::new(),
            is_unsure: false,
            unsure: Vec::new(),
            was_used: false,
        }
    }

    fn happens(&mut self, (event, fate): Fated) {
        let is_working = self.setting.manners == Manners::Working;
        if event == Event::ForsakeInner && is_working && self.session.stack.is_interrupted() {
            // A listener would work in a level that is to be undone next, and believe in it.
            return;
        }
        let sent = self.session.database().sent;
        let before = self.session.transaction();
        let is_left = event == Event::Invalidate && self.session.stack.is_prepared();
        self.was_used |= event == Event::Insert || self.setting.manners == Manners::Working;
        let outcome = self.session.happens(event, self.setting.face, fate);
        self.is_unsure |= matches!(outcome, Outcome::Abandoned | Outcome::Unknown) || is_left;
        self.believe(event, outcome);
        self.check_rows(event, outcome, before);
        self.check_callbacks();
        if !self.was_used {
            assert_eq!(sent, self.session.database().sent, "sent for nothing");
        }
        if self.is_idle() {
            self.check_idle();
            self.is_unsure = false;
            self.was_used = false;
        }
    }

    fn is_idle(&self) -> bool {
        !self.session.stack.in_transaction() && !self.session.stack.is_interrupted()
    }

    /// What the program may believe of its rows after what it was told.
    fn believe(&mut self, event: Event, outcome: Outcome) {
        let open = self.session.stack.depth();
        let transaction = self.session.transaction();
        let of_this = |row: &Row| row.transaction == transaction;
        let believed = &mut self.session.believed;
        let is_kept = event == Event::CommitInner && outcome == Outcome::Fine;
        if is_kept || matches!(event, Event::Commit | Event::Prepare) {
            let released = believed.iter_mut().filter(|row| of_this(row));
            released.for_each(|row| row.levels = row.levels.min(open));
        }
        believed.retain(|row| !of_this(row) || row.levels <= open);
    }

    /// What the program was told is so.
    fn check_rows(&mut self, event: Event, outcome: Outcome, before: Option<u64>) {
        let committed = self.session.database().committed.clone();
        let now = self.session.transaction();
        if now.is_some() && (now == before || self.is_unsure) {
            let is_known = committed == self.committed;
            assert!(is_known || self.is_unsure, "committed behind the program");
            return;
        }
        let of_old = |row: &mut Row| row.transaction != now;
        let rows: Vec<Row> = self.session.believed.extract_if(.., of_old).collect();
        let with = rows.iter().map(|row| row.row);
        let with: Vec<_> = self.committed.iter().copied().chain(with).collect();
        match (event, outcome) {
            _ if self.is_unsure => {
                for of_one in rows.chunk_by(|a, b| a.transaction == b.transaction) {
                    let is_there = |row: &Row| committed.contains(&row.row);
                    assert!(of_one.iter().all(is_there) || !of_one.iter().any(is_there));
                }
                assert!(committed.iter().all(|row| with.contains(row)));
                self.unsure.extend(rows.iter().map(|row| row.row));
            }
            (Event::Commit, Outcome::Fine) => assert_eq!(committed, with, "not committed"),
            _ => assert_eq!(committed, self.committed, "not rolled back"),
        }
        self.committed = committed;
    }

    fn check_callbacks(&self) {
        let database = self.session.database();
        let called = self.session.called.lock().unwrap();
        for (row, on) in called.iter() {
            let is_there = database.committed.contains(row);
            assert_eq!(is_there, *on == On::Commit, "row {row}: {on:?}");
        }
        let mut rows: Vec<_> = called.iter().map(|(row, _)| row).collect();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), called.len(), "called twice: {called:?}");
    }

    /// Nothing is left of a transaction that is over.
    fn check_idle(&self) {
        assert!(
            !self.session.database().is_connected(),
            "a connection was kept"
        );
        assert!(self.session.stack.is_active());
        self.check_that_all_were_called();
        self.check_listeners();
        let is_prepared = self.session.database().is_prepared();
        assert!(
            !is_prepared || self.is_unsure,
            "left prepared, and nobody was told"
        );
        self.session.database().recover();
    }

    fn check_that_all_were_called(&self) {
        let called = self.session.called.lock().unwrap();
        for row in &self.session.registered {
            let is_called = called.iter().any(|(of, _)| of == row);
            let is_unsure = self.unsure.contains(row);
            assert!(is_called || is_unsure, "row {row} of {called:?}");
        }
    }

    /// A level is created once, ends once, and in between is committed or rolled back, or neither.
    fn check_listeners(&self) {
        let mut levels: BTreeMap<u64, Vec<Moment>> = BTreeMap::new();
        for (moment, id) in self.session.told.lock().unwrap().iter() {
            levels.entry(*id).or_default().push(*moment);
        }
        for (id, moments) in levels {
            let count = |of| moments.iter().filter(|moment| **moment == of).count();
            assert_eq!(
                moments[0],
                Moment::AfterTransactionCreate,
                "{id}: {moments:?}"
            );
            assert_eq!(
                count(Moment::AfterTransactionCreate),
                1,
                "{id}: {moments:?}"
            );
            assert_eq!(count(Moment::AfterTransactionEnd), 1, "{id}: {moments:?}");
            assert!(count(Moment::AfterBegin) <= 1, "{id}: {moments:?}");
            let ends = count(Moment::AfterCommit) + count(Moment::AfterRollback);
            assert!(ends <= 1, "{id}: {moments:?}");
        }
    }

    /// The session is dropped, as an adapter does it.
    fn drops(mut self) {
        if self.is_unsure || self.session.stack.is_prepared() {
            let rows = self.session.believed.iter().map(|row| row.row);
            self.unsure.extend(rows);
        }
        self.session.database().invalidate();
        everpool_session::blocking::abandon(&mut self.session.stack);
        self.check_callbacks();
        self.check_that_all_were_called();
    }
}

/// Tells of a story that breaks a law.
struct Story<'a>(&'a [Fated], Setting);

impl Drop for Story<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the story {:?} ({:?})", self.0, self.1);
        }
    }
}

/// Gives how much its last event has sent.
fn tell(story: &[Fated], setting: Setting) -> usize {
    let told = Story(story, setting);
    let mut world = Told::new(setting);
    let mut sent = 0;
    for event in story {
        sent = world.session.database().sent;
        world.happens(*event);
    }
    let now = world.session.database().sent;
    world.drops();
    drop(told);
    now - sent
}

/// Every story that goes on from this one, with every failure of everything that its events send.
fn every_story(beginning: &mut Vec<Fated>, setting: Setting, depth: usize) {
    if depth == 0 {
        return;
    }
    let events = EVENTS.into_iter();
    for event in events.filter(|event| setting.twophase || *event != Event::Prepare) {
        beginning.push((event, None));
        let sent = tell(beginning, setting);
        every_story(beginning, setting, depth - 1);
        beginning.pop();
        let fates = |at| setting.fates().iter().map(move |fate| (at, *fate));
        for fate in (0..sent).flat_map(fates) {
            beginning.push((event, Some(fate)));
            tell(beginning, setting);
            every_story(beginning, setting, depth - 1);
            beginning.pop();
        }
    }
}

fn depth() -> usize {
    let wanted = std::env::var("EVERPOOL_STORIES").ok();
    wanted.map_or(DEPTH, |depth| depth.parse().expect("a number of events"))
}

/// The situations that stories begin in.
const BEGINNINGS: [&[Event]; 4] = {
    use Event::{Insert, Nest, RollBackInner};
    [
        &[],
        &[Insert, Nest],
        &[Insert, Nest, Insert, Nest, Insert],
        &[Insert, Nest, Nest, Insert, RollBackInner],
    ]
};

fn all_short_stories(face: Face, manners: Manners, twophase: bool) {
    for names in [Names::Hide, Names::Replace] {
        let setting = Setting {
            face,
            names,
            manners,
            twophase,
        };
        let prepared: &[Event] = &[Event::Insert, Event::Nest, Event::Insert, Event::Prepare];
        let prepared = twophase.then_some(prepared);
        for beginning in BEGINNINGS.into_iter().chain(prepared) {
            let mut beginning: Vec<_> = beginning.iter().map(|event| (*event, None)).collect();
            every_story(&mut beginning, setting, depth());
        }
    }
}

fn on_both_faces(manners: Manners) {
    all_short_stories(Face::Blocking, manners, false);
    all_short_stories(Face::Future, manners, false);
}

#[test]
fn every_short_story_in_threads_sends_legal_sql_and_claims_what_is_so() {
    all_short_stories(Face::Blocking, Manners::Quiet, false);
}

#[test]
fn every_short_story_in_tasks_sends_legal_sql_and_claims_what_is_so() {
    all_short_stories(Face::Future, Manners::Quiet, false);
}

#[test]
fn a_transaction_that_can_be_prepared_is_left_prepared_only_if_the_program_is_told() {
    all_short_stories(Face::Blocking, Manners::Quiet, true);
    all_short_stories(Face::Future, Manners::Quiet, true);
}

#[test]
fn what_listeners_do_while_a_transaction_is_prepared_leaves_a_legal_state() {
    // Those that work have by far the most stories, and in tasks several times as many as in threads.
    all_short_stories(Face::Blocking, Manners::Working, true);
    all_short_stories(Face::Blocking, Manners::Failing, true);
    all_short_stories(Face::Future, Manners::Failing, true);
}

#[test]
fn listeners_that_work_change_nothing_of_that() {
    on_both_faces(Manners::Working);
}

#[test]
fn listeners_that_would_end_what_they_are_told_of_are_refused() {
    on_both_faces(Manners::Meddling);
}

#[test]
fn listeners_that_fail_leave_a_legal_state() {
    on_both_faces(Manners::Failing);
}

#[test]
fn listeners_that_panic_leave_a_legal_state() {
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref::<&str>() != Some(&LISTENER) {
            eprintln!("{panic}");
        }
    }));
    on_both_faces(Manners::Panicking);
}
