//! Disconnects, outages and what is left open, on a real PostgreSQL through Diesel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::{Duration, Instant},
};

use diesel::{
    PgConnection,
    connection::{
        AnsiTransactionManager, InstrumentationEvent, LoadConnection, SimpleConnection,
        TransactionManager,
    },
    pg::{Pg, PgRowByRowLoadingMode},
    prelude::*,
    result::{DatabaseErrorKind, Error},
    sql_query,
    sql_types::{BigInt, Integer},
};
use everpool_diesel::{
    CheckoutError, Engine, EngineOptions, EngineOptionsBuilder, ResetOnReturn, Session,
    SessionError, create_engine,
};
use everpool_tests::PostgreSql;

fn start() -> PostgreSql {
    PostgreSql::start().expect("these tests need PostgreSQL")
}

fn engine(server: &PostgreSql, options: EngineOptionsBuilder) -> Engine<PgConnection> {
    create_engine(&server.url(), options.build().unwrap()).unwrap()
}

fn defaults(server: &PostgreSql) -> Engine<PgConnection> {
    engine(server, EngineOptions::builder())
}

/// As a program that ends its transactions by `commit()` and `rollback()`.
fn begin(connection: &mut everpool_diesel::Connection<PgConnection>) {
    AnsiTransactionManager::begin_transaction(connection).unwrap();
}

fn select_one<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> QueryResult<i32> {
    diesel::select(1.into_sql::<Integer>()).get_result(connection)
}

fn backend<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> i32 {
    diesel::select(diesel::dsl::sql::<Integer>("pg_backend_pid()"))
        .get_result(connection)
        .unwrap()
}

/// Ends all other sessions, and returns when they are gone.
fn terminate_all(server: &PostgreSql) {
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let answers = server.psql(end).unwrap();
    assert!(
        !answers.is_empty() && !answers.contains('f'),
        "not all ended: {answers}"
    );
}

/// `n` connections that rest in the pool, each used once.
fn fill(engine: &Engine<PgConnection>, n: usize) {
    let mut all: Vec<_> = (0..n).map(|_| engine.connect().unwrap()).collect();
    all.iter_mut()
        .for_each(|connection| assert_eq!(select_one(connection), Ok(1)));
    drop(all);
    assert_eq!(engine.status().idle, n);
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::yield_now();
    }
}

#[test]
fn one_request_meets_the_dead_server_and_all_that_died_with_it_is_replaced() {
    let server = start();
    let engine = defaults(&server);
    fill(&engine, 4);
    let before = engine.status().generation;
    terminate_all(&server);

    let mut first = engine.connect().unwrap();
    select_one(&mut first).unwrap_err();
    assert!(first.invalidated());
    assert_ne!(engine.status().generation, before);

    // Every one of the others is new.
    let mut others: Vec<_> = (0..4).map(|_| engine.connect().unwrap()).collect();
    others
        .iter_mut()
        .for_each(|connection| assert_eq!(select_one(connection), Ok(1)));
    // So is the first, at its next use.
    assert_eq!(select_one(&mut first), Ok(1));
    assert!(!first.invalidated());
}

#[test]
fn connections_lost_in_one_outage_recreate_the_pool_once() {
    let server = start();
    let engine = defaults(&server);
    let mut held: Vec<_> = (0..4).map(|_| engine.connect().unwrap()).collect();
    terminate_all(&server);

    select_one(&mut held[0]).unwrap_err();
    let recreated = engine.status().generation;
    let mut fresh = engine.connect().unwrap();
    for connection in &mut held[1..] {
        select_one(connection).unwrap_err();
    }

    assert_eq!(engine.status().generation, recreated);
    assert_eq!(select_one(&mut fresh), Ok(1));
    assert!(!fresh.invalidated());
}

