//! What a session sends, when, and what it refuses, on a scripted driver.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod scripted;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use diesel::{Connection as _, QueryResult, RunQueryDsl, connection::SimpleConnection, sql_query};
use everpool_diesel::{
    Cause, Engine, EngineOptions, Origin, Session, SessionError, SessionMaker, SessionOptions,
    StateError,
};

use scripted::{CONNECTION_LOST, SERVER_LOST, Script, Scripted};

fn start() -> (Script, Engine<Scripted>) {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    (script, engine)
}

fn begin() -> (Script, Session<Scripted>) {
    let (script, engine) = start();
    (script, Session::begin(&engine).unwrap())
}

fn with(options: &SessionOptions) -> (Script, Session<Scripted>) {
    let (script, engine) = start();
    let sessions = SessionMaker::with_options(&engine, options).unwrap();
    (script, sessions.session())
}

fn send(session: &mut Session<Scripted>, statement: &str) -> QueryResult<usize> {
    sql_query(statement).execute(session)
}

fn refused<T: std::fmt::Debug>(result: Result<T, SessionError>) -> StateError {
    match result {
        Err(SessionError::State(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_savepoint_is_sent_with_its_first_statement_and_not_without_one() {
    let (script, mut session) = begin();
    session.begin_nested().unwrap().commit().unwrap();
    session.begin_nested().unwrap().rollback().unwrap();
    drop(session.begin_nested().unwrap());
    session.commit().unwrap();
    assert_eq!(script.heard(), NOTHING, "nothing was done");

    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "one").unwrap();
    let mut innermost = nested.begin_nested().unwrap();
    send(&mut innermost, "two").unwrap();
    innermost.rollback().unwrap();
    let idle = nested.begin_nested().unwrap();
    idle.commit().unwrap();
    nested.commit().unwrap();
    session.commit().unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 SAVEPOINT diesel_savepoint_1",
            "1 one",
            "1 SAVEPOINT diesel_savepoint_2",
            "1 two",
            "1 ROLLBACK TO SAVEPOINT diesel_savepoint_2",
            "1 RELEASE SAVEPOINT diesel_savepoint_1",
            "1 COMMIT",
        ]
    );
}

#[test]
fn a_transaction_in_a_session_is_a_savepoint_of_its_own() {
    let (script, mut session) = begin();
    let done: QueryResult<()> = session.transaction(|session| {
        assert!(session.in_nested_transaction());
        send(session, "one")?;
        session
            .transaction(|session| send(session, "two"))
            .map(drop)
    });
    done.unwrap();
    session
        .transaction(|_| Ok::<(), diesel::result::Error>(()))
        .unwrap();
    assert!(session.in_transaction() && !session.in_nested_transaction());
    session.commit().unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 SAVEPOINT diesel_savepoint_1",
            "1 one",
            "1 SAVEPOINT diesel_savepoint_2",
            "1 two",
            "1 RELEASE SAVEPOINT diesel_savepoint_2",
            "1 RELEASE SAVEPOINT diesel_savepoint_1",
            "1 COMMIT",
        ]
    );
}

#[test]
fn a_transaction_in_a_session_that_panics_is_rolled_back() {
    let (script, mut session) = begin();
    send(&mut session, "one").unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        session.transaction::<(), diesel::result::Error, _>(|session| {
            send(session, "two")?;
            panic!("in the middle");
        })
    }));
    assert!(panicked.is_err());
    assert!(!session.in_nested_transaction());
    session.commit().unwrap();
    let heard = script.heard();
    assert_eq!(
        heard[heard.len() - 2..],
        ["1 ROLLBACK TO SAVEPOINT diesel_savepoint_1", "1 COMMIT"]
    );
}

#[test]
fn the_end_of_a_session_s_transaction_is_that_of_its_savepoints() {
    type End = fn(&mut Session<Scripted>) -> Result<(), SessionError>;
    let ends: [(End, &str); 2] = [
        (Session::commit, "1 COMMIT"),
        (Session::rollback, "1 ROLLBACK"),
    ];
    for (end_all, end) in ends {
        let (script, mut session) = begin();
        send(&mut session, "one").unwrap();
        let mut nested = session.begin_nested().unwrap();
        send(&mut nested, "two").unwrap();
        end_all(&mut nested).unwrap();
        assert!(!nested.is_open());

        let late = send(&mut nested, "three").unwrap_err().to_string();
        assert!(
            late.starts_with("can't operate on a closed transaction"),
            "{late}"
        );
        assert_eq!(refused(nested.commit()), StateError::Closed);
        assert!(!session.in_transaction());
        let heard = script.heard();
        assert_eq!(heard[heard.len() - 2..], ["1 two", end]);
        send(&mut session, "four").unwrap();
        assert_eq!(script.heard(), ["1 BEGIN", "1 four"]);
    }
}

