//! What is special about MariaDB, through Diesel: its transactions are known by reading along.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use diesel::{
    MysqlConnection,
    connection::{Connection as _, LoadConnection, SimpleConnection},
    dsl::sql,
    mysql::Mysql,
    prelude::*,
    result::Error,
    sql_query,
    sql_types::BigInt,
};
use everpool_diesel::{
    Connection, Driver, Engine, EngineOptions, ExecutionOptions, Session, SessionError,
    TransactionStatus, create_engine, isolation::IsolationLevel,
};
use everpool_tests::MariaDb;

const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> MariaDb {
    MariaDb::start().expect("these tests need MariaDB")
}

/// An engine with one connection, so that the next user gets the last one's.
fn engine(server: &MariaDb) -> Engine<MysqlConnection> {
    let one = EngineOptions::builder().pool_size(1).max_overflow(0);
    create_engine(server.url(), one.build().unwrap()).unwrap()
}

fn number<C: LoadConnection<Backend = Mysql>>(connection: &mut C, of: &str) -> QueryResult<i64> {
    diesel::select(sql::<BigInt>(of)).get_result(connection)
}

fn id<C: LoadConnection<Backend = Mysql>>(connection: &mut C) -> i64 {
    number(connection, "CONNECTION_ID()").unwrap()
}

fn in_transaction<C: LoadConnection<Backend = Mysql>>(connection: &mut C) -> bool {
    number(connection, "@@in_transaction").unwrap() == 1
}

/// Whether the adapter takes it for proven that no transaction is open.
fn says_idle(connection: &mut Connection<MysqlConnection>) -> bool {
    connection.transaction_status() == TransactionStatus::Idle
}

#[test]
fn a_transaction_is_undone_on_return_in_whatever_words_it_was_begun() {
    let server = start();
    server
        .sql(
            "CREATE TABLE t (i int) ENGINE = InnoDB; \
             CREATE PROCEDURE begins() START TRANSACTION; \
             CREATE PROCEDURE turns_autocommit_off() SET autocommit = 0",
        )
        .unwrap();
    let engine = engine(&server);
    let insert = "INSERT INTO t VALUES (1)";
    let words = [
        "BEGIN",
        "begin work",
        " \n\tBegin ;",
        "START TRANSACTION",
        "start transaction read write",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
        "/* a comment */ BEGIN",
        "-- a comment\nBEGIN",
        "# a comment; SELECT 1\nBEGIN",
        "/*!50000 BEGIN */",
        "/*M!100100 BEGIN */",
        "SELECT 1; BEGIN",
        "SELECT ';'; BEGIN",
        "BEGIN; COMMIT AND CHAIN",
        "BEGIN; ROLLBACK WORK AND CHAIN",
        "SET completion_type = 1; BEGIN; COMMIT",
        "SET autocommit = 0",
        "set @@session.`autocommit` = OFF",
        "SET @a = '; SELECT ', autocommit = 0",
        "CALL begins()",
        "CALL turns_autocommit_off()",
        "EXECUTE IMMEDIATE 'BEGIN'",
        "PREPARE s FROM 'BEGIN'; EXECUTE s",
        "BEGIN NOT ATOMIC START TRANSACTION; END",
    ];
    for begin in words {
        let mut connection = engine.connect().unwrap();
        connection.batch_execute(begin).unwrap();
        connection.batch_execute(insert).unwrap();
        assert!(in_transaction(&mut connection), "{begin:?} begins none");
        drop(connection);

        let mut next = engine.connect().unwrap();
        assert!(!in_transaction(&mut next), "after {begin:?}");
        assert_eq!(
            number(&mut next, "COUNT(*) FROM t"),
            Ok(0),
            "after {begin:?}"
        );
        // What else it has changed would stay.
        next.invalidate();
    }
}

#[test]
fn an_xa_transaction_costs_its_connection() {
    let server = start();
    server
        .sql("CREATE TABLE t (i int) ENGINE = InnoDB")
        .unwrap();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let first = id(&mut connection);
    connection
        .batch_execute("XA START 'x'; INSERT INTO t VALUES (1)")
        .unwrap();
    drop(connection);

    let mut next = engine.connect().unwrap();
    assert_ne!(id(&mut next), first);
    assert_eq!(number(&mut next, "COUNT(*) FROM t"), Ok(0));
}

