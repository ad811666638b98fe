//! Isolation levels, handlers of errors, listeners of option engines: what options make of an engine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

mod scripted;

use std::{
    io,
    sync::{Arc, Mutex},
};

use diesel::{
    Connection as _, PgConnection, QueryResult, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection, result::Error, sql_query,
};
use everpool_diesel::{
    CheckoutError, Connection, DriverError, Engine, EngineError, EngineOptions, ExecutionOptions,
    PoolOptions, Session, create_engine, create_pool_from_url, isolation::IsolationLevel,
};
use everpool_tests::PostgreSql;

use scripted::{SERVER_LOST, Script, Scripted};

fn send(connection: &mut Connection<Scripted>, statement: &str) -> QueryResult<usize> {
    sql_query(statement).execute(connection)
}

fn options<const N: usize>(options: [(&str, &str); N]) -> ExecutionOptions {
    options.into_iter().collect()
}

fn uncommitted() -> ExecutionOptions {
    options([("isolation_level", "read_uncommitted")])
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_engines_level_is_set_once_on_each_connection_and_stays() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().isolation_level("READ UNCOMMITTED"));
    for _ in 0..3 {
        send(&mut engine.connect().unwrap(), "one").unwrap();
    }
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 PRAGMA read_uncommitted = 1",
            "1 one",
            "1 one",
            "1 one"
        ]
    );
}

#[test]
fn a_connections_level_is_taken_back_when_it_returns() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let mut connection = engine.connect().unwrap();
    connection.execution_options(&uncommitted()).unwrap();
    send(&mut connection, "one").unwrap();
    drop(connection);
    send(&mut engine.connect().unwrap(), "two").unwrap();
    let mut connection = engine.connect().unwrap();
    connection.execution_options(&uncommitted()).unwrap();
    drop(connection);

    // What it was before is asked once in the engine's life.
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 level?",
            "1 PRAGMA read_uncommitted = 1",
            "1 one",
            "1 PRAGMA read_uncommitted = 0",
            "1 two",
            "1 PRAGMA read_uncommitted = 1",
            "1 PRAGMA read_uncommitted = 0",
        ]
    );
}

#[test]
fn a_connections_level_is_taken_back_to_the_engines() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().isolation_level("READ UNCOMMITTED"));
    let mut connection = engine.connect().unwrap();
    let serializable = options([("isolation_level", "SERIALIZABLE")]);
    connection.execution_options(&serializable).unwrap();
    drop(connection);
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 PRAGMA read_uncommitted = 1",
            "1 PRAGMA read_uncommitted = 0",
            "1 PRAGMA read_uncommitted = 1",
        ]
    );
}

#[test]
fn a_level_is_lost_with_its_connection() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let mut connection = engine.connect().unwrap();
    connection.execution_options(&uncommitted()).unwrap();
    connection.invalidate();
    script.heard();
    send(&mut connection, "one").unwrap();
    drop(connection);
    assert_eq!(script.heard(), ["2 connect", "2 one"]);
}

#[test]
fn a_level_cannot_change_in_a_transaction() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    script.heard();
    let refused = transaction.execution_options(&uncommitted()).unwrap_err();
    let said = "may not be altered unless rollback() or commit() is called first";
    assert!(refused.to_string().contains(said), "{refused}");
    assert_eq!(script.heard(), NOTHING);
    transaction.rollback().unwrap();
    connection.execution_options(&uncommitted()).unwrap();
}

#[test]
fn a_level_that_the_database_does_not_have_is_refused_with_those_that_it_has() {
    let script = Script::default();
    let url = script.url();
    let valid = "invalid value `REPEATABLE READ` for isolation_level; valid isolation levels for \
         sqlite are READ UNCOMMITTED, SERIALIZABLE, AUTOCOMMIT";
    let wrong = [("isolation_level", "repeatable_read")];

    let permanent = EngineOptions::builder().isolation_level("repeatable_read");
    let each_time = EngineOptions::builder().execution_options(wrong);
    for options in [permanent, each_time] {
        let refused = create_engine::<Scripted>(&url, options.build().unwrap()).unwrap_err();
        assert!(
            matches!(refused, EngineError::Characteristics(_)),
            "{refused}"
        );
        assert_eq!(refused.to_string(), valid);
    }
    let engine = script.engine(EngineOptions::builder());
    let refused = engine.execution_options(&options(wrong)).unwrap_err();
    assert_eq!(refused.to_string(), valid);
    let refused = engine.connect().unwrap().execution_options(&options(wrong));
    assert_eq!(refused.unwrap_err().to_string(), valid);
    let refused = engine.execution_options(&options([("postgresql_readonly", "true")]));
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("postgresql_readonly is an option for postgresql")
    );
}

