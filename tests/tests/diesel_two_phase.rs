//! Two-phase transactions, on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::sync::{Arc, Mutex};

use diesel::{
    PgConnection, RunQueryDsl, connection::SimpleConnection, dsl::sql, result::Error, sql_query,
    sql_types::BigInt,
};
use everpool_diesel::{Connection, Engine, EngineOptions, create_engine};
use everpool_tests::PostgreSql;

fn start() -> (PostgreSql, Engine<PgConnection>) {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    server.psql("CREATE TABLE t (x int)").unwrap();
    let one = EngineOptions::builder().pool_size(1).max_overflow(0);
    let engine = create_engine(server.url(), one.build().unwrap()).unwrap();
    (server, engine)
}

fn insert(connection: &mut Connection<PgConnection>, x: i32) {
    let insert = sql_query(format!("INSERT INTO t VALUES ({x})"));
    assert_eq!(insert.execute(connection), Ok(1));
}

fn rows(connection: &mut Connection<PgConnection>) -> i64 {
    let count = diesel::select(sql::<BigInt>("(SELECT count(*) FROM t)"));
    count.get_result(connection).unwrap()
}

#[test]
fn a_two_phase_transaction_is_committed_or_rolled_back_prepared_or_not() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    for (x, is_prepared, is_committed) in [
        (1, true, true),
        (2, false, true),
        (3, true, false),
        (4, false, false),
    ] {
        let mut transaction = connection.begin_twophase(None).unwrap();
        insert(&mut transaction, x);
        if is_prepared {
            transaction.prepare().unwrap();
        }
        match is_committed {
            true => transaction.commit().unwrap(),
            false => transaction.rollback().unwrap(),
        }
        assert!(!connection.in_transaction());
    }
    assert_eq!(rows(&mut connection), 2);
    assert_eq!(connection.recover_twophase().unwrap(), []);
}

#[test]
fn what_was_prepared_outlives_its_connection_and_is_ended_by_another() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    for commits in [true, false] {
        let mut transaction = connection.begin_twophase("transfer-7").unwrap();
        insert(&mut transaction, 7);
        transaction.prepare().unwrap();
        transaction.invalidate();
        drop(transaction);

        let mut other = engine.connect().unwrap();
        assert_eq!(rows(&mut other), i64::from(!commits));
        let prepared = other.recover_twophase().unwrap();
        assert_eq!(prepared.len(), 1);
        assert_eq!(prepared[0].to_string(), "transfer-7");
        match commits {
            true => other.commit_prepared(&prepared[0]).unwrap(),
            false => other.rollback_prepared(&prepared[0]).unwrap(),
        }
        assert_eq!(rows(&mut other), 1);
        assert_eq!(other.recover_twophase().unwrap(), []);
    }
}

#[test]
fn a_two_phase_transaction_that_is_dropped_is_rolled_back_and_the_connection_kept() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    for is_prepared in [false, true] {
        let mut transaction = connection.begin_twophase(None).unwrap();
        insert(&mut transaction, 1);
        if is_prepared {
            transaction.prepare().unwrap();
        }
        drop(transaction);
        assert!(!connection.invalidated());
        assert_eq!(rows(&mut connection), 0);
        assert_eq!(connection.recover_twophase().unwrap(), []);
    }
}

#[test]
fn a_prepare_that_fails_is_told_as_it_is_and_everything_rolled_back() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    connection
        .batch_execute("CREATE TEMPORARY TABLE mine (x int)")
        .unwrap();
    let mut transaction = connection.begin_twophase(None).unwrap();
    transaction
        .batch_execute("INSERT INTO mine VALUES (1)")
        .unwrap();
    let failed = transaction.prepare().unwrap_err().to_string();
    assert!(failed.contains("temporary"), "{failed}");
    drop(transaction);
    assert!(!connection.in_transaction());
    assert_eq!(rows(&mut connection), 0);
}

