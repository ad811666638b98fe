//! Sessions on MariaDB: what is sent, and what a deadlock costs.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{sync::mpsc, thread};

use diesel::{
    Connection as _, MysqlConnection, QueryResult, connection::SimpleConnection, dsl::sql,
    prelude::*, sql_query, sql_types::BigInt,
};
use everpool_diesel::{
    Engine, EngineOptions, Session, SessionError, SessionMaker, SessionOptions, create_engine,
};
use everpool_tests::MariaDb;

fn start() -> (MariaDb, Engine<MysqlConnection>) {
    let server = MariaDb::start().expect("these tests need MariaDB");
    server
        .sql("CREATE TABLE t (i int PRIMARY KEY, j int) ENGINE = InnoDB; INSERT INTO t VALUES (1, 0), (2, 0)")
        .unwrap();
    let one = EngineOptions::builder().pool_size(2).max_overflow(0);
    let engine = create_engine(server.url(), one.build().unwrap()).unwrap();
    (server, engine)
}

fn id(engine: &Engine<MysqlConnection>) -> i64 {
    let id = diesel::select(sql::<BigInt>("CONNECTION_ID()"));
    id.get_result(&mut engine.connect().unwrap()).unwrap()
}

fn update(session: &mut Session<MysqlConnection>, i: i32) -> QueryResult<()> {
    sql_query(format!("UPDATE t SET j = j + 1 WHERE i = {i}"))
        .execute(session)
        .map(drop)
}

/// What the server was sent on a connection while `work` was done.
fn statements(server: &MariaDb, id: i64, work: impl FnOnce()) -> Vec<String> {
    let log = "TRUNCATE mysql.general_log; SET GLOBAL log_output = 'TABLE', general_log = 1";
    server.sql(log).unwrap();
    work();
    let sent = format!(
        "SET GLOBAL general_log = 0; \
         SELECT argument FROM mysql.general_log WHERE thread_id = {id} AND command_type IN ('Query', 'Execute')"
    );
    let sent = server.sql(&sent).unwrap();
    sent.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_session_of_one_statement_costs_a_begin_and_a_commit_and_no_more() {
    let (server, engine) = start();
    let id = id(&engine);
    let sent = statements(&server, id, || {
        let mut session = Session::begin(&engine).unwrap();
        session.transaction(|_| QueryResult::Ok(())).unwrap();
        update(&mut session, 1).unwrap();
        session.begin_nested().unwrap().commit().unwrap();
        session.commit().unwrap();
        drop(session);
    });
    assert_eq!(
        sent,
        [
            "BEGIN",
            "UPDATE t SET j = j + 1 WHERE i = 1",
            "COMMIT AND NO CHAIN NO RELEASE"
        ]
    );
}

#[test]
fn savepoints_of_one_name_are_told_apart() {
    let (server, engine) = start();
    let mut session = Session::begin(&engine).unwrap();
    update(&mut session, 1).unwrap();
    for is_kept in [true, false, true] {
        let mut nested = session.begin_nested().unwrap();
        update(&mut nested, 1).unwrap();
        let mut innermost = nested.begin_nested().unwrap();
        update(&mut innermost, 2).unwrap();
        innermost.rollback().unwrap();
        match is_kept {
            true => nested.commit().unwrap(),
            false => nested.rollback().unwrap(),
        }
    }
    session.commit().unwrap();
    let sums = server.sql("SELECT j FROM t ORDER BY i").unwrap();
    assert_eq!(sums.split_whitespace().collect::<Vec<_>>(), ["3", "0"]);
}

#[test]
fn a_deadlock_inside_of_a_savepoint_poisons_the_transaction() {
    let (server, engine) = start();
    let mut victim = Session::begin(&engine).unwrap();
    update(&mut victim, 1).unwrap();
    let (holds, held) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut other = Session::begin(&engine).unwrap();
            // The one that has changed less is the victim.
            other
                .batch_execute("INSERT INTO t VALUES (3, 0), (4, 0), (5, 0)")
                .unwrap();
            update(&mut other, 2).unwrap();
            holds.send(()).unwrap();
            update(&mut other, 1).unwrap();
            other.rollback().unwrap();
        });
        held.recv().unwrap();
        let mut nested = victim.begin_nested().unwrap();
        let deadlock = update(&mut nested, 2).unwrap_err().to_string();
        assert!(deadlock.starts_with("Deadlock found"), "{deadlock}");
        // The server has undone the whole transaction, and its savepoint with it.
        nested.rollback().unwrap_err();
        for _ in 0..2 {
            let refused = victim.commit().unwrap_err();
            assert!(matches!(refused, SessionError::State(_)), "{refused:?}");
        }
        update(&mut victim, 1).unwrap_err();
        victim.rollback().unwrap();
    });
    update(&mut victim, 1).unwrap();
    victim.commit().unwrap();
    let sum = server.sql("SELECT SUM(j) FROM t").unwrap();
    assert_eq!(sum.trim(), "1");
}

#[test]
fn a_session_s_level_is_its_own() {
    let (_server, engine) = start();
    let options = SessionOptions::default().isolation_level("READ COMMITTED");
    let sessions = SessionMaker::with_options(&engine, &options).unwrap();
    let level = |session: &mut Session<MysqlConnection>| -> String {
        let level = sql::<diesel::sql_types::Text>("@@tx_isolation");
        diesel::select(level).get_result(session).unwrap()
    };
    let mut session = sessions.session();
    assert_eq!(level(&mut session), "READ-COMMITTED");
    session.rollback().unwrap();
    assert_eq!(
        level(&mut Session::begin(&engine).unwrap()),
        "REPEATABLE-READ"
    );
}

#[test]
fn a_statement_that_commits_by_the_way_leaves_a_commit_that_is_one() {
    let (server, engine) = start();
    let mut session = Session::begin(&engine).unwrap();
    update(&mut session, 1).unwrap();
    session.batch_execute("CREATE TABLE u (i int)").unwrap();
    session.commit().unwrap();
    let sum = server.sql("SELECT SUM(j) FROM t").unwrap();
    assert_eq!(sum.trim(), "1");
}