#[test]
fn an_option_engine_has_the_same_pool_and_its_own_level() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().pool_size(1).max_overflow(0));
    let option = engine.execution_options(&uncommitted()).unwrap();
    send(&mut option.connect().unwrap(), "one").unwrap();
    send(&mut engine.connect().unwrap(), "two").unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 level?",
            "1 PRAGMA read_uncommitted = 1",
            "1 one",
            "1 PRAGMA read_uncommitted = 0",
            "1 two",
        ]
    );
    option.dispose();
    send(&mut engine.connect().unwrap(), "three").unwrap();
    assert_eq!(script.heard(), ["2 connect", "2 three"]);
}

#[test]
fn a_checkout_whose_level_cannot_be_set_gives_no_connection() {
    let script = Script::default();
    let engine = script.engine(
        EngineOptions::builder().execution_options([("isolation_level", "READ UNCOMMITTED")]),
    );
    script.fails_once("PRAGMA read_uncommitted = 1", "no");
    let failed = engine.connect().unwrap_err();
    assert!(matches!(failed, CheckoutError::Hook(_)), "{failed}");
    assert_eq!(engine.status().checked_out, 0);
    send(&mut engine.connect().unwrap(), "one").unwrap();
}

/// As with BEGIN: nothing was done yet.
#[test]
fn a_session_does_not_hear_of_a_connection_that_died_before_its_level_was_set() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let option = engine.execution_options(&uncommitted()).unwrap();
    drop(option.connect().unwrap());
    script.heard();
    script.fails_once("PRAGMA read_uncommitted = 1", SERVER_LOST);
    let mut session = Session::begin(&option).unwrap();
    sql_query("one").execute(&mut session).unwrap();
    session.commit().unwrap();
    assert_eq!(
        script.heard(),
        [
            "1 PRAGMA read_uncommitted = 1",
            "2 connect",
            "2 PRAGMA read_uncommitted = 1",
            "2 BEGIN",
            "2 one",
            "2 COMMIT",
            "2 PRAGMA read_uncommitted = 0",
        ]
    );
}

#[test]
fn in_autocommit_no_transaction_is_sent_and_all_have_their_states() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().isolation_level("AUTOCOMMIT"));
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    assert!(transaction.begin().is_err(), "one is open");
    let mut savepoint = transaction.begin_nested().unwrap();
    send(&mut savepoint, "one").unwrap();
    savepoint.rollback().unwrap();
    transaction.commit().unwrap();
    assert!(!connection.in_transaction());
    drop(connection);
    let mut session = Session::begin(&engine).unwrap();
    sql_query("two").execute(&mut session).unwrap();
    session.rollback().unwrap();
    assert_eq!(script.heard(), ["1 connect", "1 one", "1 two"]);
}

#[test]
fn in_autocommit_several_statements_in_one_text_are_sent_whatever_the_first_one_is() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().isolation_level("AUTOCOMMIT"));
    let mut connection = engine.connect().unwrap();
    let migration = "BEGIN TRANSACTION; CREATE TABLE t (x); COMMIT";
    connection.batch_execute(migration).unwrap();
    assert_eq!(
        script.heard(),
        ["1 connect".to_owned(), format!("1 {migration}")]
    );
}

#[test]
fn in_autocommit_a_transaction_takes_another_connection_after_a_loss() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().isolation_level("AUTOCOMMIT"));
    let mut connection = engine.connect().unwrap();
    script.fails_once("one", SERVER_LOST);
    send(&mut connection, "one").unwrap_err();
    connection
        .transaction(|connection| send(connection, "two"))
        .unwrap();
    assert_eq!(script.heard(), ["1 connect", "1 one", "2 connect", "2 two"]);
}