#[test]
fn a_session_says_in_which_transaction_it_is() {
    let (_script, mut session) = begin();
    assert!(!session.in_transaction() && session.is_active());
    assert_eq!(session.current_transaction(), None);

    send(&mut session, "one").unwrap();
    let transaction = session.current_transaction().unwrap();
    assert_eq!(transaction.origin(), Origin::Autobegin);
    assert!(!transaction.is_nested());
    assert_eq!(session.nested_transaction(), None);

    let outer = session.begin_nested().unwrap();
    let savepoint = outer.nested_transaction().unwrap();
    assert_eq!(
        (savepoint.depth(), savepoint.origin()),
        (1, Origin::BeginNested)
    );
    assert!(outer.in_nested_transaction());
    assert_eq!(outer.current_transaction(), Some(transaction));
    outer.rollback().unwrap();
    assert!(session.in_transaction() && !session.in_nested_transaction());

    session.commit().unwrap();
    assert!(!session.in_transaction() && session.is_active());
    let nested = session.begin_nested().unwrap();
    let root = nested.current_transaction().unwrap();
    assert_eq!(root.origin(), Origin::Begin);
    assert_ne!(root.id(), transaction.id());
}

#[test]
fn without_autobegin_a_transaction_is_begun_by_hand() {
    let (script, mut session) = with(&SessionOptions::default().autobegin(false));
    let said = "autobegin is disabled on this Session; \
                please call session.begin_transaction() to start a new transaction";
    for end in [Session::commit, Session::rollback, Session::close] {
        let error = send(&mut session, "one").unwrap_err();
        assert_eq!(error.to_string(), said);
        assert_eq!(refused(session.commit()), StateError::AutobeginDisabled);
        assert_eq!(
            refused(session.begin_nested().map(drop)),
            StateError::AutobeginDisabled
        );
        assert_eq!(script.heard(), NOTHING);
        session.begin_transaction().unwrap();
        assert_eq!(script.heard(), NOTHING, "BEGIN comes with the statement");
        send(&mut session, "one").unwrap();
        end(&mut session).unwrap();
        script.heard();
    }
}

#[test]
fn a_transaction_is_not_begun_twice() {
    let (_script, mut session) = begin();
    session.begin_transaction().unwrap();
    let error = session.begin_transaction().unwrap_err();
    assert_eq!(
        error.to_string(),
        "a transaction is already begun on this Session"
    );
    session.rollback().unwrap();
    send(&mut session, "one").unwrap();
    assert_eq!(
        refused(session.begin_transaction()),
        StateError::AlreadyBegun
    );
}

#[test]
fn a_closed_session_can_be_used_again_unless_it_is_closed_for_good() {
    let (script, mut session) = begin();
    send(&mut session, "one").unwrap();
    session.close().unwrap();
    send(&mut session, "two").unwrap();
    session.reset().unwrap();
    let statements = ["1 connect", "1 BEGIN", "1 one", "1 ROLLBACK"];
    let again = ["1 BEGIN", "1 two", "1 ROLLBACK"];
    assert_eq!(script.heard(), [&statements[..], &again].concat());

    let (script, mut session) = with(&SessionOptions::default().close_resets_only(false));
    send(&mut session, "one").unwrap();
    session.reset().unwrap();
    send(&mut session, "two").unwrap();
    session.close().unwrap();
    script.heard();
    let said = "this Session has been permanently closed \
                and is unable to handle any more transaction requests";
    assert_eq!(send(&mut session, "three").unwrap_err().to_string(), said);
    assert_eq!(refused(session.commit()), StateError::PermanentlyClosed);
    assert_eq!(
        refused(session.begin_transaction()),
        StateError::PermanentlyClosed
    );
    session.close().unwrap();
    assert!(!session.is_active());
    assert_eq!(script.heard(), NOTHING);
}

#[test]
fn an_invalidated_session_takes_another_connection() {
    let (script, mut session) = begin();
    send(&mut session, "one").unwrap();
    session.invalidate().unwrap();
    assert!(!session.in_transaction());
    send(&mut session, "two").unwrap();
    session.commit().unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 one",
            "2 connect",
            "2 BEGIN",
            "2 two",
            "2 COMMIT"
        ]
    );
}