#[test]
fn a_session_that_the_server_ends_alone_does_not_condemn_the_others() {
    let server = start();
    let engine = defaults(&server);
    fill(&engine, 2);
    let before = engine.status().generation;

    let mut idler = engine.connect().unwrap();
    idler
        .batch_execute("SET idle_in_transaction_session_timeout = 1; BEGIN")
        .unwrap();
    until("the server ends the idle transaction", || {
        let open = server.psql("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'");
        open.unwrap().trim() == "0"
    });

    let lost = select_one(&mut idler).unwrap_err();
    assert!(
        lost.to_string().contains("idle-in-transaction timeout"),
        "{lost}"
    );
    assert!(idler.invalidated());
    assert_eq!(engine.status().generation, before);
}

#[test]
fn in_a_lost_transaction_nothing_runs_until_it_is_rolled_back() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();
    begin(&mut connection);
    assert_eq!(select_one(&mut connection), Ok(1));
    terminate_all(&server);

    select_one(&mut connection).unwrap_err();
    for _ in 0..2 {
        let pending = select_one(&mut connection).unwrap_err();
        assert!(
            pending
                .to_string()
                .contains("can't reconnect until the invalid transaction is rolled back"),
            "{pending}"
        );
    }
    connection.commit().unwrap_err();

    connection.rollback().unwrap();
    assert_eq!(select_one(&mut connection), Ok(1));
}

#[test]
fn an_invalidated_connection_keeps_its_transaction_pending() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();
    let pid = backend(&mut connection);

    begin(&mut connection);
    connection.invalidate();
    connection.invalidate();
    select_one(&mut connection).unwrap_err();
    connection.rollback().unwrap();

    assert_ne!(backend(&mut connection), pid);
}

#[test]
fn a_transaction_closure_returns_the_disconnect_and_the_next_one_works() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();

    let lost = connection.transaction(|c| {
        terminate_all(&server);
        c.transaction(select_one)
    });
    let lost = lost.unwrap_err();
    // Which of the two the client library reports depends on what it reads first.
    let words = ["terminating connection", "server closed the connection"];
    assert!(
        words.iter().any(|words| lost.to_string().contains(words)),
        "{lost}"
    );

    assert_eq!(connection.transaction(select_one), Ok(1));
}

#[test]
fn a_connection_lost_at_the_rollback_has_rolled_back() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();

    let undone = connection.transaction(|c| {
        select_one(c)?;
        terminate_all(&server);
        Err::<(), _>(Error::RollbackTransaction)
    });

    assert_eq!(undone, Err(Error::RollbackTransaction));
    assert_eq!(connection.transaction(select_one), Ok(1));
}

#[test]
fn a_connection_does_not_say_committed_of_what_the_server_rolled_back() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();
    begin(&mut connection);
    sql_query("SELECT 1/0")
        .execute(&mut connection)
        .unwrap_err();

    let refused = connection.commit().unwrap_err().to_string();
    assert!(
        refused.contains("rolled back instead of committed"),
        "{refused}"
    );
    assert_eq!(connection.transaction(select_one), Ok(1));
}

#[test]
fn sessions_do_not_notice_connections_that_rested_longer_than_the_server_allows() {
    let server = start();
    let engine = defaults(&server);
    let mut all: Vec<_> = (0..5).map(|_| engine.connect().unwrap()).collect();
    for connection in &mut all {
        connection
            .batch_execute("SET idle_session_timeout = 1")
            .unwrap();
    }
    drop(all);
    until("the server ends the idle connections", || {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
        server.psql(open).unwrap().trim() == "1"
    });

    for _ in 0..5 {
        let mut session = Session::begin(&engine).unwrap();
        assert_eq!(select_one(&mut session), Ok(1));
        session.commit().unwrap();
    }
}

#[test]
fn a_closure_that_swallows_the_disconnect_cannot_commit() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();

    let swallowed = connection.transaction(|c| {
        terminate_all(&server);
        let _swallowed = select_one(c);
        QueryResult::Ok(())
    });

    swallowed.unwrap_err();
    assert_eq!(connection.transaction(select_one), Ok(1));
}