/// The option is lost with its connection, and BEGIN is sent again.
#[test]
fn a_transaction_after_the_loss_of_autocommit_is_one() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let mut connection = engine.connect().unwrap();
    let autocommit = options([("isolation_level", "AUTOCOMMIT")]);
    connection.execution_options(&autocommit).unwrap();
    connection.invalidate();
    script.heard();
    connection
        .transaction(|connection| send(connection, "one"))
        .unwrap();
    assert_eq!(
        script.heard(),
        ["2 connect", "2 BEGIN", "2 one", "2 COMMIT"]
    );
}

#[test]
fn in_autocommit_a_commit_after_a_loss_says_that_it_is_pending() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().isolation_level("AUTOCOMMIT"));
    let mut connection = engine.connect().unwrap();
    let mut transaction = connection.begin().unwrap();
    script.fails_once("one", SERVER_LOST);
    send(&mut transaction, "one").unwrap_err();
    let pending = transaction.commit().unwrap_err().to_string();
    assert!(pending.starts_with("can't reconnect"), "{pending}");
    send(&mut connection, "two").unwrap();
}

#[test]
fn a_connections_level_is_taken_back_to_the_databases_where_the_engine_has_autocommit() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder().isolation_level("AUTOCOMMIT"));
    let mut connection = engine.connect().unwrap();
    connection.execution_options(&uncommitted()).unwrap();
    let level = connection.default_isolation_level().unwrap();
    assert_eq!(level, IsolationLevel::Autocommit);
    drop(connection);
    assert_eq!(
        script.heard(),
        [
            "1 connect",
            "1 level?",
            "1 PRAGMA read_uncommitted = 1",
            "1 PRAGMA read_uncommitted = 0",
        ]
    );
}

#[test]
fn what_autocommit_wrote_no_rollback_undoes() {
    let options = EngineOptions::builder().execution_options([("isolation_level", "AUTOCOMMIT")]);
    let engine = create_engine::<SqliteConnection>("sqlite://", options.build().unwrap()).unwrap();
    let mut connection = engine.connect().unwrap();
    connection.batch_execute("CREATE TABLE t (x)").unwrap();
    let mut transaction = connection.begin().unwrap();
    transaction
        .batch_execute("INSERT INTO t VALUES (1)")
        .unwrap();
    transaction.rollback().unwrap();
    assert_eq!(sql_query("DELETE FROM t").execute(&mut connection), Ok(1));
}

#[test]
fn postgresql_has_the_level_that_was_asked_for_and_its_own_again() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let one = EngineOptions::builder().pool_size(1).max_overflow(0);
    let engine: Engine<PgConnection> = create_engine(server.url(), one.build().unwrap()).unwrap();
    let mut connection = engine.connect().unwrap();
    assert_eq!(
        connection.isolation_level(),
        Ok(IsolationLevel::ReadCommitted)
    );
    let asked = options([
        ("isolation_level", "SERIALIZABLE"),
        ("postgresql_readonly", "true"),
    ]);
    connection.execution_options(&asked).unwrap();
    assert_eq!(
        connection.isolation_level(),
        Ok(IsolationLevel::Serializable)
    );
    assert_eq!(
        connection.default_isolation_level(),
        Ok(IsolationLevel::ReadCommitted)
    );
    let refused = connection
        .batch_execute("CREATE TABLE t (x int)")
        .unwrap_err();
    assert!(
        refused.to_string().contains("read-only transaction"),
        "{refused}"
    );
    drop(connection);

    let mut connection = engine.connect().unwrap();
    assert_eq!(
        connection.isolation_level(),
        Ok(IsolationLevel::ReadCommitted)
    );
    connection.batch_execute("CREATE TABLE t (x int)").unwrap();
}

#[test]
fn a_server_that_takes_no_writes_is_lost_if_the_options_say_so() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let became_read_only = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY";
    for is_disconnect in [true, false] {
        let options = EngineOptions::builder().read_only_is_disconnect(is_disconnect);
        let engine: Engine<PgConnection> =
            create_engine(server.url(), options.build().unwrap()).unwrap();
        let mut connection = engine.connect().unwrap();
        connection.batch_execute(became_read_only).unwrap();
        connection
            .batch_execute("CREATE TABLE t (x int)")
            .unwrap_err();
        assert_eq!(connection.invalidated(), is_disconnect);
    }
}

