//! What needs PostgreSQL's own connection type: COPY, notifications, transactions with options, and
//! the look at the socket that spares a ping.
#![expect(missing_docs, reason = "`table!` makes public items")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
};

use diesel::{
    PgConnection,
    connection::{LoadConnection, SimpleConnection},
    dsl::sql,
    pg::{CopyFormat, Pg},
    prelude::*,
    result::{DatabaseErrorKind, Error},
    sql_query,
    sql_types::{Array, BigInt, Text},
};
use everpool_diesel::{Driver, Engine, EngineOptions, Session, TransactionStatus, create_engine};
use everpool_tests::PostgreSql;

diesel::table! {
    numbers (i) {
        i -> Integer,
    }
}

#[derive(Insertable)]
#[diesel(table_name = numbers, treat_none_as_default_value = false)]
struct Number {
    i: i32,
}

fn start() -> PostgreSql {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server
        .psql("CREATE TABLE numbers (i int PRIMARY KEY)")
        .unwrap();
    server
}

/// An engine with one connection, so that the next user gets the last one's.
fn engine(server: &PostgreSql) -> Engine<PgConnection> {
    let one = EngineOptions::builder().pool_size(1).max_overflow(0);
    create_engine(server.url(), one.build().unwrap()).unwrap()
}

fn count<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> QueryResult<i64> {
    numbers::table.count().get_result(connection)
}

fn backend<C: LoadConnection<Backend = Pg>>(connection: &mut C) -> i64 {
    let pid = sql::<BigInt>("pg_backend_pid()::bigint");
    diesel::select(pid).get_result(connection).unwrap()
}

fn end(server: &PostgreSql, pid: i64) {
    let end = format!("SELECT pg_terminate_backend({pid}, 10000)");
    assert_eq!(server.psql(&end).unwrap().trim(), "t");
}

fn numbers(n: i32) -> Vec<Number> {
    (0..n).map(|i| Number { i }).collect()
}

#[test]
fn a_transaction_with_options_is_seen_by_the_engine() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let refused = connection
        .build_transaction()
        .serializable()
        .read_only()
        .deferrable()
        .run(|c| {
            assert!(c.in_transaction());
            diesel::insert_into(numbers::table)
                .values(Number { i: 1 })
                .execute(c)
        });
    let Err(Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _)) = refused else {
        panic!("{refused:?}");
    };
    assert!(!connection.in_transaction());

    let pid = backend(&mut connection);
    let lost = connection.build_transaction().repeatable_read().run(|c| {
        end(&server, pid);
        count(c)
    });
    lost.unwrap_err();
    assert_eq!(connection.build_transaction().run(count), Ok(0));
}

#[test]
fn copy_from_runs_on_a_connection_and_in_a_session() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let copied = diesel::copy_from(numbers::table)
        .from_insertable(numbers(3))
        .execute(&mut connection);
    assert_eq!(copied, Ok(3));
    assert_eq!(count(&mut connection), Ok(3));
    let twice = diesel::copy_from(numbers::table)
        .from_insertable(numbers(1))
        .execute(&mut connection);
    let Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) = twice else {
        panic!("{twice:?}");
    };
    assert!(!connection.invalidated());
    drop(connection);

    let mut session = Session::begin(&engine).unwrap();
    diesel::delete(numbers::table)
        .execute(&mut session)
        .unwrap();
    let copied = diesel::copy_from(numbers::table)
        .from_insertable(numbers(2))
        .execute(&mut session);
    assert_eq!(copied, Ok(2));
    session.rollback().unwrap();
    assert_eq!(count(&mut session), Ok(3));
}

#[test]
fn a_disconnect_in_copy_from_is_noticed_at_once() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let pid = backend(&mut connection);
    end(&server, pid);
    diesel::copy_from(numbers::table)
        .from_insertable(numbers(3))
        .execute(&mut connection)
        .unwrap_err();
    assert!(connection.invalidated());
    assert_eq!(count(&mut connection), Ok(0));
}

#[test]
fn a_panic_while_copying_leaves_nothing_to_the_next_user() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        diesel::copy_from(numbers::table)
            .from_raw_data(numbers::table, |data| -> QueryResult<()> {
                std::io::Write::write_all(data, b"1\n2\n").unwrap();
                std::panic::resume_unwind(Box::new("the program's own"));
            })
            .with_format(CopyFormat::Text)
            .execute(&mut connection)
    }));
    assert!(panicked.is_err());
    drop(connection);
    let mut next = engine.connect().unwrap();
    assert_eq!(count(&mut next), Ok(0));
    assert_eq!(next.transaction_status(), TransactionStatus::Idle);
}

#[test]
fn a_copy_to_that_is_read_by_half_leaves_nothing_to_the_next_user() {
    let server = start();
    server
        .psql("INSERT INTO numbers SELECT generate_series(1, 100000)")
        .unwrap();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    {
        // Diesel has COPY TO for the driver's own connection only.
        let raw: &mut PgConnection = &mut connection;
        let mut rows = diesel::copy_to(numbers::table)
            .with_format(CopyFormat::Text)
            .load_raw(raw)
            .unwrap();
        let mut beginning = [0; 4];
        rows.read_exact(&mut beginning).unwrap();
        assert_eq!(&beginning, b"1\n2\n");
    }
    drop(connection);
    let mut next = engine.connect().unwrap();
    assert_eq!(count(&mut next), Ok(100_000));
    assert_eq!(next.transaction_status(), TransactionStatus::Idle);
}

