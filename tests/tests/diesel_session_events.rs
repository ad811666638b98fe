//! What a session's listeners are told, in which order, and what they may do, on a scripted driver.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod scripted;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use diesel::{QueryResult, RunQueryDsl, result::Error, sql_query};
use everpool_diesel::{
    Cause, Engine, EngineOptions, Moment, Session, SessionError, SessionEvents, SessionMaker,
    SessionTransaction, StateError,
};

use scripted::{SERVER_LOST, Script, Scripted};

/// What was told, in its order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }

    fn of(&self, what: &'static str) -> impl Fn(&SessionTransaction) + Send + Sync + 'static {
        let diary = self.clone();
        move |transaction| match transaction.is_nested() {
            true => diary.note(&format!("{what} [nested]")),
            false => diary.note(what),
        }
    }

    fn with(
        &self,
        what: &'static str,
    ) -> impl Fn(&mut Session<Scripted>, &SessionTransaction) -> QueryResult<()> + Send + Sync + 'static
    {
        let note = self.of(what);
        move |_, transaction| {
            note(transaction);
            Ok(())
        }
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn listen(&self, mut events: SessionEvents<'_, Scripted>) {
        events
            .after_transaction_create(self.of("after_transaction_create"))
            .after_begin(self.with("after_begin"))
            .before_commit(self.with("before_commit"))
            .after_commit(self.of("after_commit"))
            .after_rollback(self.of("after_rollback"))
            .after_transaction_end(self.of("after_transaction_end"))
            .after_soft_rollback(self.with("after_soft_rollback"));
    }

    fn listen_to_the_engine(&self, engine: &Engine<Scripted>) {
        let note = |what: &'static str| {
            let diary = self.clone();
            move || diary.note(what)
        };
        let events = engine.events();
        events
            .begin(note("BEGIN"))
            .commit(note("COMMIT"))
            .rollback(note("ROLLBACK"));
        let (set, undone, released) = (note("SAVEPOINT"), note("ROLLBACK TO"), note("RELEASE"));
        events.savepoint(move |_| set());
        events.rollback_savepoint(move |_| undone());
        events.release_savepoint(move |_| released());
        let (out, back) = (note("checkout"), note("checkin"));
        let pool = engine.pool().events();
        pool.checkout(move |_, _| {
            out();
            Ok(())
        });
        pool.checkin(move |_, _| {
            back();
            Ok(())
        });
    }
}

fn start() -> (Script, Session<Scripted>, Diary) {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let diary = Diary::default();
    diary.listen_to_the_engine(&engine);
    let mut session = Session::begin(&engine).unwrap();
    diary.listen(session.events());
    (script, session, diary)
}

fn send(session: &mut Session<Scripted>, statement: &str) -> QueryResult<usize> {
    sql_query(statement).execute(session)
}

/// A session that has sent a statement.
fn begun() -> (Script, Session<Scripted>, Diary) {
    let (script, mut session, diary) = start();
    send(&mut session, "one").unwrap();
    assert_eq!(
        diary.read(),
        [
            "after_transaction_create",
            "checkout",
            "BEGIN",
            "after_begin"
        ]
    );
    (script, session, diary)
}

#[test]
fn listeners_are_told_of_a_commit_in_sqlalchemy_s_order() {
    let (_script, mut session, diary) = begun();
    let note = diary.clone();
    session.on_commit(move || note.note("on_commit")).unwrap();
    session.commit().unwrap();
    assert_eq!(
        diary.read(),
        [
            "before_commit",
            "COMMIT",
            "after_commit",
            "checkin",
            "after_transaction_end",
            "on_commit"
        ]
    );
}

#[test]
fn listeners_are_told_of_a_rollback_in_sqlalchemy_s_order() {
    let (_script, mut session, diary) = begun();
    session.rollback().unwrap();
    assert_eq!(
        diary.read(),
        [
            "ROLLBACK",
            "after_rollback",
            "checkin",
            "after_transaction_end",
            "after_soft_rollback"
        ]
    );
}

#[test]
fn a_close_is_no_rollback_to_listeners() {
    let (_script, mut session, diary) = begun();
    session.close().unwrap();
    assert_eq!(
        diary.read(),
        ["ROLLBACK", "checkin", "after_transaction_end"]
    );
    send(&mut session, "two").unwrap();
    diary.read();
    session.invalidate().unwrap();
    // The pool tells of the checkin when it closes the connection, which it does in its background.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut told = diary.read();
    while told.len() < 2 {
        assert!(Instant::now() < deadline, "only {told:?}");
        std::thread::yield_now();
        told.extend(diary.read());
    }
    told.sort();
    assert_eq!(told, ["after_transaction_end", "checkin"]);
}

