//! What a Connection sends, in which order, and what it does after an error, on a scripted driver.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod scripted;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    connection::{
        AnsiTransactionManager, Connection as _, InstrumentationEvent, TransactionManager,
    },
    result::Error,
    sql_query,
};
use everpool_diesel::{Connection, Engine, EngineOptions, PoolClass, Session, create_engine};

use scripted::{CONNECTION_LOST, SERVER_LOST, Script, Scripted};

fn start() -> (Script, Engine<Scripted>) {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    (script, engine)
}

fn send(connection: &mut Connection<Scripted>, statement: &str) -> QueryResult<usize> {
    sql_query(statement).execute(connection)
}

const PENDING: &str = "can't reconnect until the invalid transaction is rolled back; \
     please rollback() fully before proceeding";

#[test]
fn a_transaction_is_committed_when_it_is_told_to_and_else_rolled_back() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();

    let mut transaction = connection.begin().unwrap();
    send(&mut transaction, "one").unwrap();
    transaction.commit().unwrap();
    let mut transaction = connection.begin().unwrap();
    send(&mut transaction, "two").unwrap();
    transaction.rollback().unwrap();
    let mut transaction = connection.begin().unwrap();
    send(&mut transaction, "three").unwrap();
    drop(transaction);
    assert!(!connection.in_transaction());
    drop(connection);

    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 one",
            "1 COMMIT",
            "1 BEGIN",
            "1 two",
            "1 ROLLBACK",
            "1 BEGIN",
            "1 three",
            "1 ROLLBACK"
        ]
    );
}

#[test]
fn a_second_begin_is_refused() {
    let (_script, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    assert_eq!(
        transaction.begin().unwrap_err(),
        Error::AlreadyInTransaction
    );
    assert!(transaction.in_transaction());
    transaction.commit().unwrap();
}

#[test]
fn a_savepoint_begins_the_transaction_that_it_needs_and_leaves_it_open() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();

    let savepoint = connection.begin_nested().unwrap();
    savepoint.commit().unwrap();
    assert!(connection.in_transaction());
    assert!(!connection.in_nested_transaction());
    let savepoint = connection.begin_nested().unwrap();
    savepoint.rollback().unwrap();
    connection.commit().unwrap();

    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 SAVEPOINT diesel_savepoint_1",
            "1 RELEASE SAVEPOINT diesel_savepoint_1",
            "1 SAVEPOINT diesel_savepoint_1",
            "1 ROLLBACK TO SAVEPOINT diesel_savepoint_1",
            "1 COMMIT"
        ]
    );
}

#[test]
fn the_end_of_a_transaction_is_the_end_of_its_savepoints() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    std::mem::forget(transaction.begin_nested().unwrap());
    std::mem::forget(transaction.begin_nested().unwrap());
    transaction.rollback().unwrap();

    assert!(!connection.in_transaction());
    let sent = script.heard();
    assert_eq!(sent.last().unwrap(), "1 ROLLBACK");
    assert!(!sent.iter().any(|sent| sent.contains("TO SAVEPOINT")));
}

#[test]
fn in_a_scope_whose_transaction_was_ended_nothing_runs() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    Connection::rollback(&mut transaction).unwrap();
    assert!(!transaction.is_open());
    script.heard();

    let refused = send(&mut transaction, "outside").unwrap_err().to_string();
    assert!(refused.starts_with("can't operate on a closed transaction inside its scope"));
    let refused = transaction.begin_nested().map(drop).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("can't operate on a closed transaction")
    );
    let refused = transaction.commit().unwrap_err();
    assert!(matches!(refused, Error::NotInTransaction), "{refused}");
    assert_eq!(script.heard(), [] as [&str; 0]);
    send(&mut connection, "after it").unwrap();
}

#[test]
fn a_savepoint_that_fails_leaves_the_transaction_to_be_rolled_back() {
    let (script, engine) = start();
    for statement in ["RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT"] {
        let statement = format!("{statement} diesel_savepoint_1");
        let mut connection = engine.connect().unwrap();
        let mut transaction = connection.begin().unwrap();
        let savepoint = transaction.begin_nested().unwrap();
        script.fails_once(&statement, "no");
        let failed = match statement.starts_with("RELEASE") {
            true => savepoint.commit(),
            false => savepoint.rollback(),
        };
        assert_eq!(failed.unwrap_err().to_string(), "no");
        transaction.rollback().unwrap();
        send(&mut connection, "after it").unwrap();
        assert!(!connection.invalidated());
    }
}

