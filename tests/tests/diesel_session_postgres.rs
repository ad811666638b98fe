//! Sessions on PostgreSQL: what is sent, what a failed statement costs, and what became of a commit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{
    PgConnection, QueryResult,
    connection::{LoadConnection, SimpleConnection},
    dsl::sql,
    pg::Pg,
    prelude::*,
    sql_types::{BigInt, Integer, Text},
};
use everpool_diesel::{
    Engine, EngineOptions, Outcome, Session, SessionError, SessionMaker, SessionOptions,
    TransactionId, create_engine,
};
use everpool_tests::{PostgreSql, Proxy, proxy::Ending};

fn start() -> PostgreSql {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server.psql("CREATE TABLE t (i int)").unwrap();
    server
}

fn engine(server: &PostgreSql) -> Engine<PgConnection> {
    create_engine(server.url(), EngineOptions::default()).unwrap()
}

fn insert(session: &mut Session<PgConnection>, i: i32) -> QueryResult<()> {
    session.batch_execute(&format!("INSERT INTO t VALUES ({i})"))
}

fn rows(server: &PostgreSql) -> String {
    let rows = server.psql("SELECT coalesce(string_agg(i::text, ' ' ORDER BY i), '') FROM t");
    rows.unwrap().trim().to_owned()
}

fn text<C: LoadConnection<Backend = Pg>>(connection: &mut C, of: &str) -> String {
    diesel::select(sql::<Text>(of))
        .get_result(connection)
        .unwrap()
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::yield_now();
    }
}

/// What the server is sent from now on while `work` is done.
fn statements(
    server: &PostgreSql,
    engine: &Engine<PgConnection>,
    work: impl FnOnce(),
) -> Vec<String> {
    server
        .psql("ALTER SYSTEM SET log_statement = 'all'")
        .unwrap();
    server.psql("SELECT pg_reload_conf()").unwrap();
    let mut connection = engine.connect().unwrap();
    until("the server logs statements", || {
        text(&mut connection, "current_setting('log_statement')") == "all"
    });
    let mark = "SELECT 'from here on'";
    connection.batch_execute(mark).unwrap();
    drop(connection);
    work();
    let logs = std::fs::read_dir(server.directory()).unwrap();
    let text: String = logs
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    let from = text.rfind(mark).expect("it was logged") + mark.len();
    let sent = text[from..].lines().filter_map(|line| {
        let (_, statement) = line
            .split_once("statement: ")
            .or(line.split_once("execute "))?;
        Some(statement.to_owned())
    });
    sent.collect()
}

#[test]
fn savepoints_without_statements_cost_no_round_trip() {
    let server = start();
    let engine = engine(&server);
    let sent = statements(&server, &engine, || {
        let mut session = Session::begin(&engine).unwrap();
        session.transaction(|_| QueryResult::Ok(())).unwrap();
        insert(&mut session, 1).unwrap();
        session.begin_nested().unwrap().commit().unwrap();
        drop(session.begin_nested().unwrap());
        session.commit().unwrap();
    });
    assert_eq!(sent, ["BEGIN", "INSERT INTO t VALUES (1)", "COMMIT"]);
}

#[test]
fn a_transaction_that_is_committed_ends_its_savepoints_in_one_round_trip() {
    let server = start();
    let engine = engine(&server);
    let sent = statements(&server, &engine, || {
        let mut session = Session::begin(&engine).unwrap();
        insert(&mut session, 1).unwrap();
        let mut nested = session.begin_nested().unwrap();
        insert(&mut nested, 2).unwrap();
        Session::commit(&mut nested).unwrap();
    });
    assert_eq!(
        sent,
        [
            "BEGIN",
            "INSERT INTO t VALUES (1)",
            "SAVEPOINT diesel_savepoint_1",
            "INSERT INTO t VALUES (2)",
            "COMMIT"
        ]
    );
    assert_eq!(rows(&server), "1 2");
}

#[test]
fn a_failed_statement_costs_its_savepoint_only() {
    let server = start();
    let engine = engine(&server);
    let mut session = Session::begin(&engine).unwrap();
    insert(&mut session, 1).unwrap();
    let mut nested = session.begin_nested().unwrap();
    insert(&mut nested, 2).unwrap();
    nested.batch_execute("SELECT 1/0").unwrap_err();
    // It is not released as if nothing had happened, and rolled back instead.
    assert!(matches!(nested.commit(), Err(SessionError::Aborted)));
    insert(&mut session, 3).unwrap();
    session.commit().unwrap();
    assert_eq!(rows(&server), "1 3");
}