fn payloads(connection: &mut everpool_diesel::Connection<PgConnection>) -> Vec<String> {
    let all = connection.notifications_iter();
    all.map(|notification| notification.unwrap().payload)
        .collect()
}

#[test]
fn a_look_at_the_socket_finds_what_the_server_has_closed() {
    let mut server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    assert_eq!(connection.is_alive(), Some(true));
    let pid = backend(&mut connection);
    end(&server, pid);
    assert_eq!(connection.is_alive(), Some(false));
    // And the engine sees it too, before anything was sent.
    assert_eq!(count(&mut connection), Ok(0));

    assert_eq!(connection.is_alive(), Some(true));
    server.restart().unwrap();
    assert_eq!(connection.is_alive(), Some(false));
    assert_eq!(count(&mut connection), Ok(0));
    server.kill().unwrap();
    assert_eq!(connection.is_alive(), Some(false));
}

#[test]
fn a_look_at_the_socket_in_a_transaction_changes_nothing() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let looked = connection.transaction(|c| {
        diesel::insert_into(numbers::table)
            .values(Number { i: 1 })
            .execute(c)?;
        QueryResult::Ok(c.is_alive())
    });
    assert_eq!(looked, Ok(Some(true)));
    assert_eq!(count(&mut connection), Ok(1));
}

#[test]
fn a_look_at_the_socket_loses_no_notification() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    sql_query("LISTEN news").execute(&mut connection).unwrap();
    // What a session notifies itself of has arrived when the statement is answered.
    for payload in ["first", "second"] {
        let notify = format!("NOTIFY news, '{payload}'");
        sql_query(notify).execute(&mut connection).unwrap();
        assert_eq!(connection.is_alive(), Some(true));
    }
    sql_query("NOTIFY news, 'third'")
        .execute(&mut connection)
        .unwrap();
    assert_eq!(payloads(&mut connection), ["first", "second", "third"]);
    assert_eq!(payloads(&mut connection), [""; 0]);
}

/// As in SQLAlchemy, whose reset on return is a ROLLBACK too: without a transaction nothing is sent.
#[test]
fn what_a_rollback_does_not_undo_stays_on_the_connection() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let pid = backend(&mut connection);
    connection
        .batch_execute(
            "SET application_name = 'left'; LISTEN news; CREATE TEMPORARY TABLE x (i int); \
             SELECT pg_advisory_lock(7); PREPARE p AS SELECT 1; DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        )
        .unwrap();
    assert_eq!(connection.transaction_status(), TransactionStatus::Idle);
    drop(connection);

    let mut next = engine.connect().unwrap();
    assert_eq!(backend(&mut next), pid);
    let text = |of: &str| sql::<Text>(&format!("CAST({of} AS text)"));
    let mut ask = |of: &str| {
        diesel::select(text(of))
            .get_result::<String>(&mut next)
            .unwrap()
    };
    assert_eq!(ask("current_setting('application_name')"), "left");
    assert_eq!(ask("(SELECT count(*) FROM pg_listening_channels())"), "1");
    assert_eq!(ask("(SELECT count(*) FROM x)"), "0");
    assert_eq!(
        ask("(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"),
        "1"
    );
    assert_eq!(
        ask("(SELECT count(*) FROM pg_prepared_statements WHERE name = 'p')"),
        "1"
    );
    assert_eq!(
        ask("(SELECT count(*) FROM pg_cursors WHERE name = 'c')"),
        "1"
    );
}

#[test]
fn a_transaction_is_undone_on_return_in_whatever_words_it_was_begun() {
    let server = start();
    let engine = engine(&server);
    let words = [
        "BEGIN",
        "begin work;",
        "START TRANSACTION",
        "/* BEGIN; COMMIT */ BEGIN",
        "-- COMMIT\nBEGIN",
        "SELECT 1; BEGIN",
        "BEGIN; COMMIT AND CHAIN",
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "BEGIN; SAVEPOINT s; SELECT * FROM nowhere",
        "BEGIN; SELECT pg_advisory_xact_lock(7)",
    ];
    for begin in words {
        let mut connection = engine.connect().unwrap();
        let _may_fail = connection.batch_execute(begin);
        assert_ne!(
            connection.transaction_status(),
            TransactionStatus::Idle,
            "{begin}"
        );
        drop(connection);
        let mut next = engine.connect().unwrap();
        assert_eq!(
            next.transaction_status(),
            TransactionStatus::Idle,
            "after {begin}"
        );
        let open = "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')";
        let locks = diesel::select(sql::<BigInt>(open)).get_result::<i64>(&mut next);
        assert_eq!(locks, Ok(0), "after {begin}");
    }
}

#[test]
fn types_of_the_program_s_own_are_looked_up_through_the_connection() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let both = diesel::select(vec![1_i64, 2].into_sql::<Array<BigInt>>());
    assert_eq!(both.get_result::<Vec<i64>>(&mut connection), Ok(vec![1, 2]));
}
