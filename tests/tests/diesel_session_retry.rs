//! Which transactions are done once more, on a scripted driver.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod scripted;

use std::{
    cell::Cell,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use diesel::{QueryResult, RunQueryDsl, sql_query};
use everpool_diesel::{
    Engine, EngineOptions, ExecutionOptions, Retry, RetryPolicy, Session, SessionError,
    SessionMaker, SessionOptions,
};

use scripted::{CONNECTION_LOST, SERVER_LOST, Script, Scripted};

/// What the script's database says of a conflict.
const CONFLICT: &str = "database is locked";

fn start() -> (Script, Engine<Scripted>) {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    (script, engine)
}

fn send(session: &mut Session<Scripted>, statement: &str) -> QueryResult<usize> {
    sql_query(statement).execute(session)
}

/// A program's own error, which says nothing of the database's.
#[derive(Debug, PartialEq)]
struct Opaque;

impl From<SessionError> for Opaque {
    fn from(_: SessionError) -> Self {
        Self
    }
}

impl From<diesel::result::Error> for Opaque {
    fn from(_: diesel::result::Error) -> Self {
        Self
    }
}

fn at_once() -> Retry {
    Retry::default().min_delay(Duration::ZERO)
}

/// How often the work is called, and whether it came to a good end.
fn calls<E: From<SessionError> + fmt::Debug>(
    engine: &Engine<Scripted>,
    retry: impl RetryPolicy<E>,
    work: impl Fn(&mut Session<Scripted>) -> Result<(), E>,
) -> (usize, bool) {
    let mut calls = 0;
    let done = engine.run(retry, |session| {
        calls += 1;
        work(session)
    });
    (calls, done.is_ok())
}

fn two_statements(session: &mut Session<Scripted>) -> Result<(), Opaque> {
    send(session, "one")?;
    send(session, "two")?;
    Ok(())
}

#[test]
fn whatever_fails_before_the_commit_by_a_conflict_or_a_disconnect_is_done_again() {
    for place in ["BEGIN", "one", "two"] {
        for message in [CONFLICT, SERVER_LOST, CONNECTION_LOST] {
            let (script, engine) = start();
            script.fails_once(place, message);
            let (calls, is_done) = calls(&engine, at_once(), two_statements);
            let is_hidden = place == "BEGIN" && message != CONFLICT;
            let expected = if is_hidden { 1 } else { 2 };
            assert_eq!((calls, is_done), (expected, true), "{message} at {place}");
            let heard = script.heard();
            let commits = heard.iter().filter(|said| said.ends_with(" COMMIT"));
            assert_eq!(commits.count(), 1, "{heard:?}");
        }
    }
}

#[test]
fn each_attempt_has_a_transaction_of_its_own() {
    let (script, engine) = start();
    script.fails_once("two", CONFLICT);
    calls(&engine, at_once(), two_statements);
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 one",
            "1 two",
            "1 ROLLBACK",
            "1 BEGIN",
            "1 one",
            "1 two",
            "1 COMMIT"
        ]
    );
}

#[test]
fn a_commit_that_the_database_has_refused_for_a_conflict_is_done_again() {
    let (script, engine) = start();
    script.fails_once("COMMIT", CONFLICT);
    assert_eq!(calls(&engine, at_once(), two_statements), (2, true));
}

#[test]
fn a_commit_whose_answer_is_lost_is_never_done_again() {
    for message in [SERVER_LOST, CONNECTION_LOST] {
        let (script, engine) = start();
        script.fails_once("COMMIT", message);
        let mut calls = 0;
        let asked = at_once().when(|_: &SessionError| true);
        let unknown = engine.run(asked, |session| {
            calls += 1;
            send(session, "one").map_err(SessionError::from)
        });
        assert!(
            matches!(unknown, Err(SessionError::CommitOutcomeUnknown(_))),
            "{unknown:?}"
        );
        assert_eq!(calls, 1);
    }
}

#[test]
fn what_the_work_has_committed_itself_is_never_done_again() {
    for fails_at in ["COMMIT", "nothing"] {
        let (script, engine) = start();
        script.fails_once(fails_at, SERVER_LOST);
        let asked = at_once().when(|_: &Opaque| true);
        let (calls, is_done) = calls(&engine, asked, |session| {
            send(session, "one")?;
            session.commit()?;
            Err(Opaque)
        });
        assert_eq!((calls, is_done), (1, false), "{fails_at}");
    }
}

#[test]
fn a_commit_of_the_work_s_own_that_was_refused_for_a_conflict_is_done_again() {
    let (script, engine) = start();
    script.fails_once("COMMIT", CONFLICT);
    let (calls, is_done) = calls(&engine, at_once(), |session| {
        send(session, "one")?;
        Ok::<(), Opaque>(session.commit()?)
    });
    assert_eq!((calls, is_done), (2, true));
}