/// PostgreSQL itself answers PREPARE TRANSACTION and COMMIT by a rollback then, and by no error.
#[test]
fn a_transaction_in_which_a_statement_failed_is_neither_prepared_nor_committed() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    for is_prepared in [true, false] {
        let mut transaction = connection.begin_twophase(None).unwrap();
        insert(&mut transaction, 1);
        transaction.batch_execute("SELECT 1/0").unwrap_err();
        let prepared = match is_prepared {
            true => transaction.prepare(),
            false => Ok(()),
        };
        let committed = prepared.and_then(|()| transaction.commit());
        let refused = committed.unwrap_err().to_string();
        assert!(refused.contains("rolled back instead"), "{refused}");
        assert!(!connection.in_transaction() && !connection.invalidated());
        assert_eq!(connection.recover_twophase().unwrap(), []);
        assert_eq!(rows(&mut connection), 0);
    }
}

#[test]
fn what_could_not_be_prepared_is_not_committed_as_if_it_were() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    for loses_connection in [false, true] {
        let mut transaction = connection.begin_twophase(None).unwrap();
        insert(&mut transaction, 1);
        if loses_connection {
            transaction.invalidate();
        } else {
            transaction.batch_execute("SELECT 1/0").unwrap_err();
        }
        transaction.prepare().unwrap_err();
        let refused = transaction.commit().unwrap_err();
        assert!(matches!(refused, Error::NotInTransaction), "{refused}");
        assert_eq!(rows(&mut connection), 0);
    }
}

#[test]
fn a_commit_on_a_lost_connection_is_an_error_and_leaves_nothing_to_be_rolled_back() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin_twophase(None).unwrap();
    insert(&mut transaction, 1);
    transaction.invalidate();
    let pending = transaction.commit().unwrap_err().to_string();
    assert!(pending.starts_with("can't reconnect"), "{pending}");
    assert!(!connection.in_transaction());
    assert_eq!(rows(&mut connection), 0);
}

#[test]
fn nothing_runs_in_a_transaction_that_is_prepared() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin_twophase(None).unwrap();
    transaction.prepare().unwrap();
    transaction.prepare().unwrap();
    let refused = transaction
        .batch_execute("INSERT INTO t VALUES (1)")
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("can't operate on a closed transaction"),
        "{refused}"
    );
    transaction.commit().unwrap();
    insert(&mut connection, 1);
}

#[test]
fn a_two_phase_transaction_on_a_lost_connection_is_rolled_back_without_a_word() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin_twophase(None).unwrap();
    transaction.invalidate();
    let pending = transaction.batch_execute("SELECT 1").unwrap_err();
    assert!(
        pending.to_string().starts_with("can't reconnect"),
        "{pending}"
    );
    transaction.rollback().unwrap();
    assert_eq!(rows(&mut connection), 0);
}

#[test]
fn what_was_prepared_is_rolled_back_on_another_connection_if_its_own_was_lost() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin_twophase(None).unwrap();
    insert(&mut transaction, 1);
    transaction.prepare().unwrap();
    transaction.invalidate();
    transaction.rollback().unwrap();
    assert_eq!(connection.recover_twophase().unwrap(), []);
}

#[test]
fn a_two_phase_transaction_is_none_within_another_or_without_a_proper_name() {
    let (_server, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    let refused = transaction.begin_twophase(None).map(drop).unwrap_err();
    assert!(matches!(refused, Error::AlreadyInTransaction));
    drop(transaction);
    let refused = connection
        .begin_twophase("'; DROP TABLE t; --")
        .map(drop)
        .unwrap_err();
    assert!(matches!(refused, Error::QueryBuilderError(_)), "{refused}");
}

#[test]
fn listeners_are_told_of_each_phase() {
    let (_server, engine) = start();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = |what: &'static str| {
        let told = Arc::clone(&told);
        move |xid: &str| told.lock().unwrap().push(format!("{what} {xid}"))
    };
    let tell_end = |what: &'static str| {
        let told = Arc::clone(&told);
        move |xid: &str, is_prepared: bool| {
            told.lock()
                .unwrap()
                .push(format!("{what} {xid} {is_prepared}"));
        }
    };
    engine
        .events()
        .begin_twophase(tell("begin"))
        .prepare_twophase(tell("prepare"))
        .commit_twophase(tell_end("commit"))
        .rollback_twophase(tell_end("rollback"));
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin_twophase("a").unwrap();
    transaction.prepare().unwrap();
    transaction.commit().unwrap();
    drop(connection.begin_twophase("b").unwrap());
    let told = told.lock().unwrap();
    assert_eq!(
        *told,
        [
            "begin a",
            "prepare a",
            "commit a true",
            "begin b",
            "rollback b false"
        ]
    );
}