#[test]
fn a_failure_inside_that_nobody_undid_is_not_committed_outside() {
    let server = start();
    let engine = engine(&server);
    let mut session = Session::begin(&engine).unwrap();
    insert(&mut session, 1).unwrap();
    let swallowed = session.nested(|session| {
        insert(session, 2)?;
        let _swallowed = session.batch_execute("SELECT 1/0");
        Ok::<(), SessionError>(())
    });
    assert!(matches!(swallowed, Err(SessionError::Aborted)));
    session.batch_execute("SELECT 1/0").unwrap_err();
    for _ in 0..2 {
        assert!(matches!(session.commit(), Err(SessionError::Aborted)));
    }
    session.rollback().unwrap();
    assert_eq!(rows(&server), "");
}

#[test]
fn work_that_swallows_a_failure_is_not_committed() {
    let server = start();
    let engine = engine(&server);
    let swallowed = engine.session(|session| {
        insert(session, 1)?;
        let _swallowed = session.batch_execute("SELECT 1/0");
        Ok::<(), SessionError>(())
    });
    assert!(matches!(swallowed, Err(SessionError::Aborted)));
    assert_eq!(
        (rows(&server).as_str(), engine.status().checked_out),
        ("", 0)
    );
}

#[test]
fn a_rollback_that_the_program_sends_itself_is_not_called_a_commit() {
    let server = start();
    let engine = engine(&server);
    let mut session = Session::begin(&engine).unwrap();
    insert(&mut session, 1).unwrap();
    session.batch_execute("ROLLBACK").unwrap();
    let late = insert(&mut session, 2).unwrap_err().to_string();
    let said = "this transaction was ended, and not by its Session; call rollback()";
    assert_eq!(late, said);
    assert_eq!(session.commit().unwrap_err().to_string(), said);
    session.rollback().unwrap();
    insert(&mut session, 3).unwrap();
    session.commit().unwrap();
    assert_eq!(rows(&server), "3");
}

#[test]
fn a_session_s_transactions_begin_as_its_options_say() {
    let server = start();
    let engine = engine(&server);
    let options = SessionOptions::default()
        .isolation_level("SERIALIZABLE")
        .postgresql_readonly(true);
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let mut session = sessions.session();
    for _ in 0..2 {
        let level = text(&mut session, "current_setting('transaction_isolation')");
        let only = text(&mut session, "current_setting('transaction_read_only')");
        assert_eq!((level.as_str(), only.as_str()), ("serializable", "on"));
        session.rollback().unwrap();
    }
    let mut other = Session::begin(&engine).unwrap();
    let level = text(&mut other, "current_setting('transaction_isolation')");
    let only = text(&mut other, "current_setting('transaction_read_only')");
    assert_eq!((level.as_str(), only.as_str()), ("read committed", "off"));
}

#[test]
fn what_a_listener_sets_is_set_in_each_transaction_and_gone_after_it() {
    let server = start();
    let engine = engine(&server);
    let mut sessions = SessionMaker::new(&engine);
    sessions
        .events()
        .after_begin(|session, transaction| match transaction.is_nested() {
            true => Ok(()),
            false => session.batch_execute("SET LOCAL application_name = 'tenant'"),
        });
    let name = "current_setting('application_name')";
    let mut session = sessions.session();
    for _ in 0..2 {
        let mut nested = session.begin_nested().unwrap();
        assert_eq!(text(&mut *nested, name), "tenant");
        nested.rollback().unwrap();
        assert_eq!(text(&mut session, name), "tenant");
        session.commit().unwrap();
    }
    assert_ne!(text(&mut engine.connect().unwrap(), name), "tenant");
}

/// A table `dying`, whose inserts end their session at COMMIT.
fn dies_at_commit(server: &PostgreSql) {
    server
        .psql(
            "CREATE TABLE dying (i int); \
             CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON dying DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION die()",
        )
        .unwrap();
}

fn tracked(engine: &Engine<PgConnection>) -> Session<PgConnection> {
    let options = SessionOptions::default().track_outcome(true);
    SessionMaker::with_options(engine, &options)
        .unwrap()
        .session()
}