#[test]
fn the_message_names_a_savepoint_that_was_open() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();

    let mut pending = None;
    let lost = connection.transaction(|c| {
        c.transaction(|c| {
            terminate_all(&server);
            select_one(c).unwrap_err();
            pending = Some(select_one(c).unwrap_err());
            Err::<(), _>(Error::RollbackTransaction)
        })
    });

    assert_eq!(lost, Err(Error::RollbackTransaction));
    let pending = pending.unwrap().to_string();
    assert!(
        pending.contains("invalid savepoint transaction is rolled back"),
        "{pending}"
    );
}

#[test]
fn an_error_while_rows_are_fetched_is_a_disconnect_too() {
    let server = start();
    let engine = defaults(&server);
    let before = engine.status().generation;
    let mut connection = engine.connect().unwrap();

    let many = diesel::dsl::sql::<BigInt>("generate_series(1, 100000000::bigint)");
    let mut rows = diesel::select(many)
        .load_iter::<i64, PgRowByRowLoadingMode>(&mut connection)
        .unwrap();
    assert_eq!(rows.next(), Some(Ok(1)));
    terminate_all(&server);
    assert!(
        rows.any(|row| row.is_err()),
        "the rows did not end in an error"
    );
    drop(rows);

    assert_ne!(engine.status().generation, before);
    assert!(connection.invalidated());
    assert_eq!(select_one(&mut connection), Ok(1));
}

#[test]
fn a_session_does_not_notice_a_connection_that_died_in_the_pool() {
    let server = start();
    let engine = defaults(&server);
    fill(&engine, 3);
    terminate_all(&server);

    for _ in 0..3 {
        let mut session = Session::begin(&engine).unwrap();
        assert_eq!(select_one(&mut session), Ok(1));
        session.commit().unwrap();
    }
}

#[test]
fn pre_ping_replaces_a_connection_that_died_in_the_pool() {
    let mut server = start();
    let engine = engine(&server, EngineOptions::builder().pool_pre_ping(true));
    fill(&engine, 3);
    server.restart().unwrap();
    assert_eq!(select_one(&mut engine.connect().unwrap()), Ok(1));

    fill(&engine, 3);
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(select_one(&mut engine.connect().unwrap()), Ok(1));
}

#[test]
fn an_unknown_outcome_of_a_commit_is_called_that() {
    let server = start();
    server
        .psql(
            "CREATE TABLE t (i int); \
             CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION die()",
        )
        .unwrap();
    let engine = defaults(&server);
    let mut session = Session::begin(&engine).unwrap();
    sql_query("INSERT INTO t VALUES (1)")
        .execute(&mut session)
        .unwrap();

    let outcome = session.commit().unwrap_err();
    assert!(
        matches!(outcome, SessionError::CommitOutcomeUnknown(_)),
        "{outcome:?}"
    );

    // It can go on: there is nothing left of that transaction to roll back.
    assert_eq!(select_one(&mut session), Ok(1));
    session.commit().unwrap();
}

#[test]
fn a_commit_that_the_database_refuses_is_rolled_back_and_said_so() {
    let server = start();
    server
        .psql("CREATE TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        .unwrap();
    let engine = defaults(&server);
    let mut session = Session::begin(&engine).unwrap();
    sql_query("INSERT INTO t VALUES (1), (1)")
        .execute(&mut session)
        .unwrap();

    let refused = session.commit().unwrap_err();
    let SessionError::Database(Error::DatabaseError(kind, _)) = &refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(kind, DatabaseErrorKind::UniqueViolation));

    sql_query("INSERT INTO t VALUES (1)")
        .execute(&mut session)
        .unwrap();
    session.commit().unwrap();
}

#[test]
fn a_transaction_in_which_a_statement_failed_cannot_be_committed() {
    let server = start();
    let engine = defaults(&server);
    let mut session = Session::begin(&engine).unwrap();
    sql_query("SELECT 1/0").execute(&mut session).unwrap_err();

    // The server would answer this COMMIT by a ROLLBACK, and no error.
    assert!(matches!(session.commit(), Err(SessionError::Aborted)));

    session.rollback().unwrap();
    assert_eq!(select_one(&mut session), Ok(1));
}

