//! The table of SQLAlchemy's `join_transaction_mode`, on a connection that notes what is sent.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{fmt, sync::Arc, time::Duration};

use everpool_session::{
    JoinTransactionMode, Listeners, SessionError, SessionOptions, TransactionId,
    blocking::{self, Participant, Transactional},
    stack::{
        Control::{self, Begin, Commit, Release, Rollback, RollbackTo, Savepoint},
        Method, Stack, Standing,
    },
};

use JoinTransactionMode::{ConditionalSavepoint, ControlFully, CreateSavepoint, RollbackOnly};

#[derive(Debug)]
struct Trouble;

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Trouble {}

/// A session that is bound to a connection on which so many levels are open.
struct Bound {
    stack: Stack,
    listeners: Arc<Listeners<Participant<Self>>>,
    levels: u32,
    is_aborted: bool,
    is_lost: bool,
    /// This is refused.
    refused: Option<Control>,
    sent: Vec<Control>,
    /// With so many levels left to who has it.
    given_back: Vec<u32>,
}

impl Bound {
    fn new(mode: Option<JoinTransactionMode>, open: u32) -> Self {
        let options = SessionOptions::default();
        let options = match mode {
            Some(mode) => options.join_transaction_mode(mode),
            None => options,
        };
        Self {
            stack: Stack::joined(options.settings()),
            listeners: Arc::default(),
            levels: open,
            is_aborted: false,
            is_lost: false,
            refused: None,
            sent: Vec::new(),
            given_back: Vec::new(),
        }
    }

    fn statement(&mut self) -> Result<(), SessionError<Trouble>> {
        blocking::ready(self)
    }

    fn ends(&mut self, method: Method) -> Result<(), SessionError<Trouble>> {
        blocking::end(self, method)
    }
}

impl Transactional for Bound {
    type Error = Trouble;

    fn stack(&mut self) -> &mut Stack {
        &mut self.stack
    }

    fn listeners(&self) -> &Arc<Listeners<Participant<Self>>> {
        &self.listeners
    }

    fn levels(&mut self) -> u32 {
        self.levels
    }

    fn standing(&mut self, levels: u32) -> Standing {
        match self {
            Self { is_lost: true, .. } => Standing::Lost {
                savepoint: self.levels > 1,
            },
            Self {
                is_aborted: true, ..
            } => Standing::Aborted,
            _ if self.levels < levels => Standing::Ended,
            _ => Standing::Sound,
        }
    }

    fn is_connected(&mut self) -> bool {
        !self.is_lost
    }

    fn timeout(&self) -> Duration {
        Duration::MAX
    }

    fn checkout(&mut self, _: Duration) -> Result<(), Trouble> {
        Ok(())
    }

    fn send(&mut self, control: Control) -> Result<(), Trouble> {
        self.sent.push(control);
        if self.refused == Some(control) {
            return Err(Trouble);
        }
        self.levels = match control {
            Begin => 1,
            Savepoint(number) => number + 1,
            Release(number) | RollbackTo(number) => number,
            Commit | Rollback => 0,
            Control::Prepare => unreachable!("a bound session has no two-phase transactions"),
        };
        Ok(())
    }

    fn transaction_id(&mut self) -> Result<TransactionId, Trouble> {
        Ok(TransactionId::Unassigned)
    }

    fn release(&mut self) {
        self.given_back
            .push(self.stack.outside(self.levels).unwrap());
    }

    fn invalidate(&mut self) {
        self.is_lost = true;
        self.given_back
            .push(self.stack.outside(self.levels).unwrap());
    }
}

/// What is sent at the first statement, and at commit, rollback and close; and how many levels are left to
/// whoever dropped the session.
type Row = (
    Option<Control>,
    Option<Control>,
    Option<Control>,
    Option<Control>,
    u32,
);

/// A mode, how many levels are open outside, and what becomes of that.
type Case = (JoinTransactionMode, u32, Row);

fn table() -> Vec<Case> {
    let own = (Some(Begin), Some(Commit), Some(Rollback), Some(Rollback), 0);
    let savepoint = |number| {
        let undo = Some(RollbackTo(number));
        let keep = Some(Release(number));
        (Some(Savepoint(number)), keep, undo, undo, number)
    };
    let lent = (None, None, Some(Rollback), None, 1);
    let lent_savepoint = (None, None, Some(RollbackTo(1)), None, 2);
    let taken = (None, Some(Commit), Some(Rollback), Some(Rollback), 0);
    let undo = Some(RollbackTo(1));
    let taken_savepoint = (None, Some(Release(1)), undo, undo, 1);
    vec![
        (ConditionalSavepoint, 0, own),
        (RollbackOnly, 0, own),
        (CreateSavepoint, 0, own),
        (ControlFully, 0, own),
        (ConditionalSavepoint, 1, lent),
        (RollbackOnly, 1, lent),
        (CreateSavepoint, 1, savepoint(1)),
        (ControlFully, 1, taken),
        (ConditionalSavepoint, 2, savepoint(2)),
        (RollbackOnly, 2, lent_savepoint),
        (CreateSavepoint, 2, savepoint(2)),
        (ControlFully, 2, taken_savepoint),
    ]
}

/// Each row of the table, and the rows of no mode, which are those of the default.
fn on_each(case: impl Fn(Option<JoinTransactionMode>, u32, Row)) {
    for (mode, open, row) in table() {
        case(Some(mode), open, row);
        if mode == ConditionalSavepoint {
            case(None, open, row);
        }
    }
}

fn sent(first: Option<Control>, last: Option<Control>) -> Vec<Control> {
    first.into_iter().chain(last).collect()
}