#[test]
fn what_is_begun_past_the_connection_is_undone_too() {
    let server = start();
    let engine = engine(&server);
    let past: [fn(&mut MysqlConnection); 4] = [
        |raw| raw.batch_execute("BEGIN").unwrap(),
        |raw| assert_eq!(sql_query("START TRANSACTION").execute(raw), Ok(0)),
        // Whoever puts an instrumentation there puts out what reads along.
        |raw| {
            raw.set_instrumentation(|_: diesel::connection::InstrumentationEvent<'_>| {});
            raw.batch_execute("BEGIN").unwrap();
        },
        |raw| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                raw.transaction(|_| -> QueryResult<()> {
                    std::panic::resume_unwind(Box::new("the program's own"));
                })
            }));
            assert!(panicked.is_err());
        },
    ];
    for (which, begin) in past.into_iter().enumerate() {
        let mut connection = engine.connect().unwrap();
        begin(&mut connection);
        assert!(!says_idle(&mut connection), "{which}");
        assert!(in_transaction(&mut connection), "{which}");
        drop(connection);
        assert!(!in_transaction(&mut engine.connect().unwrap()), "{which}");
    }
}

/// A generator of small numbers that are the same in every run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT * FROM t FOR UPDATE",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
    "INSERT INTO u VALUES (1)",
    "UPDATE t SET i = i + 1",
    "DELETE FROM t",
    "SELEC 1",
    "BEGIN",
    "/* so */ begin work",
    "/*!50000 BEGIN */",
    "START TRANSACTION READ ONLY",
    "COMMIT",
    "COMMIT AND CHAIN",
    "COMMIT AND NO CHAIN",
    "ROLLBACK",
    "ROLLBACK AND NO CHAIN NO RELEASE",
    "ROLLBACK AND CHAIN",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "RELEASE SAVEPOINT a",
    "BEGIN; INSERT INTO t VALUES (1); COMMIT",
    "COMMIT; BEGIN",
    "CREATE TEMPORARY TABLE IF NOT EXISTS x (i int)",
    "CREATE TABLE IF NOT EXISTS y (i int)",
    "DROP TABLE IF EXISTS y",
    "TRUNCATE t",
    "SET @a = 1",
    "SET autocommit = 0",
    "SET autocommit = 1",
    "SET completion_type = 1",
    "SET completion_type = 0",
    "SET SESSION TRANSACTION READ WRITE",
    "SELECT chains()",
    "CALL begins()",
    "CALL fails()",
    "BEGIN NOT ATOMIC INSERT INTO t VALUES (1); END",
    "EXECUTE IMMEDIATE 'BEGIN'",
    "LOCK TABLES t WRITE",
    "UNLOCK TABLES",
    "XA START 'x'",
    "XA END 'x'",
    "XA ROLLBACK 'x'",
    "SELECT GET_LOCK('a', 0)",
    "DO RELEASE_LOCK('a')",
    "SHOW TABLES",
];

fn do_something(connection: &mut Connection<MysqlConnection>, dice: &mut Dice) -> String {
    let statement = STATEMENTS[dice.below(STATEMENTS.len())];
    // What fails is part of the story.
    match dice.below(6) {
        0 => drop(connection.batch_execute(statement)),
        1 => drop(sql_query(statement).execute(connection)),
        2 => drop(
            connection
                .driver_connection()
                .and_then(|raw| raw.batch_execute(statement)),
        ),
        3 => drop(connection.transaction(|c| c.batch_execute(statement))),
        4 => drop(connection.transaction(|c| {
            c.transaction(|c| c.batch_execute(statement))?;
            Err::<(), _>(Error::RollbackTransaction)
        })),
        _ => drop(sql_query(statement).load::<Nothing>(connection)),
    }
    statement.to_owned()
}

#[derive(QueryableByName)]
struct Nothing {}

