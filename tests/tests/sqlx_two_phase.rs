//! Two-phase transactions with SQLx, on a real PostgreSQL and a real MariaDB.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::sync::{Arc, Mutex};

use everpool_sqlx::{
    AssertSqlSafe, Driver, Engine, EngineConnection as Connection, EngineOptions, MySql, Postgres,
    Sqlite, create_engine, query, raw_sql,
};
use everpool_tests::{MariaDb, PostgreSql};

fn engine<DB: Driver>(url: String) -> Engine<DB> {
    let one = EngineOptions::builder().pool_size(1).max_overflow(0);
    create_engine(url, one.build().unwrap()).unwrap()
}

fn postgresql() -> (PostgreSql, Engine<Postgres>) {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    server.psql("CREATE TABLE t (x int)").unwrap();
    let engine = engine(server.url());
    (server, engine)
}

async fn mariadb() -> (MariaDb, Engine<MySql>) {
    let server = MariaDb::start().expect("this needs MariaDB");
    let engine = engine(server.url());
    query("CREATE TABLE t (x int)")
        .execute(&engine)
        .await
        .unwrap();
    (server, engine)
}

async fn insert<DB: Driver>(connection: &mut Connection<DB>, x: i32) {
    let insert = raw_sql(AssertSqlSafe(format!("INSERT INTO t VALUES ({x})")));
    insert.execute(connection).await.unwrap();
}

async fn rows<DB: Driver>(connection: &mut Connection<DB>) -> usize {
    let select = raw_sql("SELECT x FROM t");
    select.fetch_all(connection).await.unwrap().len()
}

/// A story that is told on each database.
macro_rules! on_each_database {
    ($($test:ident($connection:ident) $story:block)*) => {$(
        #[tokio::test]
        async fn $test() {
            async fn story<DB: Driver>(engine: &Engine<DB>) {
                let mut lent = engine.connect().await.unwrap();
                let $connection: &mut Connection<DB> = &mut lent;
                $story
            }
            let (_server, engine) = postgresql();
            story(&engine).await;
            let (_server, engine) = mariadb().await;
            story(&engine).await;
        }
    )*};
}

on_each_database! {
    a_two_phase_transaction_is_committed_or_rolled_back_prepared_or_not(connection) {
        for (x, is_prepared, is_committed) in [
            (1, true, true),
            (2, false, true),
            (3, true, false),
            (4, false, false),
        ] {
            let mut transaction = connection.begin_twophase(None).await.unwrap();
            assert!(transaction.in_transaction());
            insert(&mut transaction, x).await;
            if is_prepared {
                transaction.prepare().await.unwrap();
            }
            match is_committed {
                true => transaction.commit().await.unwrap(),
                false => transaction.rollback().await.unwrap(),
            }
            assert!(!connection.in_transaction() && !connection.invalidated());
        }
        assert_eq!(rows(connection).await, 2);
        assert_eq!(connection.recover_twophase().await.unwrap(), []);
    }

    what_was_prepared_outlives_its_connection_and_is_ended_by_another(connection) {
        for commits in [true, false] {
            let mut transaction = connection.begin_twophase("transfer-7").await.unwrap();
            insert(&mut transaction, 7).await;
            transaction.prepare().await.unwrap();
            transaction.invalidate();
            drop(transaction);

            let prepared = connection.recover_twophase().await.unwrap();
            assert_eq!(prepared.len(), 1);
            assert_eq!(prepared[0].to_string(), "transfer-7");
            match commits {
                true => connection.commit_prepared(&prepared[0]).await.unwrap(),
                false => connection.rollback_prepared(&prepared[0]).await.unwrap(),
            }
            assert_eq!(rows(connection).await, 1);
            assert_eq!(connection.recover_twophase().await.unwrap(), []);
        }
    }

    a_two_phase_transaction_that_is_dropped_is_rolled_back_before_the_next_statement(connection) {
        for is_prepared in [false, true] {
            let mut transaction = connection.begin_twophase(None).await.unwrap();
            insert(&mut transaction, 1).await;
            if is_prepared {
                transaction.prepare().await.unwrap();
            }
            drop(transaction);
            assert!(!connection.in_transaction());
            assert_eq!(rows(connection).await, 0);
            assert_eq!(connection.recover_twophase().await.unwrap(), []);
            insert(connection, 1).await;
            raw_sql("DELETE FROM t").execute(&mut *connection).await.unwrap();
        }
    }

    what_could_not_be_prepared_is_not_committed_as_if_it_were(connection) {
        let mut transaction = connection.begin_twophase(None).await.unwrap();
        insert(&mut transaction, 1).await;
        transaction.invalidate();
        transaction.prepare().await.unwrap_err();
        let refused = transaction.commit().await.unwrap_err().to_string();
        assert!(refused.contains("over already"), "{refused}");
        assert_eq!(rows(connection).await, 0);
    }

    a_commit_on_a_lost_connection_is_an_error_and_leaves_nothing_to_be_rolled_back(connection) {
        let mut transaction = connection.begin_twophase(None).await.unwrap();
        insert(&mut transaction, 1).await;
        transaction.invalidate();
        let pending = transaction.commit().await.unwrap_err().to_string();
        assert!(pending.contains("can't reconnect"), "{pending}");
        assert!(!connection.in_transaction());
        assert_eq!(rows(connection).await, 0);
    }

    nothing_runs_in_a_transaction_that_is_prepared(connection) {
        let mut transaction = connection.begin_twophase(None).await.unwrap();
        transaction.prepare().await.unwrap();
        transaction.prepare().await.unwrap();
        let statement = raw_sql("INSERT INTO t VALUES (1)").execute(&mut *transaction).await;
        let refused = statement.map(drop).unwrap_err().to_string();
        assert!(refused.contains("can't operate on a closed transaction"), "{refused}");
        transaction.commit().await.unwrap();
        insert(connection, 1).await;
    }

    what_was_prepared_is_rolled_back_on_another_connection_if_its_own_was_lost(connection) {
        let mut transaction = connection.begin_twophase(None).await.unwrap();
        insert(&mut transaction, 1).await;
        transaction.prepare().await.unwrap();
        transaction.invalidate();
        transaction.rollback().await.unwrap();
        assert_eq!(connection.recover_twophase().await.unwrap(), []);
    }

    a_two_phase_transaction_has_no_other_within_it_and_only_its_own_end(connection) {
        let mut transaction = connection.begin().await.unwrap();
        let refused = transaction.begin_twophase(None).await.map(drop).unwrap_err();
        assert!(refused.to_string().contains("a transaction is open"), "{refused}");
        drop(transaction);
        let refused = connection.begin_twophase("'; DROP TABLE t; --").await.map(drop).unwrap_err();
        assert!(refused.to_string().contains("printable ASCII"), "{refused}");

        let mut transaction = connection.begin_twophase(None).await.unwrap();
        let said = "only its own prepare(), commit() or rollback() end it";
        let refused = [
            transaction.begin().await.map(drop).unwrap_err(),
            transaction.begin_nested().await.map(drop).unwrap_err(),
            Connection::commit(&mut transaction).await.unwrap_err(),
            Connection::rollback(&mut transaction).await.unwrap_err(),
        ];
        for refused in refused {
            assert!(refused.to_string().contains(said), "{refused}");
        }
        insert(&mut transaction, 1).await;
        transaction.commit().await.unwrap();
        assert_eq!(rows(connection).await, 1);
    }

    listeners_are_told_of_each_phase(connection) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = |what: &'static str| {
            let told = Arc::clone(&told);
            move |xid: &str| told.lock().unwrap().push(format!("{what} {xid}"))
        };
        let tell_end = |what: &'static str| {
            let told = Arc::clone(&told);
            move |xid: &str, is_prepared: bool| {
                told.lock().unwrap().push(format!("{what} {xid} {is_prepared}"));
            }
        };
        connection
            .engine()
            .events()
            .begin_twophase(tell("begin"))
            .prepare_twophase(tell("prepare"))
            .commit_twophase(tell_end("commit"))
            .rollback_twophase(tell_end("rollback"));
        let mut transaction = connection.begin_twophase("a").await.unwrap();
        transaction.prepare().await.unwrap();
        transaction.commit().await.unwrap();
        drop(connection.begin_twophase("b").await.unwrap());
        let told = told.lock().unwrap();
        let expected = ["begin a", "prepare a", "commit a true", "begin b", "rollback b false"];
        assert_eq!(*told, expected);
    }
}

