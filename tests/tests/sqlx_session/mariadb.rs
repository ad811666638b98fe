//! What a session sends to MariaDB, and what a deadlock costs.

use everpool_sqlx::{Engine, MySql, Session, SessionError, query_scalar};
use everpool_tests::MariaDb;

use crate::support::{engine, send};

fn start() -> (MariaDb, Engine<MySql>) {
    let server = MariaDb::start().expect("these tests need MariaDB");
    server
        .sql("CREATE TABLE t (i int PRIMARY KEY, j int) ENGINE = InnoDB; INSERT INTO t VALUES (1, 0), (2, 0)")
        .unwrap();
    let engine = engine(&server.url());
    (server, engine)
}

fn update(i: i32) -> String {
    format!("UPDATE t SET j = j + 1 WHERE i = {i}")
}

fn sums(server: &MariaDb) -> Vec<String> {
    let sums = server
        .sql("SELECT j FROM t WHERE i < 3 ORDER BY i")
        .unwrap();
    sums.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_sqlx_session_of_one_statement_on_mariadb_costs_a_begin_and_a_commit_and_no_more() {
    let (server, engine) = start();
    let id = query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)");
    let id: i64 = id.fetch_one(&engine).await.unwrap();
    let log = "TRUNCATE mysql.general_log; SET GLOBAL log_output = 'TABLE', general_log = 1";
    server.sql(log).unwrap();

    let mut session = Session::begin(&engine).await.unwrap();
    session
        .begin_nested()
        .await
        .unwrap()
        .commit()
        .await
        .unwrap();
    send(&mut session, &update(1)).await.unwrap();
    drop(session.begin_nested().await.unwrap());
    session.commit().await.unwrap();
    drop(session);

    let sent = format!(
        "SET GLOBAL general_log = 0; \
         SELECT argument FROM mysql.general_log WHERE thread_id = {id} AND command_type IN ('Query', 'Execute')"
    );
    let sent = server.sql(&sent).unwrap();
    let sent: Vec<_> = sent.lines().map(str::trim).collect();
    assert_eq!(sent, ["BEGIN", update(1).as_str(), "COMMIT"]);
}

#[tokio::test]
async fn savepoints_of_one_name_are_told_apart_by_a_sqlx_session() {
    let (server, engine) = start();
    let mut session = Session::begin(&engine).await.unwrap();
    send(&mut session, &update(1)).await.unwrap();
    for is_kept in [true, false, true] {
        let mut nested = session.begin_nested().await.unwrap();
        send(&mut nested, &update(1)).await.unwrap();
        let mut innermost = nested.begin_nested().await.unwrap();
        send(&mut innermost, &update(2)).await.unwrap();
        innermost.rollback().await.unwrap();
        match is_kept {
            true => nested.commit().await.unwrap(),
            false => drop(nested),
        }
    }
    session.commit().await.unwrap();
    assert_eq!(sums(&server), ["3", "0"]);
}

#[tokio::test]
async fn a_deadlock_inside_of_a_sqlx_session_s_savepoint_poisons_the_transaction() {
    let (server, engine) = start();
    let mut victim = Session::begin(&engine).await.unwrap();
    send(&mut victim, &update(1)).await.unwrap();
    let mut other = Session::begin(&engine).await.unwrap();
    // The one that has changed less is the victim.
    let more = "INSERT INTO t VALUES (3, 0), (4, 0), (5, 0)";
    send(&mut other, more).await.unwrap();
    send(&mut other, &update(2)).await.unwrap();

    let mut nested = victim.begin_nested().await.unwrap();
    let (one, two) = (update(1), update(2));
    let (deadlock, waited) = tokio::join!(send(&mut nested, &two), send(&mut other, &one));
    waited.unwrap();
    other.rollback().await.unwrap();
    let deadlock = deadlock.unwrap_err().to_string();
    assert!(deadlock.contains("Deadlock found"), "{deadlock}");
    // The server has undone the whole transaction, and its savepoint with it.
    nested.rollback().await.unwrap_err();
    for _ in 0..2 {
        let refused = victim.commit().await.unwrap_err();
        assert!(matches!(refused, SessionError::State(_)), "{refused:?}");
    }
    send(&mut victim, &update(1)).await.unwrap_err();
    victim.rollback().await.unwrap();
    send(&mut victim, &update(1)).await.unwrap();
    victim.commit().await.unwrap();
    assert_eq!(sums(&server), ["1", "0"]);
}