#[test]
fn a_commit_of_nothing_is_told_and_a_rollback_of_nothing_is_not() {
    let (_script, mut session, diary) = start();
    session.rollback().unwrap();
    session.close().unwrap();
    assert_eq!(diary.read(), [""; 0]);
    session.commit().unwrap();
    assert_eq!(
        diary.read(),
        [
            "after_transaction_create",
            "before_commit",
            "after_commit",
            "after_transaction_end"
        ]
    );
}

#[test]
fn listeners_are_told_of_savepoints_too() {
    let (_script, mut session, diary) = begun();
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "two").unwrap();
    assert_eq!(
        diary.read(),
        [
            "after_transaction_create [nested]",
            "SAVEPOINT",
            "after_begin [nested]"
        ]
    );
    nested.commit().unwrap();
    assert_eq!(
        diary.read(),
        [
            "before_commit [nested]",
            "RELEASE",
            "after_commit [nested]",
            "after_transaction_end [nested]"
        ]
    );
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "three").unwrap();
    diary.read();
    nested.rollback().unwrap();
    assert_eq!(
        diary.read(),
        [
            "ROLLBACK TO",
            "after_rollback [nested]",
            "after_transaction_end [nested]",
            "after_soft_rollback [nested]"
        ]
    );
}

#[test]
fn what_ends_with_the_transaction_is_told_first_and_not_sent() {
    let (_script, mut session, diary) = begun();
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "two").unwrap();
    diary.read();
    Session::commit(&mut nested).unwrap();
    drop(nested);
    assert_eq!(
        diary.read(),
        [
            "before_commit [nested]",
            "after_commit [nested]",
            "after_transaction_end [nested]",
            "before_commit",
            "COMMIT",
            "after_commit",
            "checkin",
            "after_transaction_end"
        ]
    );
}

#[test]
fn nobody_is_told_of_a_commit_or_a_rollback_that_is_not_known() {
    let (script, mut session, diary) = begun();
    script.fails_once("COMMIT", SERVER_LOST);
    session.commit().unwrap_err();
    let told = diary.read();
    assert_eq!(told[..2], ["before_commit", "COMMIT"]);
    assert_eq!(told.last().unwrap(), "after_transaction_end");
    let claims = ["after_commit", "after_rollback", "after_soft_rollback"];
    assert!(
        !told.iter().any(|told| claims.contains(&told.as_str())),
        "{told:?}"
    );
}

#[test]
fn a_commit_that_the_database_refuses_is_a_rollback_to_listeners() {
    let (script, mut session, diary) = begun();
    script.fails_once("COMMIT", "no");
    session.commit().unwrap_err();
    let told = diary.read();
    let after: Vec<_> = told
        .iter()
        .filter(|told| told.starts_with("after_"))
        .collect();
    assert_eq!(
        after,
        [
            "after_rollback",
            "after_transaction_end",
            "after_soft_rollback"
        ]
    );
}

#[test]
fn what_a_listener_of_after_begin_does_is_part_of_every_transaction() {
    let (script, mut session, _diary) = start();
    session.events().after_begin(|session, transaction| {
        assert!(session.in_transaction());
        match transaction.is_nested() {
            true => Ok(()),
            false => send(session, "SET LOCAL tenant").map(drop),
        }
    });
    // Though a savepoint waits to be set, this is in the transaction.
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "one").unwrap();
    nested.rollback().unwrap();
    session.commit().unwrap();
    send(&mut session, "two").unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 SET LOCAL tenant",
            "1 SAVEPOINT diesel_savepoint_1",
            "1 one",
            "1 ROLLBACK TO SAVEPOINT diesel_savepoint_1",
            "1 COMMIT",
            "1 BEGIN",
            "1 SET LOCAL tenant",
            "1 two",
        ]
    );
}

#[test]
fn after_a_listener_of_after_begin_that_fails_nothing_runs() {
    let (script, mut session, _diary) = start();
    session
        .events()
        .after_begin(|session, _| send(session, "SET LOCAL tenant").map(drop));
    script.fails_once("SET LOCAL tenant", "no such tenant");
    let failed = send(&mut session, "one").unwrap_err();
    assert_eq!(failed.to_string(), "no such tenant");
    let inactive = StateError::Inactive(Cause::AfterBeginFailed);
    assert!(matches!(session.commit(), Err(SessionError::State(error)) if error == inactive));
    send(&mut session, "one").unwrap_err();
    session.rollback().unwrap();
    send(&mut session, "one").unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 SET LOCAL tenant",
            "1 ROLLBACK",
            "1 BEGIN",
            "1 SET LOCAL tenant",
            "1 one"
        ]
    );
}