#[test]
fn a_session_lost_in_its_transaction_must_be_rolled_back() {
    let server = start();
    let engine = defaults(&server);
    let mut session = Session::begin(&engine).unwrap();
    assert_eq!(select_one(&mut session), Ok(1));
    terminate_all(&server);

    select_one(&mut session).unwrap_err();
    select_one(&mut session).unwrap_err();
    assert!(matches!(
        session.commit(),
        Err(SessionError::PendingRollback(_))
    ));
    session.rollback().unwrap();

    assert_eq!(select_one(&mut session), Ok(1));
    session.commit().unwrap();
}

#[test]
fn what_a_session_nests_is_a_savepoint() {
    let server = start();
    server.psql("CREATE TABLE t (i int)").unwrap();
    let engine = defaults(&server);
    let count = |c: &mut Session<PgConnection>| {
        diesel::select(diesel::dsl::sql::<BigInt>("count(*) FROM t")).get_result::<i64>(c)
    };
    let mut session = Session::begin(&engine).unwrap();

    // The session's BEGIN comes before the first thing that is sent, also if that is a savepoint.
    session
        .transaction(|s| sql_query("INSERT INTO t VALUES (1)").execute(s))
        .unwrap();
    let undone = session.transaction(|s| {
        sql_query("INSERT INTO t VALUES (2)").execute(s)?;
        Err::<(), _>(Error::RollbackTransaction)
    });
    assert_eq!(undone, Err(Error::RollbackTransaction));
    assert_eq!(count(&mut session), Ok(1));
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "0");

    session.commit().unwrap();
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "1");
}

#[test]
fn what_a_user_leaves_open_is_undone_before_the_next_user() {
    let server = start();
    server.psql("CREATE TABLE t (i int)").unwrap();
    let engine = engine(
        &server,
        EngineOptions::builder().pool_size(1).max_overflow(0),
    );
    let insert = "INSERT INTO t VALUES (1)";
    let pid = backend(&mut engine.connect().unwrap());

    let leave: [(&str, &dyn Fn()); 5] = [
        ("a raw BEGIN", &|| {
            engine
                .connect()
                .unwrap()
                .batch_execute(&format!("BEGIN; {insert}"))
                .unwrap();
        }),
        ("a begin without an end", &|| {
            let mut connection = engine.connect().unwrap();
            begin(&mut connection);
            sql_query(insert).execute(&mut connection).unwrap();
        }),
        ("a panic in a transaction", &|| {
            let mut connection = engine.connect().unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                connection.transaction(|c| -> QueryResult<()> {
                    sql_query(insert).execute(c)?;
                    std::panic::resume_unwind(Box::new("the program's own"));
                })
            }));
            assert!(panicked.is_err());
        }),
        ("a failed transaction", &|| {
            let mut connection = engine.connect().unwrap();
            connection
                .batch_execute(&format!("BEGIN; {insert}; SELECT 1/0"))
                .unwrap_err();
        }),
        ("a session without a commit", &|| {
            let mut session = Session::begin(&engine).unwrap();
            sql_query(insert).execute(&mut session).unwrap();
        }),
    ];
    for (what, leave) in leave {
        leave();
        let state = format!("SELECT state FROM pg_stat_activity WHERE pid = {pid}");
        assert_eq!(server.psql(&state).unwrap().trim(), "idle", "after {what}");
        let mut next = engine.connect().unwrap();
        assert_eq!(next.transaction(select_one), Ok(1), "after {what}");
        assert_eq!(
            backend(&mut next),
            pid,
            "the connection was kept after {what}"
        );
        assert_eq!(
            server.psql("SELECT count(*) FROM t").unwrap().trim(),
            "0",
            "after {what}"
        );
    }
}