#[test]
fn work_in_a_transaction_is_committed_if_it_succeeds() {
    let (script, engine) = start();
    let done: QueryResult<_> = engine.begin(|connection| send(connection, "one"));
    assert_eq!(done, Ok(1));
    let failed: QueryResult<()> = engine.begin(|connection| {
        send(connection, "two")?;
        Err(Error::NotFound)
    });
    assert_eq!(failed, Err(Error::NotFound));
    let ended: QueryResult<()> = engine.begin(Connection::rollback);
    assert_eq!(ended, Ok(()));

    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 BEGIN",
            "1 one",
            "1 COMMIT",
            "1 BEGIN",
            "1 two",
            "1 ROLLBACK",
            "1 BEGIN",
            "1 ROLLBACK"
        ]
    );
}

#[test]
fn work_whose_begin_fails_returns_the_connection() {
    let (script, engine) = start();
    script.fails_once("BEGIN", "no");
    let failed: QueryResult<()> = engine.begin(|_| unreachable!("it has not begun"));
    assert_eq!(failed.unwrap_err().to_string(), "no");
    assert_eq!(engine.status().checked_out, 0);
    assert_eq!(engine.status().idle, 1);
}

#[test]
fn a_disconnect_in_a_transaction_is_pending_until_it_is_rolled_back() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    script.fails_once("one", SERVER_LOST);
    send(&mut transaction, "one").unwrap_err();

    assert!(transaction.is_open());
    assert!(!transaction.is_valid());
    for _ in 0..2 {
        let pending = send(&mut transaction, "two").unwrap_err().to_string();
        assert_eq!(pending, PENDING);
    }
    script.heard();
    transaction.rollback().unwrap();
    assert!(connection.invalidated());
    send(&mut connection, "three").unwrap();
    assert!(!connection.invalidated());
    assert_eq!(script.heard(), ["2 connect", "2 three"]);
}

#[test]
fn a_commit_after_a_disconnect_says_that_it_is_pending() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    AnsiTransactionManager::begin_transaction(&mut connection).unwrap();
    connection.invalidate();
    let refused = connection.commit().unwrap_err();
    assert_eq!(refused.to_string(), PENDING);
    connection.rollback().unwrap();
    script.heard();
    connection.commit().unwrap();
    assert_eq!(script.heard(), [] as [&str; 0]);
}

#[test]
fn a_savepoint_is_named_when_its_connection_was_lost() {
    let (_script, engine) = start();
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    let mut savepoint = transaction.begin_nested().unwrap();
    savepoint.invalidate();
    let pending = send(&mut savepoint, "one").unwrap_err().to_string();
    assert_eq!(
        pending,
        "can't reconnect until the invalid savepoint transaction is rolled back; \
         please rollback() fully before proceeding"
    );
    savepoint.rollback().unwrap();
    let pending = transaction.begin_nested().map(drop).unwrap_err();
    assert_eq!(pending.to_string(), PENDING);
    transaction.rollback().unwrap();
    send(&mut connection, "one").unwrap();
}

#[test]
fn a_disconnect_replaces_the_connections_at_rest_and_another_ones_loss_does_not() {
    for (message, replaced) in [(SERVER_LOST, true), (CONNECTION_LOST, false)] {
        let (script, engine) = start();
        let mut one = engine.connect().unwrap();
        drop(engine.connect().unwrap());
        script.heard();
        script.fails_once("one", message);
        send(&mut one, "one").unwrap_err();

        assert!(one.invalidated());
        assert_eq!(engine.status().idle, usize::from(!replaced));
        drop(one);
        send(&mut engine.connect().unwrap(), "two").unwrap();
        let heard = script.heard();
        let answered = if replaced { "3 two" } else { "2 two" };
        assert!(heard.iter().any(|heard| heard == answered), "{heard:?}");
    }
}