#[test]
fn nothing_is_said_to_be_closed_that_the_server_has_open() {
    let server = start();
    let engine = engine(&server);
    engine
        .connect()
        .unwrap()
        .batch_execute(
            "CREATE TABLE t (i int) ENGINE = InnoDB; CREATE TABLE u (i int PRIMARY KEY) ENGINE = InnoDB; \
             CREATE PROCEDURE begins() START TRANSACTION; \
             CREATE PROCEDURE fails() SIGNAL SQLSTATE '45000'; \
             CREATE FUNCTION chains() RETURNS int BEGIN SET SESSION completion_type = 1; RETURN 1; END",
        )
        .unwrap();
    engine.dispose();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut spared = 0;
    for _ in 0..600 {
        let mut connection = engine.connect().unwrap();
        let mut story = vec![format!("connection {}", id(&mut connection))];
        for _ in 0..=dice.below(5) {
            story.push(do_something(&mut connection, &mut dice));
            let said = says_idle(&mut connection);
            assert!(!(said && in_transaction(&mut connection)), "{story:#?}");
        }
        spared += u32::from(says_idle(&mut connection));
        drop(connection);
        let mut next = engine.connect().unwrap();
        assert!(!in_transaction(&mut next), "returned after {story:#?}");
        if dice.below(3) == 0 {
            next.invalidate();
        }
    }
    assert!(
        spared > 50,
        "the stories are too wild to tell anything: {spared}"
    );
}

/// What the server was sent on a connection while `work` was done, a packet each.
fn packets(server: &MariaDb, id: i64, work: impl FnOnce()) -> Vec<String> {
    let log = "TRUNCATE mysql.general_log; SET GLOBAL log_output = 'TABLE', general_log = 1";
    server.sql(log).unwrap();
    work();
    let sent = format!(
        "SET GLOBAL general_log = 0; \
         SELECT CONCAT(command_type, ' ', argument) FROM mysql.general_log WHERE thread_id = {id}"
    );
    let sent = server.sql(&sent).unwrap();
    sent.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_return_with_nothing_open_sends_nothing_and_one_with_something_open_sends_one_packet() {
    let server = start();
    server.sql("CREATE TABLE t (i int)").unwrap();
    let engine = engine(&server);
    let id = id(&mut engine.connect().unwrap());
    let insert = || sql_query("INSERT INTO t VALUES (1)");

    let sent = packets(&server, id, || {
        let mut connection = engine.connect().unwrap();
        insert().execute(&mut connection).unwrap();
        connection.transaction(|c| insert().execute(c)).unwrap();
    });
    assert!(
        sent.iter().all(|sent| !sent.contains("ROLLBACK")),
        "{sent:#?}"
    );

    let mut connection = engine.connect().unwrap();
    connection.batch_execute("BEGIN").unwrap();
    let sent = packets(&server, id, || drop(connection));
    assert_eq!(sent, ["Execute ROLLBACK AND NO CHAIN NO RELEASE"]);
}

#[test]
fn a_ping_is_one_packet() {
    let server = start();
    let options = EngineOptions::builder().pool_size(1).max_overflow(0);
    let options = options.pool_pre_ping(true).build().unwrap();
    let engine = create_engine::<MysqlConnection>(server.url(), options).unwrap();
    let id = id(&mut engine.connect().unwrap());
    drop(engine.connect().unwrap());
    let sent = packets(&server, id, || drop(engine.connect().unwrap()));
    assert_eq!(sent, ["Execute SELECT ?"]);
}

#[test]
fn on_a_server_without_autocommit_every_return_is_rolled_back() {
    let server = start();
    server
        .sql("CREATE TABLE t (i int) ENGINE = InnoDB; SET GLOBAL autocommit = 0")
        .unwrap();
    let engine = engine(&server);
    let first = {
        let mut connection = engine.connect().unwrap();
        sql_query("INSERT INTO t VALUES (1)")
            .execute(&mut connection)
            .unwrap();
        assert!(!says_idle(&mut connection));
        id(&mut connection)
    };
    let mut next = engine.connect().unwrap();
    assert_eq!(id(&mut next), first);
    assert_eq!(number(&mut next, "COUNT(*) FROM t"), Ok(0));
}

#[test]
fn what_init_connect_begins_is_ended_before_the_first_user() {
    let server = start();
    server.sql("SET GLOBAL init_connect = 'BEGIN'").unwrap();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    assert!(!in_transaction(&mut connection));
    assert!(says_idle(&mut connection));
}

#[test]
fn a_transaction_is_ended_also_where_completion_type_would_begin_the_next() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    connection.batch_execute("SET completion_type = 1").unwrap();
    connection.transaction(|c| number(c, "1")).unwrap();
    assert!(says_idle(&mut connection));
    assert!(!in_transaction(&mut connection));
}