#[test]
fn what_was_begun_and_not_ended_is_never_committed_by_the_return() {
    let server = start();
    server.psql("CREATE TABLE t (i int)").unwrap();
    let insert = sql_query("INSERT INTO t VALUES (1)");
    for reset in [ResetOnReturn::Commit, ResetOnReturn::Nothing] {
        let one = EngineOptions::builder().pool_size(1).max_overflow(0);
        let engine = engine(&server, one.pool_reset_on_return(reset));

        let mut session = Session::begin(&engine).unwrap();
        insert.clone().execute(&mut session).unwrap();
        drop(session);
        let mut connection = engine.connect().unwrap();
        begin(&mut connection);
        insert.clone().execute(&mut connection).unwrap();
        drop(connection);

        // The next user finds nothing of it, and no transaction open.
        assert_eq!(engine.connect().unwrap().transaction(select_one), Ok(1));
        let rows = server.psql("SELECT count(*) FROM t").unwrap();
        assert_eq!(rows.trim(), "0", "with {reset:?}");
    }
}

#[test]
fn law_6_a_connection_abandoned_in_the_middle_of_an_operation_is_never_lent_again() {
    let server = start();
    let engine = engine(
        &server,
        EngineOptions::builder().pool_size(1).max_overflow(0),
    );
    let mut connection = engine.connect().unwrap();
    let pid = backend(&mut connection);
    connection.set_instrumentation(|event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::FinishQuery { .. } = event {
            std::panic::resume_unwind(Box::new("in the middle of a driver call"));
        }
    });

    let panicked = catch_unwind(AssertUnwindSafe(|| select_one(&mut connection)));
    assert!(panicked.is_err());
    drop(connection);

    assert_ne!(backend(&mut engine.connect().unwrap()), pid);
}

#[test]
fn a_clean_return_sends_nothing() {
    let server = start();
    let engine = defaults(&server);
    let mut connection = engine.connect().unwrap();
    let pid = backend(&mut connection);
    connection
        .batch_execute("SELECT 'the last statement'")
        .unwrap();
    drop(connection);

    let last = server.psql(&format!(
        "SELECT query FROM pg_stat_activity WHERE pid = {pid}"
    ));
    assert_eq!(last.unwrap().trim(), "SELECT 'the last statement'");
}

#[test]
fn a_session_of_one_statement_sends_begin_the_statement_and_commit() {
    let server = start();
    let engine = defaults(&server);
    fill(&engine, 1);
    server
        .psql("ALTER SYSTEM SET log_statement = 'all'")
        .unwrap();
    server.psql("SELECT pg_reload_conf()").unwrap();
    until("the server logs statements", || {
        server.psql("SHOW log_statement").unwrap().trim() == "all"
    });
    backend(&mut engine.connect().unwrap());

    let mut session = Session::begin(&engine).unwrap();
    session.batch_execute("SELECT 'mine'").unwrap();
    session.commit().unwrap();
    drop(session);

    let log = statements(&server);
    assert_eq!(log, ["BEGIN", "SELECT 'mine'", "COMMIT"]);
}

/// What a backend was sent after it was asked for its number.
fn statements(server: &PostgreSql) -> Vec<String> {
    let logs = std::fs::read_dir(server.directory()).unwrap();
    let text: String = logs
        .filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok())
        .collect();
    let asked = text
        .rfind("pg_backend_pid()")
        .expect("the backend was asked for its number");
    let sent = text[asked..]
        .lines()
        .filter_map(|line| line.split_once("statement: "));
    sent.map(|(_, statement)| statement.to_owned()).collect()
}