#[test]
fn an_idle_session_sends_nothing_whatever_it_is_told() {
    let (script, mut session) = begin();
    session.commit().unwrap();
    session.rollback().unwrap();
    session.close().unwrap();
    session.reset().unwrap();
    session.invalidate().unwrap();
    session.begin_transaction().unwrap();
    session.commit().unwrap();
    drop(session);
    assert_eq!(script.heard(), NOTHING);
}

#[test]
fn a_savepoint_that_cannot_be_undone_leaves_the_transaction_to_be_rolled_back() {
    let (script, mut session) = begin();
    send(&mut session, "one").unwrap();
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "two").unwrap();
    script.fails_once("ROLLBACK TO SAVEPOINT diesel_savepoint_1", "no");
    assert_eq!(nested.rollback().unwrap_err().to_string(), "no");

    assert!(!session.is_active());
    let inactive = StateError::Inactive(Cause::RollbackToFailed);
    for _ in 0..2 {
        assert_eq!(refused(session.commit()), inactive);
    }
    assert_eq!(
        refused(session.commit()).to_string(),
        "this session is in 'inactive' state, because a savepoint of it could not be rolled back; \
         no further SQL can be emitted within this transaction; call rollback()"
    );
    let statement = send(&mut session, "three").unwrap_err().to_string();
    assert!(statement.contains("'inactive' state"), "{statement}");
    script.heard();
    session.rollback().unwrap();
    assert!(session.is_active());
    send(&mut session, "four").unwrap();
    assert_eq!(script.heard(), ["1 ROLLBACK", "1 BEGIN", "1 four"]);
}

#[test]
fn what_cannot_be_undone_alone_is_undone_with_the_savepoint_around_it() {
    let (script, mut session) = begin();
    let mut outer = session.begin_nested().unwrap();
    send(&mut outer, "one").unwrap();
    let mut inner = outer.begin_nested().unwrap();
    send(&mut inner, "two").unwrap();
    script.fails_once("ROLLBACK TO SAVEPOINT diesel_savepoint_2", "no");
    drop(inner);
    outer.rollback().unwrap();
    send(&mut session, "three").unwrap_err();
    session.rollback().unwrap();
}

#[test]
fn a_savepoint_that_cannot_be_released_is_rolled_back_and_the_rest_stays() {
    let (script, mut session) = begin();
    send(&mut session, "one").unwrap();
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "two").unwrap();
    script.fails_once("RELEASE SAVEPOINT diesel_savepoint_1", "no");
    assert_eq!(nested.commit().unwrap_err().to_string(), "no");
    session.commit().unwrap();
    let heard = script.heard();
    assert_eq!(
        heard[heard.len() - 3..],
        [
            "1 RELEASE SAVEPOINT diesel_savepoint_1",
            "1 ROLLBACK TO SAVEPOINT diesel_savepoint_1",
            "1 COMMIT"
        ]
    );
}

#[test]
fn a_lost_connection_is_pending_until_the_rollback() {
    let (script, mut session) = begin();
    send(&mut session, "one").unwrap();
    script.fails_once("two", CONNECTION_LOST);
    send(&mut session, "two").unwrap_err();
    assert!(session.is_active(), "as in SQLAlchemy");
    for _ in 0..2 {
        let pending = session.commit();
        assert!(matches!(pending, Err(SessionError::PendingRollback(_))));
        send(&mut session, "three").unwrap_err();
    }
    session.rollback().unwrap();
    send(&mut session, "four").unwrap();
    session.commit().unwrap();
    let heard = script.heard();
    assert_eq!(
        heard[heard.len() - 4..],
        ["2 connect", "2 BEGIN", "2 four", "2 COMMIT"]
    );
}

#[test]
fn a_begin_that_fails_gives_its_connection_back() {
    let (script, engine) = start();
    let mut session = Session::begin(&engine).unwrap();
    script.fails_once("BEGIN", "no");
    send(&mut session, "one").unwrap_err();
    assert_eq!(engine.status().checked_out, 0);
    send(&mut session, "one").unwrap();
    assert_eq!(engine.status().checked_out, 1);
    assert_eq!(script.heard(), ["1 connect", "1 BEGIN", "1 BEGIN", "1 one"]);
}

#[test]
fn a_rollback_that_fails_costs_the_connection() {
    let (script, engine) = start();
    let mut session = Session::begin(&engine).unwrap();
    send(&mut session, "one").unwrap();
    script.fails_once("ROLLBACK", "no");
    assert_eq!(session.rollback().unwrap_err().to_string(), "no");
    assert_eq!(engine.status().idle, 0, "it is not lent again");
    assert!(session.is_active() && !session.in_transaction());
    send(&mut session, "two").unwrap();
}