#[test]
fn a_handler_may_call_an_error_a_disconnect_and_a_disconnect_none() {
    for (message, is_disconnect) in [("a strange word", true), (SERVER_LOST, false)] {
        let script = Script::default();
        let engine = script.engine(EngineOptions::builder());
        engine.events().handle_error(move |context| {
            assert_eq!(context.statement(), Some("one"));
            assert!(!context.is_pre_ping());
            context.set_disconnect(is_disconnect);
            Ok(None)
        });
        drop((engine.connect().unwrap(), engine.connect().unwrap()));
        let mut connection = engine.connect().unwrap();
        script.fails_once("one", message);
        send(&mut connection, "one").unwrap_err();
        assert_eq!(connection.invalidated(), is_disconnect);
        // The other one was opened before.
        assert_eq!(engine.status().idle, usize::from(!is_disconnect));
    }
}

#[test]
fn a_handler_may_spare_the_other_connections() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    engine.events().handle_error(|context| {
        context.set_invalidate_pool_on_disconnect(false);
        Ok(None)
    });
    drop((engine.connect().unwrap(), engine.connect().unwrap()));
    let mut connection = engine.connect().unwrap();
    script.fails_once("one", SERVER_LOST);
    send(&mut connection, "one").unwrap_err();
    assert!(connection.invalidated());
    assert_eq!(engine.status().idle, 1);
}

#[test]
fn a_handler_may_have_another_error_told() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    engine
        .events()
        .handle_error(|_| Ok(Some(Box::new(Error::NotFound))))
        .handle_error(|context| {
            let before = context.chained().unwrap().to_string();
            match context.statement() {
                Some("two") => Err(io::Error::other(format!("instead of {before}")).into()),
                _ => Ok(None),
            }
        })
        .handle_error(|context| {
            assert_ne!(
                context.statement(),
                Some("two"),
                "who raises stops the chain"
            );
            Ok(None)
        });
    let mut connection = engine.connect().unwrap();
    script.fails_once("one", "no");
    assert_eq!(send(&mut connection, "one"), Err(Error::NotFound));
    script.fails_once("two", SERVER_LOST);
    let told = send(&mut connection, "two").unwrap_err();
    assert!(told.to_string().starts_with("instead of "), "{told}");
    assert!(
        connection.invalidated(),
        "what it is told as is another thing"
    );
}

#[test]
fn a_handler_is_asked_about_pings() {
    for is_disconnect in [true, false] {
        let script = Script::default();
        let engine = script.engine(EngineOptions::builder().pool_pre_ping(true));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sees = Arc::clone(&seen);
        engine.events().handle_error(move |context| {
            let is_diesels = context.original().query_error().is_some();
            sees.lock()
                .unwrap()
                .push((context.is_pre_ping(), is_diesels));
            context.set_disconnect(is_disconnect);
            Ok(None)
        });
        drop(engine.connect().unwrap());
        script.fails_once("SELECT 1", "a strange word");
        match (engine.connect(), is_disconnect) {
            (Ok(mut connection), true) => {
                send(&mut connection, "one").unwrap();
                assert!(script.heard().contains(&"2 one".to_owned()));
            }
            (Err(CheckoutError::Ping(failure)), false) => {
                assert_eq!(failure.to_string(), "a strange word");
            }
            (answer, _) => panic!("not {answer:?}"),
        }
        assert_eq!(*seen.lock().unwrap(), [(true, true)]);
    }
}

#[test]
fn a_handler_is_asked_about_connects() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    engine.events().handle_error(|context| {
        assert!(context.is_connect());
        assert!(!context.is_disconnect(), "trying again would not help");
        assert!(matches!(context.original(), DriverError::Connect(_)));
        Ok(Some(Box::new(io::Error::other("ask the operator"))))
    });
    script.fails_once("connect", "no such database");
    let failed = engine.connect().unwrap_err();
    assert!(failed.to_string().contains("ask the operator"), "{failed}");
}

