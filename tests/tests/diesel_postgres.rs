//! Disconnects and transactions, where PostgreSQL differs from the others; see `contract` for the rest.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{
    PgConnection,
    connection::{AnsiTransactionManager, LoadConnection, SimpleConnection, TransactionManager},
    pg::{Pg, PgRowByRowLoadingMode},
    prelude::*,
    result::{DatabaseErrorKind, Error},
    sql_query,
    sql_types::{BigInt, Integer},
};
use everpool_diesel::{
    Engine, EngineOptions, EngineOptionsBuilder, Session, SessionError, create_engine,
};
use everpool_tests::PostgreSql;

fn start() -> PostgreSql {
    PostgreSql::start().expect("these tests need PostgreSQL")
}

fn engine(server: &PostgreSql, options: EngineOptionsBuilder) -> Engine<PgConnection> {
    create_engine(server.url(), options.build().unwrap()).unwrap()
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
fn a_session_that_the_server_ends_alone_does_not_condemn_the_others_if_it_is_told_why() {
    let server = start();
    let engine = defaults(&server);

    until("a session is told why it was ended", || {
        fill(&engine, 2);
        let before = engine.status().generation;
        let mut idler = engine.connect().unwrap();
        let lost = lose_by_the_idle_timeout(&server, &mut idler);
        assert!(idler.invalidated());

        // libpq drops the server's last words where they came together with the answer before them.
        // Then nothing tells this from a server's death.
        let is_told = lost.contains("idle-in-transaction timeout");
        let condemns = engine.status().generation != before;
        assert_eq!(condemns, !is_told, "{lost}");
        is_told
    });
}

/// What a session is told that was idle in its transaction for too long.
fn lose_by_the_idle_timeout(
    server: &PostgreSql,
    idler: &mut everpool_diesel::Connection<PgConnection>,
) -> String {
    idler
        .batch_execute("SET idle_in_transaction_session_timeout = 50; BEGIN")
        .unwrap();
    until("the server ends the idle transaction", || {
        let open = server.psql("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'");
        open.unwrap().trim() == "0"
    });
    select_one(idler).unwrap_err().to_string()
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