#[test]
fn in_autocommit_nothing_is_done_again() {
    let (script, engine) = start();
    let options: ExecutionOptions = [("isolation_level", "AUTOCOMMIT")].into_iter().collect();
    let engine = engine.execution_options(&options).unwrap();
    for message in [CONFLICT, SERVER_LOST] {
        script.fails_once("two", message);
        assert_eq!(calls(&engine, at_once(), two_statements), (1, false));
    }
}

#[test]
fn any_other_error_is_the_caller_s() {
    let (script, engine) = start();
    script.fails_once("two", "no such table: two");
    assert_eq!(calls(&engine, at_once(), two_statements), (1, false));
    let refused = calls(&engine, at_once(), |session| {
        send(session, "one")?;
        Err(Opaque)
    });
    assert_eq!(refused, (1, false));
    script.fails_once("connect", "no such database");
    engine.dispose();
    assert_eq!(calls(&engine, at_once(), two_statements), (1, false));
}

#[test]
fn a_conflict_that_the_work_has_survived_is_not_the_reason_of_its_error() {
    let (script, engine) = start();
    script.fails_once("one", CONFLICT);
    let survived = calls(&engine, at_once(), |session| {
        let undone = session.nested(|session| Ok::<_, Opaque>(send(session, "one")?));
        assert_eq!(undone, Err(Opaque));
        send(session, "two")?;
        Err(Opaque)
    });
    assert_eq!(survived, (1, false));
}

#[test]
fn a_conflict_in_a_savepoint_is_done_again_with_all_around_it() {
    let (script, engine) = start();
    script.fails_once("two", CONFLICT);
    let again = calls(&engine, at_once(), |session| {
        send(session, "one")?;
        session.nested(|session| Ok::<_, Opaque>(send(session, "two")?))?;
        Ok::<(), Opaque>(())
    });
    assert_eq!(again, (2, true));
}

#[test]
fn a_disconnect_that_the_work_ignores_is_done_again() {
    let (script, engine) = start();
    script.fails_once("one", SERVER_LOST);
    let again = calls(&engine, at_once(), |session| {
        let _ignored: QueryResult<usize> = send(session, "one");
        Ok::<(), SessionError>(())
    });
    assert_eq!(again, (2, true));
}

#[test]
fn the_program_may_ask_for_another_attempt() {
    let (_script, engine) = start();
    let left = Cell::new(2);
    let asked = at_once().when(|error: &Opaque| *error == Opaque);
    let again = calls(&engine, asked, |session| {
        send(session, "one")?;
        match left.replace(left.get() - 1) {
            0 => Ok(()),
            _ => Err(Opaque),
        }
    });
    assert_eq!(again, (3, true));
}

#[test]
fn after_the_last_attempt_its_error_is_told() {
    let (script, engine) = start();
    for _ in 0..5 {
        script.fails_once("one", CONFLICT);
    }
    let mut calls = 0;
    let refused = engine.run(at_once(), |session| {
        calls += 1;
        send(session, "one").map_err(SessionError::from)
    });
    assert_eq!(refused.unwrap_err().to_string(), CONFLICT);
    assert_eq!(calls, 5);
    for _ in 0..2 {
        script.fails_once("one", CONFLICT);
    }
    let two = at_once().max_attempts(2);
    assert_eq!(self::calls(&engine, two, two_statements), (2, false));
}

#[test]
fn callbacks_are_those_of_the_attempt_that_is_committed() {
    let (script, engine) = start();
    script.fails_once("one", CONFLICT);
    let (committed, undone) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let done = calls(&engine, at_once(), |session| {
        let (committed, undone) = (Arc::clone(&committed), Arc::clone(&undone));
        session.on_commit(move || *committed.lock().unwrap() += 1)?;
        session.on_rollback(move || *undone.lock().unwrap() += 1)?;
        Ok::<(), Opaque>(send(session, "one").map(drop)?)
    });
    assert_eq!(done, (2, true));
    assert_eq!(
        (*committed.lock().unwrap(), *undone.lock().unwrap()),
        (1, 1)
    );
}

#[test]
fn each_attempt_has_the_maker_s_options_and_listeners() {
    let (script, engine) = start();
    let options = SessionOptions::default().isolation_level("READ UNCOMMITTED");
    let mut sessions = SessionMaker::with_options(&engine, &options).unwrap();
    sessions
        .events()
        .after_begin(|session, _| send(session, "begun").map(drop));
    script.fails_once("one", SERVER_LOST);
    let done: Result<usize, SessionError> =
        sessions.run(at_once(), |session| Ok(send(session, "one")?));
    done.unwrap();
    let heard = script.heard();
    for connection in ["1 ", "2 "] {
        let has = |what: &str| {
            let of = heard.iter().filter(|said| said.starts_with(connection));
            of.clone().any(|said| said.contains(what))
        };
        assert!(has("read_uncommitted") && has("begun"), "{heard:?}");
    }
}