#[test]
fn the_program_s_instrumentation_sees_the_program_and_goes_with_it() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let server = start();
    let engine = engine(
        &server,
        EngineOptions::builder().pool_size(1).max_overflow(0),
    );
    let seen = Arc::new(AtomicUsize::new(0));
    let mut connection = engine.connect().unwrap();
    let counter = Arc::clone(&seen);
    connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if matches!(event, InstrumentationEvent::StartQuery { .. }) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert_eq!(select_one(&mut connection), Ok(1));
    sql_query("SELECT 1/0")
        .execute(&mut connection)
        .unwrap_err();
    drop(connection);
    assert_eq!(
        seen.load(Ordering::Relaxed),
        2,
        "only what the program sent"
    );

    assert_eq!(select_one(&mut engine.connect().unwrap()), Ok(1));
    assert_eq!(
        seen.load(Ordering::Relaxed),
        2,
        "the next user is not watched"
    );
}

#[test]
fn a_test_transaction_stays_open_in_the_pool() {
    let server = start();
    server.psql("CREATE TABLE t (i int)").unwrap();
    let engine = engine(
        &server,
        EngineOptions::builder().pool_size(1).max_overflow(0),
    );
    engine.connect().unwrap().begin_test_transaction().unwrap();

    let mut connection = engine.connect().unwrap();
    connection
        .transaction(|c| sql_query("INSERT INTO t VALUES (1)").execute(c))
        .unwrap();
    drop(connection);
    let count = diesel::dsl::sql::<BigInt>("count(*) FROM t");
    assert_eq!(
        diesel::select(count).get_result(&mut engine.connect().unwrap()),
        Ok(1_i64)
    );
    assert_eq!(server.psql("SELECT count(*) FROM t").unwrap().trim(), "0");
}

#[test]
fn what_trying_again_cannot_mend_is_told_at_once_and_without_the_password() {
    let server = start();
    let url = server.url().replace("/postgres?", "/nowhere?") + "&password=s3cret-Pw";
    let engine = create_engine::<PgConnection>(&url, EngineOptions::default()).unwrap();

    let told = engine.connect().unwrap_err();
    assert!(matches!(told, CheckoutError::Connect(_)), "{told:?}");
    let told = format!("{told} {told:?} {engine:?}");
    assert!(
        told.contains(r#"database "nowhere" does not exist"#),
        "{told}"
    );
    assert!(!told.contains("s3cret-Pw"), "{told}");
}

#[test]
fn callers_wait_through_a_restart() {
    let mut server = start();
    let engine = defaults(&server);
    fill(&engine, 2);
    server.stop().unwrap();
    engine.dispose();

    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| select_one(&mut engine.connect().unwrap())))
            .collect();
        until("three callers wait", || engine.status().waiting == 3);
        server.start_again().unwrap();
        for caller in waiting {
            assert_eq!(caller.join().unwrap(), Ok(1));
        }
    });
}

#[test]
fn after_the_grace_callers_are_told_the_real_error_and_recovery_is_noticed() {
    let mut server = start();
    let grace = Duration::from_millis(50);
    let engine = engine(&server, EngineOptions::builder().pool_outage_grace(grace));
    server.stop().unwrap();

    let told = engine.connect().unwrap_err();
    assert!(matches!(told, CheckoutError::Outage(_)), "{told:?}");
    assert!(
        told.to_string().contains("No such file or directory"),
        "{told}"
    );
    let again = engine.connect().unwrap_err();
    assert!(matches!(again, CheckoutError::Outage(_)), "{again:?}");

    server.start_again().unwrap();
    until("the engine lends again", || engine.connect().is_ok());
}

#[test]
fn a_full_pool_says_who_is_to_blame() {
    let server = start();
    let options = EngineOptions::builder().pool_size(1).max_overflow(0);
    let engine = engine(&server, options.pool_timeout(Duration::from_millis(20)));
    // The connection may take longer to open than the time that a caller has; then it is there for
    // the next caller.
    let mut held = None;
    until("the only connection is out", || {
        engine.connect().map(|lent| held.replace(lent)).is_ok()
    });

    let told = engine.connect().unwrap_err().to_string();
    assert!(told.contains("all connections were in use"), "{told}");
    assert!(
        told.contains("Pool size: 1  Connections in pool: 0"),
        "{told}"
    );
}