#[test]
fn a_listener_of_before_commit_adds_to_the_transaction_or_prevents_its_commit() {
    let (script, mut session, _diary) = begun();
    script.heard();
    session
        .events()
        .before_commit(|session, _| send(session, "audit").map(drop));
    script.fails_once("audit", "no");
    let prevented = session.commit().unwrap_err();
    assert_eq!(
        prevented.to_string(),
        "a listener of before_commit failed: no"
    );
    let SessionError::Listener { moment, .. } = prevented else {
        panic!("{prevented:?}");
    };
    assert_eq!(moment, Moment::BeforeCommit);
    assert!(session.in_transaction() && session.is_active());
    session.commit().unwrap();
    assert_eq!(script.heard(), ["1 audit", "1 audit", "1 COMMIT"]);
}

#[test]
fn a_listener_cannot_end_what_it_is_told_of() {
    let (_script, mut session, _diary) = begun();
    session.events().before_commit(|session, _| {
        type End = fn(&mut Session<Scripted>) -> Result<(), SessionError>;
        let ends: [(&str, End); 5] = [
            ("commit", Session::commit),
            ("rollback", Session::rollback),
            ("close", Session::close),
            ("reset", Session::reset),
            ("invalidate", Session::invalidate),
        ];
        for (method, end) in ends {
            let refused = end(session).unwrap_err().to_string();
            assert_eq!(
                refused,
                format!(
                    "method '{method}()' can't be called here; method 'commit()' is already in \
                     progress and this would cause an unexpected state change"
                )
            );
        }
        // What it begins itself it may end.
        session
            .nested(|session| {
                Err::<(), _>(SessionError::from(
                    send(session, "x").err().unwrap_or(Error::NotFound),
                ))
            })
            .unwrap_err();
        Ok(())
    });
    session.commit().unwrap();
    assert!(!session.in_transaction());
}

#[test]
fn after_a_soft_rollback_a_listener_may_use_the_session() {
    let (script, mut session, _diary) = begun();
    session.events().after_soft_rollback(|session, ended| {
        assert!(session.is_active());
        match ended.is_nested() {
            true => send(session, "in the rest").map(drop),
            false => Ok(()),
        }
    });
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "two").unwrap();
    nested.rollback().unwrap();
    session.commit().unwrap();
    let heard = script.heard();
    assert_eq!(
        heard[heard.len() - 3..],
        [
            "1 ROLLBACK TO SAVEPOINT diesel_savepoint_1",
            "1 in the rest",
            "1 COMMIT"
        ]
    );
}

#[test]
fn a_listener_that_panics_leaves_the_session_usable() {
    let moments: [fn(&mut Session<Scripted>); 4] = [
        |session| {
            session.events().after_begin(|_, _| panic!("here"));
        },
        |session| {
            session.events().before_commit(|_, _| panic!("here"));
        },
        |session| {
            session.events().after_commit(|_| panic!("here"));
        },
        |session| {
            session.events().after_transaction_end(|_| panic!("here"));
        },
    ];
    for listen in moments {
        let script = Script::default();
        let engine = script.engine(EngineOptions::builder());
        let mut session = Session::begin(&engine).unwrap();
        listen(&mut session);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _: QueryResult<usize> = send(&mut session, "one");
            session.commit()
        }));
        assert!(panicked.is_err());
        drop(session);
        assert_eq!(engine.status().checked_out, 0);
        let heard = script.heard();
        let ends = |sent: &&String| ["1 COMMIT", "1 ROLLBACK"].contains(&sent.as_str());
        assert_eq!(heard.iter().filter(ends).count(), 1, "{heard:?}");
    }
}

#[test]
fn a_savepoint_whose_commit_panics_is_undone() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let mut session = Session::begin(&engine).unwrap();
    send(&mut session, "outside").unwrap();
    session.events().before_commit(|_, transaction| {
        assert!(!transaction.is_nested(), "here");
        Ok(())
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut nested = session.begin_nested().unwrap();
        send(&mut nested, "inside").unwrap();
        nested.commit()
    }));
    assert!(panicked.is_err());
    session.commit().unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 outside",
            "1 SAVEPOINT diesel_savepoint_1",
            "1 inside",
            "1 ROLLBACK TO SAVEPOINT diesel_savepoint_1",
            "1 COMMIT"
        ]
    );
}

#[test]
fn a_session_maker_s_listeners_are_those_of_its_sessions_and_of_no_others() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let diary = Diary::default();
    let mut sessions = SessionMaker::new(&engine);
    let mut earlier = sessions.session();
    diary.listen(sessions.events());
    let mut own = sessions.session();
    let mut other = Session::begin(&engine).unwrap();
    earlier.commit().unwrap();
    other.commit().unwrap();
    assert_eq!(diary.read(), [""; 0]);
    own.commit().unwrap();
    assert_eq!(diary.read().len(), 4);
    sessions.clone().session().commit().unwrap();
    assert_eq!(diary.read().len(), 4);
}