#[tokio::test]
async fn a_prepare_that_fails_is_told_as_it_is_and_everything_rolled_back() {
    let (_server, engine) = postgresql();
    let mut connection = engine.connect().await.unwrap();
    let temporary = raw_sql("CREATE TEMPORARY TABLE mine (x int)");
    temporary.execute(&mut *connection).await.unwrap();
    let mut transaction = connection.begin_twophase(None).await.unwrap();
    let insert = raw_sql("INSERT INTO mine VALUES (1)");
    insert.execute(&mut *transaction).await.unwrap();
    let failed = transaction.prepare().await.unwrap_err().to_string();
    assert!(failed.contains("temporary"), "{failed}");
    drop(transaction);
    assert!(!connection.in_transaction());
    assert_eq!(rows(&mut connection).await, 0);
}

/// PostgreSQL itself answers PREPARE TRANSACTION and COMMIT by a rollback then, and by no error.
#[tokio::test]
async fn a_transaction_in_which_a_statement_failed_is_neither_prepared_nor_committed() {
    let (_server, engine) = postgresql();
    let mut connection = engine.connect().await.unwrap();
    for is_prepared in [true, false] {
        let mut transaction = connection.begin_twophase(None).await.unwrap();
        insert(&mut transaction, 1).await;
        let wrong = raw_sql("SELECT 1/0").execute(&mut *transaction).await;
        wrong.map(drop).unwrap_err();
        let prepared = match is_prepared {
            true => transaction.prepare().await,
            false => Ok(()),
        };
        let refused = match prepared {
            Ok(()) => transaction.commit().await.unwrap_err(),
            Err(refused) => {
                drop(transaction);
                refused
            }
        };
        let refused = refused.to_string();
        assert!(refused.contains("rolled back instead"), "{refused}");
        assert!(!connection.in_transaction() && !connection.invalidated());
        assert_eq!(connection.recover_twophase().await.unwrap(), []);
        assert_eq!(rows(&mut connection).await, 0);
        // Nothing of it is left to stand in the way of the next.
        let mut transaction = connection.begin().await.unwrap();
        insert(&mut transaction, 1).await;
        transaction.commit().await.unwrap();
        raw_sql("DELETE FROM t")
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_database_without_two_phase_transactions_says_so() {
    let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default()).unwrap();
    let mut connection = engine.connect().await.unwrap();
    let said = "sqlite has no two-phase transactions; use begin()";
    let refused = connection.begin_twophase(None).await.map(drop).unwrap_err();
    assert!(refused.to_string().contains(said), "{refused}");
    let refused = connection.recover_twophase().await.unwrap_err();
    assert!(refused.to_string().contains(said), "{refused}");
}