#[test]
fn a_listener_of_an_option_engine_is_told_before_those_of_its_engine() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let option = engine
        .execution_options(&ExecutionOptions::default())
        .unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = |who: &'static str| {
        let told = Arc::clone(&told);
        move |_: &dyn std::fmt::Display| told.lock().unwrap().push(who)
    };
    option.events().before_cursor_execute(tell("option"));
    // Added later, and heard all the same.
    engine.events().before_cursor_execute(tell("engine"));
    send(&mut option.connect().unwrap(), "one").unwrap();
    assert_eq!(
        std::mem::take(&mut *told.lock().unwrap()),
        ["option", "engine"]
    );
    send(&mut engine.connect().unwrap(), "one").unwrap();
    assert_eq!(*told.lock().unwrap(), ["engine"]);
}

#[test]
fn a_listener_that_comes_later_hears_of_connections_that_are_out() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let mut connection = engine.connect().unwrap();
    send(&mut connection, "one").unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    engine.events().before_cursor_execute(move |statement| {
        tell.lock().unwrap().push(statement.to_string());
    });
    send(&mut connection, "two").unwrap();
    let told = told.lock().unwrap();
    assert!(told.len() == 1 && told[0].starts_with("two"), "{told:?}");
}

#[test]
fn a_handler_is_asked_about_whatever_fails() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    engine.events().handle_error(|context| {
        let instead = format!("told of {:?}", context.statement().unwrap());
        Ok(Some(io::Error::other(instead).into()))
    });
    let mut connection = engine.connect().unwrap();
    script.fails_once("level?", "no");
    let told = connection.isolation_level().unwrap_err().to_string();
    assert_eq!(told, "told of \"PRAGMA read_uncommitted\"");

    // What never reached the database is told too.
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    engine.events().handle_error(|context| {
        assert!(!context.is_disconnect());
        Ok(Some(Box::new(Error::NotFound)))
    });
    let failed = engine.connect().unwrap().batch_execute("\0");
    assert_eq!(failed, Err(Error::NotFound));
}

#[test]
fn a_handler_of_an_option_engine_is_asked_about_statements_on_every_connection_of_the_pool() {
    let script = Script::default();
    let engine = script.engine(EngineOptions::builder());
    let option = engine.execution_options(&uncommitted()).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let ask = Arc::clone(&asked);
    option.events().handle_error(move |context| {
        let statement = context.statement().map(str::to_owned);
        ask.lock().unwrap().push(statement.unwrap());
        Ok(None)
    });
    script.fails_once("one", "no");
    script.fails_once("two", "no");
    let mut connection = engine.connect().unwrap();
    send(&mut connection, "one").unwrap_err();
    let raw = connection.driver_connection().unwrap();
    raw.batch_execute("two").unwrap_err();
    assert_eq!(*asked.lock().unwrap(), ["one"]);
}

#[test]
fn options_of_an_option_engine_come_on_top() {
    let script = Script::default();
    let engine =
        script.engine(EngineOptions::builder().execution_options([("a", "1"), ("b", "1")]));
    let option = engine.execution_options(&options([("b", "2")])).unwrap();
    let all = |engine: &Engine<Scripted>| {
        let pairs = engine.options().iter();
        pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(&engine), ["a=1", "b=1"]);
    assert_eq!(all(&option), ["a=1", "b=2"]);
    let of_the_option = option.execution_options(&options([("a", "3")])).unwrap();
    assert_eq!(all(&of_the_option), ["a=3", "b=2"]);
}

#[test]
fn a_pool_can_be_had_without_an_engine() {
    let script = Script::default();
    let options: PoolOptions =
        serde_json::from_str(r#"{"pool_size": 1, "pre_ping": true}"#).unwrap();
    let pool = create_pool_from_url::<Scripted>(script.url(), options).unwrap();
    for _ in 0..2 {
        sql_query("one")
            .execute(&mut *pool.checkout().unwrap())
            .unwrap();
    }
    assert_eq!(
        script.heard(),
        ["1 connect", "1 one", "1 SELECT 1", "1 one"]
    );
}

#[test]
fn who_has_a_connection_is_told_by_the_place_where_it_was_asked_for() {
    let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default()).unwrap();
    let connection = engine.connect().unwrap();
    let place = engine.pool().holders()[0].place;
    assert_eq!((place.file(), place.line()), (file!(), line!() - 2));
    drop(connection);

    let mut session = Session::begin(&engine).unwrap();
    sql_query("SELECT 1").execute(&mut session).unwrap();
    let place = engine.pool().holders()[0].place;
    assert_eq!((place.file(), place.line()), (file!(), line!() - 3));
}