#[test]
fn a_transaction_that_was_ended_past_its_session_is_not_committed() {
    let (script, mut session) = begin();
    send(&mut session, "one").unwrap();
    session.batch_execute("COMMIT").unwrap();
    assert_eq!(refused(session.commit()), StateError::EndedElsewhere);
    session.rollback().unwrap();
    script.heard();
    send(&mut session, "two").unwrap();
    session.commit().unwrap();
    assert_eq!(script.heard(), ["1 BEGIN", "1 two", "1 COMMIT"]);
}

#[test]
fn work_in_a_session_is_committed_if_it_succeeds_and_else_rolled_back() {
    let (script, engine) = start();
    let sessions = SessionMaker::new(&engine);
    let work = |session: &mut Session<Scripted>| -> Result<usize, SessionError> {
        Ok(send(session, "one")?)
    };
    sessions.begin(work).unwrap();
    engine.session(work).unwrap();
    script.fails_once("one", "no");
    let failed = sessions.begin(work).unwrap_err();
    assert_eq!(failed.to_string(), "no");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        sessions.begin(|session| {
            work(session)?;
            panic!("in the middle");
            #[expect(unreachable_code, reason = "it says the type")]
            Ok::<(), SessionError>(())
        })
    }));
    assert!(panicked.is_err());
    let committed = ["1 BEGIN", "1 one", "1 COMMIT"];
    let rolled_back = ["1 BEGIN", "1 one", "1 ROLLBACK"];
    let all = [
        &["1 connect"],
        &committed[..],
        &committed,
        &rolled_back,
        &rolled_back,
    ]
    .concat();
    assert_eq!(script.heard(), all);
    assert_eq!(engine.status().checked_out, 0);
}

#[test]
fn work_that_ends_its_transaction_itself_runs_nothing_after_that() {
    let (script, engine) = start();
    let done = engine.session(|session| {
        send(session, "one")?;
        session.commit()?;
        let late = send(session, "two").unwrap_err().to_string();
        assert!(
            late.starts_with("can't operate on a closed transaction"),
            "{late}"
        );
        Ok::<_, SessionError>(7)
    });
    assert_eq!(done.unwrap(), 7);
    assert_eq!(
        script.heard(),
        ["1 connect", "1 BEGIN", "1 one", "1 COMMIT"]
    );
}

#[test]
fn a_savepoint_s_work_is_undone_alone() {
    let (script, mut session) = begin();
    let failed = session.nested(|session| -> Result<(), SessionError> {
        send(session, "one")?;
        Err(diesel::result::Error::RollbackTransaction.into())
    });
    assert!(failed.is_err());
    session
        .nested(|session| send(session, "two").map_err(SessionError::from))
        .unwrap();
    session.commit().unwrap();
    let heard = script.heard();
    assert_eq!(
        heard[2..],
        [
            "1 SAVEPOINT diesel_savepoint_1",
            "1 one",
            "1 ROLLBACK TO SAVEPOINT diesel_savepoint_1",
            "1 SAVEPOINT diesel_savepoint_1",
            "1 two",
            "1 RELEASE SAVEPOINT diesel_savepoint_1",
            "1 COMMIT",
        ]
    );
}

#[test]
fn a_durable_transaction_is_in_no_other() {
    let (script, mut session) = begin();
    let work = |session: &mut Session<Scripted>| -> Result<(), SessionError> {
        Ok(send(session, "one").map(drop)?)
    };
    session.durable(work).unwrap();
    assert_eq!(script.heard().last().unwrap(), "1 COMMIT");

    send(&mut session, "two").unwrap();
    assert_eq!(refused(session.durable(work)), StateError::NotDurable);
    let inside = session.nested(|session| session.durable(work));
    assert_eq!(refused(inside), StateError::NotDurable);
    session.rollback().unwrap();
    session.durable(work).unwrap();
}

#[test]
fn a_session_maker_s_options_are_those_of_its_sessions() {
    let (script, engine) = start();
    let options = SessionOptions::default().isolation_level("READ UNCOMMITTED");
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    sessions
        .begin(|session| send(session, "one").map_err(SessionError::from))
        .unwrap();
    let heard = script.heard();
    let set = heard
        .iter()
        .position(|sent| sent == "1 PRAGMA read_uncommitted = 1");
    let begun = heard.iter().position(|sent| sent == "1 BEGIN");
    assert!(set.unwrap() < begun.unwrap(), "{heard:?}");
    assert_eq!(heard.last().unwrap(), "1 PRAGMA read_uncommitted = 0");

    let wrong = SessionOptions::default().isolation_level("REPEATABLE READ");
    let refused = SessionMaker::with_options(&engine, &wrong).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("valid isolation levels for sqlite")
    );
    let tracks = SessionOptions::default().track_outcome(true);
    let refused = SessionMaker::with_options(&engine, &tracks).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "track_outcome is an option for postgresql, and the database is sqlite; leave it out"
    );
}