/// As in SQLAlchemy, whose reset on return is a ROLLBACK too.
#[test]
fn what_a_rollback_does_not_undo_stays_on_the_connection() {
    let server = start();
    server
        .sql("CREATE TABLE t (i int) ENGINE = InnoDB")
        .unwrap();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let first = id(&mut connection);
    connection
        .batch_execute(
            "SET @a = 7; SET time_zone = '+01:00'; CREATE TEMPORARY TABLE x (i int); BEGIN; \
             INSERT INTO t VALUES (1); INSERT INTO x VALUES (1); SELECT GET_LOCK('lock', 0)",
        )
        .unwrap();
    drop(connection);

    let mut next = engine.connect().unwrap();
    assert_eq!(id(&mut next), first);
    assert_eq!(number(&mut next, "COUNT(*) FROM t"), Ok(0), "undone");
    assert_eq!(
        number(&mut next, "COUNT(*) FROM x"),
        Ok(0),
        "undone, in a table that stays"
    );
    assert_eq!(number(&mut next, "@a"), Ok(7));
    assert_eq!(number(&mut next, "@@time_zone = '+01:00'"), Ok(1));
    assert_eq!(number(&mut next, "IS_USED_LOCK('lock')"), Ok(first));
    next.batch_execute("LOCK TABLES t READ").unwrap();
    drop(next);

    let mut next = engine.connect().unwrap();
    let locked = sql_query("INSERT INTO t VALUES (1)").execute(&mut next);
    let locked = locked.unwrap_err().to_string();
    assert!(locked.contains("locked with a READ lock"), "{locked}");
}

#[test]
fn connections_that_rested_longer_than_the_server_allows_are_replaced() {
    let server = start();
    server.sql("SET GLOBAL wait_timeout = 1").unwrap();
    let engine = engine(&server);
    drop(engine.connect().unwrap());
    wait_until_no_session(&server);

    // Without a transaction the first statement is told.
    let mut connection = engine.connect().unwrap();
    let told = number(&mut connection, "1").unwrap_err().to_string();
    assert!(
        told.contains("gone away") || told.contains("Lost connection"),
        "{told}"
    );
    assert_eq!(number(&mut connection, "1"), Ok(1));
    drop(connection);
    wait_until_no_session(&server);

    // A session does not notice.
    let mut session = Session::begin(&engine).unwrap();
    assert_eq!(number(&mut session, "1"), Ok(1));
    session.commit().unwrap();
}

fn wait_until_no_session(server: &MariaDb) {
    let sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'everpool'";
    let deadline = Instant::now() + PATIENCE;
    while server.sql(sessions).unwrap() != "0" {
        assert!(Instant::now() < deadline, "the server does not end it");
        thread::yield_now();
    }
}

#[test]
fn a_packet_that_is_too_big_costs_its_connection() {
    let server = start();
    server
        .sql("SET GLOBAL max_allowed_packet = 1048576")
        .unwrap();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let first = id(&mut connection);

    let big = "x".repeat(2 << 20);
    let query = sql_query("SELECT LENGTH(?)").bind::<diesel::sql_types::Text, _>(&big);
    let told = query.execute(&mut connection).unwrap_err().to_string();
    // The server says why and hangs up; the client library may find it gone before it reads that.
    let words = ["max_allowed_packet", "gone away", "Lost connection"];
    assert!(words.iter().any(|words| told.contains(words)), "{told}");
    assert!(connection.invalidated());
    assert_ne!(id(&mut connection), first);
}

#[test]
fn an_error_of_a_statement_is_no_disconnect_whatever_it_quotes() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    for query in [
        "SELECT * FROM `Server has gone away`",
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no: Lost connection to server'",
        "SELEC 'Server has gone away'",
    ] {
        sql_query(query).execute(&mut connection).unwrap_err();
        assert!(!connection.invalidated(), "{query}");
    }
}