#[test]
fn an_error_of_a_rollback_costs_the_connection_only_if_it_is_a_disconnect() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    let transaction = connection.begin().unwrap();
    script.fails_once("ROLLBACK", SERVER_LOST);
    transaction.rollback().unwrap();
    assert!(
        connection.invalidated(),
        "what was done is undone, by the server"
    );

    let transaction = connection.begin().unwrap();
    script.fails_once("ROLLBACK", "no");
    assert_eq!(transaction.rollback().unwrap_err().to_string(), "no");
    assert!(!connection.invalidated());
}

#[test]
fn a_closed_connection_tells_what_its_rollback_said() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    AnsiTransactionManager::begin_transaction(&mut connection).unwrap();
    script.fails_once("ROLLBACK", "no");
    assert_eq!(connection.close().unwrap_err().to_string(), "no");
    assert_eq!(engine.status().checked_out, 0);
    engine.connect().unwrap().close().unwrap();
}

#[test]
fn a_detached_connection_is_used_on_and_its_place_is_free() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    connection.detach().unwrap();
    assert_eq!(engine.status().checked_out, 0);
    send(&mut connection, "one").unwrap();
    connection.detach().unwrap();
    drop(connection);
    send(&mut engine.connect().unwrap(), "two").unwrap();
    let heard = script.heard();
    assert!(
        heard.contains(&"1 one".into()) && heard.contains(&"2 two".into()),
        "{heard:?}"
    );
}

#[test]
fn what_is_invalidated_cannot_be_detached() {
    let (_script, engine) = start();
    let mut connection = engine.connect().unwrap();
    connection.invalidate();
    let refused = connection.detach().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "can't detach an invalidated Connection"
    );
}

#[test]
fn a_disconnect_while_nothing_can_be_opened_leaves_the_connection_invalidated() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    connection.invalidate();
    script.fails_once("connect", "no such database");
    let failed = send(&mut connection, "one").unwrap_err().to_string();
    assert!(failed.contains("no such database"), "{failed}");
    assert!(connection.invalidated());
    send(&mut connection, "one").unwrap();
}

#[test]
fn what_happens_is_told_before_it_is_done_in_this_order() {
    let (_script, engine) = start();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = |what: &'static str| {
        let told = Arc::clone(&told);
        move || told.lock().unwrap().push(what.to_owned())
    };
    let tell_name = |what: &'static str| {
        let told = Arc::clone(&told);
        move |name: &str| told.lock().unwrap().push(format!("{what} {name}"))
    };
    let statements = Arc::clone(&told);
    let answers = Arc::clone(&told);
    engine
        .events()
        .engine_connect(tell("engine_connect"))
        .begin(tell("begin"))
        .commit(tell("commit"))
        .rollback(tell("rollback"))
        .savepoint(tell_name("savepoint"))
        .rollback_savepoint(tell_name("rollback_savepoint"))
        .release_savepoint(tell_name("release_savepoint"))
        .engine_disposed(tell("engine_disposed"))
        .before_cursor_execute(move |statement| {
            statements
                .lock()
                .unwrap()
                .push(format!("before {statement}"));
        })
        .after_cursor_execute(move |statement, error| {
            let error = error.map_or("ok".to_owned(), ToString::to_string);
            answers
                .lock()
                .unwrap()
                .push(format!("after {statement}: {error}"));
        });

    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    transaction.begin_nested().unwrap().rollback().unwrap();
    transaction.begin_nested().unwrap().commit().unwrap();
    transaction.commit().unwrap();
    connection.begin().unwrap().rollback().unwrap();
    connection.transaction(|_| QueryResult::Ok(())).unwrap();
    engine.dispose();

    let told = told.lock().unwrap();
    let plain: Vec<_> = told
        .iter()
        .filter(|told| !told.starts_with("before ") && !told.starts_with("after "))
        .cloned()
        .collect();
    assert_eq!(
        plain,
        [
            "engine_connect",
            "begin",
            "savepoint diesel_savepoint_1",
            "rollback_savepoint diesel_savepoint_1",
            "savepoint diesel_savepoint_1",
            "release_savepoint diesel_savepoint_1",
            "commit",
            "begin",
            "rollback",
            "begin",
            "commit",
            "engine_disposed"
        ]
    );
    let first: Vec<_> = told.iter().take(4).collect();
    assert_eq!(
        first,
        ["engine_connect", "begin", "before BEGIN", "after BEGIN: ok"]
    );
}