#[derive(Clone, Default)]
struct Called(Arc<Mutex<Vec<String>>>);

impl Called {
    fn with(&self, what: &str) -> impl FnOnce() + Send + 'static + use<> {
        let (called, what) = (self.clone(), what.to_owned());
        move || called.0.lock().unwrap().push(what)
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn callbacks_are_called_after_the_connection_is_back() {
    let (_script, engine) = start();
    let mut session = Session::begin(&engine).unwrap();
    let called = Called::default();
    send(&mut session, "one").unwrap();
    let (handle, told) = (engine.clone(), called.clone());
    session
        .on_commit(move || {
            assert_eq!(handle.status().checked_out, 0);
            told.with("first")();
        })
        .unwrap();
    session.on_commit(called.with("second")).unwrap();
    session.on_rollback(called.with("never")).unwrap();
    assert_eq!(called.take(), NOTHING);
    session.commit().unwrap();
    assert_eq!(called.take(), ["first", "second"]);
    session.commit().unwrap();
    assert_eq!(called.take(), NOTHING, "once");
}

#[test]
fn callbacks_of_a_savepoint_share_its_fate() {
    let (_script, mut session) = begin();
    let called = Called::default();
    let mut kept = session.begin_nested().unwrap();
    send(&mut kept, "one").unwrap();
    kept.on_commit(called.with("kept")).unwrap();
    kept.on_rollback(called.with("kept, undone")).unwrap();
    let inner = kept.begin_nested().unwrap();
    inner.rollback().unwrap();
    kept.commit().unwrap();
    let mut undone = session.begin_nested().unwrap();
    undone.on_commit(called.with("undone, kept")).unwrap();
    undone.on_rollback(called.with("undone")).unwrap();
    drop(undone);
    assert_eq!(called.take(), NOTHING, "not before the transaction is over");
    session.commit().unwrap();
    assert_eq!(called.take(), ["kept", "undone"]);
}

#[test]
fn callbacks_of_a_rollback_are_called_however_it_comes() {
    let ends: [fn(&mut Session<Scripted>); 4] = [
        |session| session.rollback().unwrap(),
        |session| session.close().unwrap(),
        |session| session.invalidate().unwrap(),
        |session| {
            let next = Session::begin(session.engine()).unwrap();
            *session = next;
        },
    ];
    for end in ends {
        let (_script, mut session) = begin();
        let called = Called::default();
        send(&mut session, "one").unwrap();
        session.on_commit(called.with("committed")).unwrap();
        session.on_rollback(called.with("undone")).unwrap();
        end(&mut session);
        assert_eq!(called.take(), ["undone"]);
    }
}

#[test]
fn no_callback_is_called_if_nobody_knows_what_became_of_the_transaction() {
    let (script, mut session) = begin();
    let called = Called::default();
    let mut nested = session.begin_nested().unwrap();
    send(&mut nested, "one").unwrap();
    nested.on_rollback(called.with("this is known")).unwrap();
    nested.rollback().unwrap();
    session.on_commit(called.with("committed")).unwrap();
    session.on_rollback(called.with("undone")).unwrap();
    script.fails_once("COMMIT", SERVER_LOST);
    let unknown = session.commit().unwrap_err();
    assert!(matches!(unknown, SessionError::CommitOutcomeUnknown(_)));
    assert_eq!(
        unknown.to_string(),
        "the connection was lost at COMMIT; the transaction may or may not be committed: \
         the server is gone"
    );
    drop(session);
    assert_eq!(called.take(), ["this is known"]);
}

#[test]
fn a_callback_that_panics_costs_no_other() {
    let (script, mut session) = begin();
    let called = Called::default();
    send(&mut session, "one").unwrap();
    session.on_commit(|| panic!("in a callback")).unwrap();
    session.on_commit(called.with("second")).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| session.commit()));
    assert!(panicked.is_err());
    assert_eq!(script.heard().last().unwrap(), "1 COMMIT");
    send(&mut session, "two").unwrap();
    assert_eq!(called.take(), ["second"]);
    session.rollback().unwrap();
}