#[test]
fn the_isolation_level_of_a_connection_is_set_and_taken_back() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let default = connection.isolation_level().unwrap();
    assert_eq!(default, IsolationLevel::RepeatableRead);
    let options: ExecutionOptions = [("isolation_level", "READ COMMITTED")]
        .into_iter()
        .collect();
    connection.execution_options(&options).unwrap();
    let level = connection.isolation_level().unwrap();
    assert_eq!(level, IsolationLevel::ReadCommitted);
    assert!(says_idle(&mut connection));
    drop(connection);
    let level = engine.connect().unwrap().isolation_level().unwrap();
    assert_eq!(level, default);
}

#[test]
fn after_a_deadlock_a_session_does_not_claim_to_have_committed() {
    let server = start();
    server
        .sql("CREATE TABLE t (i int PRIMARY KEY, j int) ENGINE = InnoDB; INSERT INTO t VALUES (1, 0), (2, 0)")
        .unwrap();
    // One by prepared statements and one by text: Diesel tells only the first kind apart.
    let engine = create_engine::<MysqlConnection>(server.url(), EngineOptions::default()).unwrap();
    for by_text in [false, true] {
        let update = |session: &mut Session<MysqlConnection>, i: i32| {
            let query = format!("UPDATE t SET j = j + 1 WHERE i = {i}");
            match by_text {
                true => session.batch_execute(&query),
                false => sql_query(query).execute(session).map(drop),
            }
        };
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
            let deadlock = update(&mut victim, 2).unwrap_err().to_string();
            assert!(deadlock.starts_with("Deadlock found"), "{deadlock}");
            let refused = victim.commit();
            assert!(matches!(refused, Err(SessionError::Aborted)), "{refused:?}");
            victim.rollback().unwrap();
            update(&mut victim, 1).unwrap();
            victim.rollback().unwrap();
        });
    }
    let rows = server.sql("SELECT COUNT(*) FROM t WHERE j = 0 AND i < 3");
    assert_eq!(rows.unwrap(), "2");
}

#[test]
fn two_phase_transactions_are_those_of_xa() {
    let server = start();
    server
        .sql("CREATE TABLE t (i int) ENGINE = InnoDB")
        .unwrap();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    let first = id(&mut connection);
    for (is_prepared, is_committed) in [(true, true), (false, true), (true, false), (false, false)]
    {
        let mut transaction = connection.begin_twophase(None).unwrap();
        sql_query("INSERT INTO t VALUES (1)")
            .execute(&mut *transaction)
            .unwrap();
        if is_prepared {
            transaction.prepare().unwrap();
        }
        match is_committed {
            true => transaction.commit().unwrap(),
            false => transaction.rollback().unwrap(),
        }
    }
    assert_eq!(number(&mut connection, "COUNT(*) FROM t"), Ok(2));
    drop(connection);

    let mut connection = engine.connect().unwrap();
    assert_eq!(id(&mut connection), first);
    let mut transaction = connection.begin_twophase("transfer-7").unwrap();
    sql_query("INSERT INTO t VALUES (1)")
        .execute(&mut *transaction)
        .unwrap();
    transaction.prepare().unwrap();
    transaction.invalidate();
    drop(transaction);
    drop(connection);
    // What a session has prepared is another's to end once that session is gone.
    wait_until_no_session(&server);

    let mut other = engine.connect().unwrap();
    let prepared = other.recover_twophase().unwrap();
    assert_eq!(prepared.len(), 1);
    assert_eq!(prepared[0].to_string(), "transfer-7");
    other.commit_prepared(&prepared[0]).unwrap();
    assert_eq!(number(&mut other, "COUNT(*) FROM t"), Ok(3));
}

#[test]
fn a_two_phase_transaction_whose_end_the_server_refuses_costs_the_connection() {
    let server = start();
    let engine = engine(&server);
    let mut connection = engine.connect().unwrap();
    for commits in [true, false] {
        let before = id(&mut connection);
        let mut transaction = connection.begin_twophase("a").unwrap();
        transaction.batch_execute("XA END 'a'").unwrap();
        match commits {
            true => transaction.commit().unwrap_err(),
            false => transaction.rollback().unwrap_err(),
        };
        assert_ne!(id(&mut connection), before);
    }
}