/// The program does not know what became of the transaction, so the connection is given up.
#[test]
fn a_listener_that_panics_costs_the_connection_whatever_it_was_told_of() {
    for of in ["BEGIN", "SAVEPOINT", "COMMIT"] {
        let (script, engine) = start();
        let panics = || std::panic::resume_unwind(Box::new("the listener's own"));
        match of {
            "BEGIN" => drop(engine.events().begin(panics)),
            "SAVEPOINT" => drop(engine.events().savepoint(move |_| panics())),
            _ => drop(engine.events().commit(panics)),
        }
        let mut connection = engine.connect().unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut transaction = connection.begin()?;
            transaction.begin_nested()?.commit()?;
            transaction.commit()
        }));
        assert!(panicked.is_err(), "{of}");
        assert!(connection.invalidated(), "{of}");
        connection.rollback().unwrap();
        script.heard();
        send(&mut connection, "one").unwrap();
        assert_eq!(script.heard(), ["2 connect", "2 one"], "{of}");
    }
}

#[test]
fn a_transaction_that_is_lost_is_rolled_back_without_a_word_and_nobody_is_told() {
    let (script, engine) = start();
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    engine
        .events()
        .rollback(move || *count.lock().unwrap() += 1);
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    transaction.invalidate();
    script.heard();
    transaction.rollback().unwrap();
    assert_eq!(*told.lock().unwrap(), 0);
    assert!(
        !script
            .heard()
            .iter()
            .any(|heard| heard.contains("ROLLBACK"))
    );
}

#[test]
fn credentials_may_change_for_each_connection() {
    let script = Script::default();
    let (first, second) = (script.url(), Script::default());
    let url = second.url();
    let engine = script.engine(EngineOptions::builder());
    engine.events().do_connect(move |asked| {
        assert_eq!(asked.to_string(), first, "each time as it was given");
        *asked = url.parse().unwrap();
        Ok(None)
    });
    drop((engine.connect().unwrap(), engine.connect().unwrap()));
    assert_eq!(script.heard(), [] as [&str; 0]);
    assert_eq!(second.heard(), ["1 connect", "2 connect"]);
}

#[test]
fn a_hook_may_open_the_connection_itself() {
    let (script, engine) = start();
    let other = Script::default();
    other.url();
    let name = other.url().trim_start_matches("sqlite:///").to_owned();
    engine
        .events()
        .do_connect(move |_| Ok(Some(Scripted::establish(&name)?)));
    send(&mut engine.connect().unwrap(), "one").unwrap();
    assert_eq!(script.heard(), [] as [&str; 0]);
    assert_eq!(other.heard(), ["1 connect", "1 one"]);
}

#[test]
fn a_hook_that_opens_nothing_says_why() {
    let (_script, engine) = start();
    engine.events().do_connect(|asked| {
        *asked = asked.clone().with_port(5432)?;
        Ok(None)
    });
    let failed = engine.connect().unwrap_err().to_string();
    assert!(failed.contains("sqlite"), "{failed}");
    assert_eq!(engine.status().idle + engine.status().checked_out, 0);
}

#[test]
fn a_raw_connection_is_diesels_own() {
    let (script, engine) = start();
    let mut raw = engine.raw_connection().unwrap();
    sql_query("one").execute(&mut *raw).unwrap();
    drop(raw);
    assert_eq!(script.heard(), ["1 connect", "1 one"]);
}

#[test]
fn a_database_without_two_phase_transactions_says_so() {
    let (script, engine) = start();
    let mut connection = engine.connect().unwrap();
    let said = "sqlite has no two-phase transactions; use begin()";
    let refused = connection.begin_twophase(None).map(drop).unwrap_err();
    assert_eq!(refused.to_string(), said);
    assert_eq!(connection.recover_twophase().unwrap_err().to_string(), said);
    assert_eq!(script.heard(), ["1 connect"]);
}