/// Which transaction it was whose commit was lost.
fn lost(result: Result<(), SessionError>) -> Option<TransactionId> {
    match result {
        Err(SessionError::CommitOutcomeUnknown(lost)) => lost.transaction,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_became_of_a_lost_commit_can_be_asked() {
    let server = start();
    dies_at_commit(&server);
    let engine = engine(&server);

    let mut session = tracked(&engine);
    session
        .batch_execute("INSERT INTO dying VALUES (1)")
        .unwrap();
    let id = lost(session.commit()).expect("it was asked for");
    until("the server has noticed", || {
        engine.outcome(id).unwrap() != Outcome::InProgress
    });
    assert_eq!(engine.outcome(id).unwrap(), Outcome::Aborted);

    let mut session = Session::begin(&engine).unwrap();
    session
        .batch_execute("INSERT INTO dying VALUES (1)")
        .unwrap();
    assert_eq!(lost(session.commit()), None, "nobody asked for it");
}

#[test]
fn a_commit_whose_answer_is_lost_may_have_come_true() {
    let server = start();
    server
        .psql(
            "CREATE TABLE slow (i int); \
             CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION waits()",
        )
        .unwrap();
    let proxy = Proxy::to(&server.socket()).unwrap();
    let far = create_engine(server.url_at(proxy.port()), EngineOptions::default()).unwrap();
    let near = engine(&server);
    let mut guard = Session::begin(&near).unwrap();
    guard
        .batch_execute("SELECT pg_advisory_xact_lock(7)")
        .unwrap();

    let mut session = tracked(&far);
    session
        .batch_execute("INSERT INTO slow VALUES (1)")
        .unwrap();
    let id = thread::scope(|scope| {
        let committing = scope.spawn(|| lost(session.commit()));
        until("COMMIT waits", || {
            let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
            server.psql(waits).unwrap().trim() == "1"
        });
        proxy.cut_answer_after(0, Ending::Reset);
        guard.commit().unwrap();
        committing.join().unwrap().expect("it was asked for")
    });
    until("the server has noticed", || {
        near.outcome(id).unwrap() != Outcome::InProgress
    });
    assert_eq!(near.outcome(id).unwrap(), Outcome::Committed);
    assert_eq!(server.psql("SELECT i FROM slow").unwrap().trim(), "1");
}

#[test]
fn the_server_knows_each_outcome() {
    let server = start();
    let engine = engine(&server);
    let mut session = Session::begin(&engine).unwrap();
    let number = |session: &mut Session<PgConnection>| {
        let number: i64 = diesel::select(sql::<BigInt>("txid_current()"))
            .get_result(session)
            .unwrap();
        TransactionId::Assigned(number.try_into().unwrap())
    };
    let committed = number(&mut session);
    assert_eq!(engine.outcome(committed).unwrap(), Outcome::InProgress);
    session.commit().unwrap();
    assert_eq!(engine.outcome(committed).unwrap(), Outcome::Committed);
    let aborted = number(&mut session);
    session.rollback().unwrap();
    assert_eq!(engine.outcome(aborted).unwrap(), Outcome::Aborted);
    assert_eq!(
        engine.outcome(TransactionId::Unassigned).unwrap(),
        Outcome::WroteNothing
    );
    let never = TransactionId::Assigned(u64::from(u32::MAX));
    engine.outcome(never).unwrap_err();
}

#[test]
fn only_a_session_that_tracks_its_outcome_asks_which_transaction_it_is() {
    let server = start();
    let engine = engine(&server);
    let sent = statements(&server, &engine, || {
        let mut session = tracked(&engine);
        insert(&mut session, 1).unwrap();
        session.commit().unwrap();
        session.commit().unwrap();
    });
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert!(sent[2].contains("txid_current_if_assigned"), "{sent:?}");
    let sent = statements(&server, &engine, || {
        let mut session = Session::begin(&engine).unwrap();
        insert(&mut session, 2).unwrap();
        session.commit().unwrap();
    });
    assert_eq!(sent, ["BEGIN", "INSERT INTO t VALUES (2)", "COMMIT"]);
}

#[test]
fn random_nesting_of_sessions_never_corrupts() {
    let server = start();
    let engine = engine(&server);
    let mut session = Session::begin(&engine).unwrap();
    let mut dice = 0x9E37_79B9_u32;
    let mut expected = Vec::new();
    for _ in 0..40 {
        let done = nest(&mut session, &mut dice, 0);
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match dice >> 31 {
            0 => {
                session.commit().unwrap();
                expected.extend(done);
            }
            _ => session.rollback().unwrap(),
        }
    }
    expected.sort_unstable();
    let there: Vec<i32> = diesel::select(sql::<diesel::sql_types::Array<Integer>>(
        "(SELECT coalesce(array_agg(i ORDER BY i), '{}') FROM t)",
    ))
    .get_result(&mut session)
    .unwrap();
    assert_eq!(there, expected);
}

/// Gives the rows that are kept if the level around is.
fn nest(session: &mut Session<PgConnection>, dice: &mut u32, depth: usize) -> Vec<i32> {
    let mut kept = Vec::new();
    for _ in 0..3 {
        *dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match (*dice >> 29, depth) {
            (0..=2, _) | (_, 4..) => {
                let row = (*dice >> 1).cast_signed();
                insert(session, row).unwrap();
                kept.push(row);
            }
            (3..=5, _) => {
                let mut nested = session.begin_nested().unwrap();
                kept.extend(nest(&mut nested, dice, depth + 1));
                nested.commit().unwrap();
            }
            (6, _) => {
                let mut nested = session.begin_nested().unwrap();
                nest(&mut nested, dice, depth + 1);
                nested.rollback().unwrap();
            }
            _ => {
                let failed = session.nested(|session| {
                    nest(session, dice, depth + 1);
                    Ok::<(), SessionError>(session.batch_execute("SELECT 1/0")?)
                });
                failed.unwrap_err();
            }
        }
    }
    kept
}