#[test]
fn a_bound_session_sends_what_its_mode_says() {
    on_each(|mode, open, (begin, commit, rollback, close, _)| {
        for (method, end) in [
            (Method::Commit, commit),
            (Method::Rollback, rollback),
            (Method::Close, close),
        ] {
            let mut session = Bound::new(mode, open);
            session.statement().unwrap();
            session.statement().unwrap();
            assert!(session.stack.in_transaction());
            assert!(!session.stack.in_nested_transaction());
            session.ends(method).unwrap();
            assert!(!session.stack.in_transaction());
            assert_eq!(session.sent, sent(begin, end), "{mode:?} {open} {method:?}");
        }
    });
}

#[test]
fn a_bound_session_that_does_nothing_sends_nothing() {
    on_each(|mode, open, _| {
        for method in [Method::Commit, Method::Rollback, Method::Close] {
            let mut session = Bound::new(mode, open);
            blocking::begin_nested(&mut session).unwrap();
            session.ends(method).unwrap();
            assert_eq!(session.sent, [], "{mode:?} {open} {method:?}");
            assert_eq!(session.stack.outside(open), Some(open));
        }
    });
}

#[test]
fn savepoints_of_a_bound_session_end_with_it_whatever_becomes_of_the_rest() {
    on_each(|mode, open, (begin, commit, rollback, close, _)| {
        let number = open + u32::from(begin.is_some());
        let nested = [Savepoint(number), Savepoint(number + 1)];
        for (method, end, alone) in [
            (Method::Commit, commit, Release(number)),
            (Method::Rollback, rollback, RollbackTo(number)),
            (Method::Close, close, RollbackTo(number)),
        ] {
            let mut session = Bound::new(mode, open);
            blocking::begin_nested(&mut session).unwrap();
            blocking::begin_nested(&mut session).unwrap();
            session.statement().unwrap();
            session.ends(method).unwrap();
            let last = end.or(Some(alone));
            let all: Vec<_> = begin.into_iter().chain(nested).chain(last).collect();
            assert_eq!(session.sent, all, "{mode:?} {open} {method:?}");
            assert!(session.levels <= open);
        }
    });
}

#[test]
fn a_savepoint_of_a_bound_session_ends_alone() {
    on_each(|mode, open, (begin, ..)| {
        let number = open + u32::from(begin.is_some());
        let mut session = Bound::new(mode, open);
        session.statement().unwrap();
        let level = blocking::begin_nested(&mut session).unwrap();
        session.statement().unwrap();
        blocking::end_level(&mut session, level, Method::Rollback).unwrap();
        let nested = [Savepoint(number), RollbackTo(number)];
        let all: Vec<_> = begin.into_iter().chain(nested).collect();
        assert_eq!(session.sent, all, "{mode:?} {open}");
    });
}

#[test]
fn what_a_bound_session_leaves_to_who_has_the_connection() {
    on_each(|mode, open, (.., left)| {
        let mut session = Bound::new(mode, open);
        session.statement().unwrap();
        assert_eq!(session.stack.outside(session.levels), Some(left));
        session.ends(Method::Commit).unwrap();
        let at_most = session.given_back.pop().unwrap();
        assert_eq!(at_most, left.min(session.levels), "{mode:?} {open}");
    });
}

#[test]
fn a_bound_session_looks_anew_at_what_is_open_in_each_of_its_transactions() {
    let mut session = Bound::new(Some(ControlFully), 1);
    session.statement().unwrap();
    session.ends(Method::Commit).unwrap();
    session.statement().unwrap();
    session.ends(Method::Rollback).unwrap();
    session.levels = 2;
    session.statement().unwrap();
    session.ends(Method::Rollback).unwrap();
    assert_eq!(session.sent, [Commit, Begin, Rollback, RollbackTo(1)]);
}

#[test]
fn a_commit_that_is_left_to_others_says_whether_there_is_anything_to_commit() {
    let mut session = Bound::new(Some(RollbackOnly), 1);
    session.statement().unwrap();
    session.is_aborted = true;
    let refused = session.ends(Method::Commit).unwrap_err();
    assert!(matches!(refused, SessionError::Aborted), "{refused}");
    session.is_aborted = false;
    session.is_lost = true;
    let refused = session.ends(Method::Commit).unwrap_err();
    let is_lost = matches!(refused, SessionError::PendingRollback(_));
    assert!(is_lost, "{refused}");
    session.ends(Method::Close).unwrap();
    assert_eq!(session.sent, []);
}

#[test]
fn a_savepoint_of_a_bound_session_that_cannot_be_undone_costs_the_connection() {
    let mut session = Bound::new(Some(CreateSavepoint), 1);
    session.statement().unwrap();
    session.refused = Some(RollbackTo(1));
    session.ends(Method::Rollback).unwrap_err();
    assert!(session.is_lost);
    // It is for whoever has begun it to roll it back.
    assert_eq!(session.given_back, [1]);
    assert!(!session.stack.in_transaction());
}

#[test]
fn a_begin_of_a_bound_session_is_not_sent_on_another_connection() {
    let mut session = Bound::new(None, 0);
    session.refused = Some(Begin);
    session.is_lost = true;
    session.statement().unwrap_err();
    assert_eq!(session.sent, [Begin]);
}

#[test]
fn modes_have_sqlalchemy_s_names_and_another_is_refused_with_those_that_there_are() {
    for mode in JoinTransactionMode::ALL {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    assert_eq!(JoinTransactionMode::default(), ConditionalSavepoint);
    let unknown = "bogus".parse::<JoinTransactionMode>().unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "invalid selection for join_transaction_mode: \"bogus\"; there are conditional_savepoint, \
         rollback_only, create_savepoint and control_fully"
    );
}