#[test]
fn each_rollback_is_told_once_and_none_without_a_transaction() {
    let (_script, engine) = start();
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    engine
        .events()
        .rollback(move || *count.lock().unwrap() += 1);
    let rollbacks = || std::mem::take(&mut *told.lock().unwrap());

    drop(engine.connect().unwrap());
    engine.connect().unwrap().rollback().unwrap();
    assert_eq!(rollbacks(), 0);
    let mut connection = engine.connect().unwrap();
    connection.begin().unwrap().rollback().unwrap();
    drop(connection);
    assert_eq!(rollbacks(), 1);
    let failed: QueryResult<()> = engine.begin(|_| Err(Error::NotFound));
    assert_eq!(failed, Err(Error::NotFound));
    assert_eq!(rollbacks(), 1);
    let ended: QueryResult<()> = engine.begin(|connection| {
        connection.rollback()?;
        Err(Error::NotFound)
    });
    assert_eq!(ended, Err(Error::NotFound));
    assert_eq!(rollbacks(), 1);
}

#[test]
fn what_was_undone_to_a_savepoint_is_not_committed_with_the_rest() {
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    let mut connection = engine.connect().unwrap();
    sql_query("CREATE TABLE t (x)")
        .execute(&mut connection)
        .unwrap();
    let insert = |connection: &mut Connection<SqliteConnection>| {
        sql_query("INSERT INTO t VALUES (1)")
            .execute(connection)
            .unwrap();
    };
    let mut transaction = connection.begin().unwrap();
    insert(&mut transaction);
    let mut released = transaction.begin_nested().unwrap();
    insert(&mut released);
    let mut undone = released.begin_nested().unwrap();
    insert(&mut undone);
    undone.rollback().unwrap();
    insert(&mut released);
    released.commit().unwrap();
    transaction.commit().unwrap();
    assert_eq!(sql_query("DELETE FROM t").execute(&mut connection), Ok(3));
}

#[test]
fn with_a_null_pool_a_disconnect_is_the_same() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().poolclass(PoolClass::NullPool));
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    script.fails_once("one", SERVER_LOST);
    send(&mut transaction, "one").unwrap_err();
    assert_eq!(
        send(&mut transaction, "two").unwrap_err().to_string(),
        PENDING
    );
    transaction.rollback().unwrap();
    send(&mut connection, "two").unwrap();
    assert_eq!(script.heard().last().unwrap(), "2 two");
}

#[test]
fn a_session_is_told_of_as_any_connection_and_once() {
    let (_script, engine) = start();
    let told = Arc::new(Mutex::new(0));
    let count = Arc::clone(&told);
    engine
        .events()
        .engine_connect(move || *count.lock().unwrap() += 1);
    let mut session = Session::begin(&engine).unwrap();
    assert_eq!(*told.lock().unwrap(), 0);
    for _ in 0..2 {
        sql_query("one").execute(&mut session).unwrap();
        session.commit().unwrap();
    }
    assert_eq!(*told.lock().unwrap(), 1);
    let mut connection = engine.connect().unwrap();
    connection.invalidate();
    send(&mut connection, "one").unwrap();
    assert_eq!(*told.lock().unwrap(), 2);
}

#[test]
fn an_instrumentation_is_told_of_every_connection_that_its_owner_has() {
    let (script, engine) = start();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let mut session = Session::begin(&engine).unwrap();
    session.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            tell.lock().unwrap().push(query.to_string());
        }
    });
    sql_query("one").execute(&mut session).unwrap();
    session.commit().unwrap();
    send(&mut engine.connect().unwrap(), "another's").unwrap();
    script.fails_once("two", SERVER_LOST);
    sql_query("two").execute(&mut session).unwrap_err();
    session.rollback().unwrap();
    sql_query("three").execute(&mut session).unwrap();
    session.commit().unwrap();
    let told = told.lock().unwrap();
    assert_eq!(
        *told,
        [
            "BEGIN", "one", "COMMIT", "BEGIN", "two", "BEGIN", "three", "COMMIT"
        ]
    );
}
