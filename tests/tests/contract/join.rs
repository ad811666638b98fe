//! Sessions on a connection that somebody else has.

use everpool_session::{JoinTransactionMode, SessionError};

use JoinTransactionMode::{ConditionalSavepoint, ControlFully, CreateSavepoint, RollbackOnly};

use crate::{
    adapter::{Connection, Engine, Session, Statements, Told},
    database::{Database, Server, on_each_database, on_each_server},
};

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Commit,
    Rollback,
    Close,
    Nothing,
}

/// What becomes of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    sent: Vec<&'static str>,
    /// How many levels are open on the connection.
    open: u32,
    /// The rows of those that were open there, when they are committed.
    outside: i64,
    /// And of the session.
    inside: i64,
}

const fn outcome(sent: Vec<&'static str>, open: u32, outside: i64, inside: i64) -> Outcome {
    Outcome {
        sent,
        open,
        outside,
        inside,
    }
}

/// SQLAlchemy's table: what a session does in this mode, where so many levels are open.
fn expected(mode: JoinTransactionMode, open: u32, end: End) -> Outcome {
    let rows = i64::from(open);
    let own = |last| vec!["savepoint", last];
    match (mode, open, end) {
        (_, 0, End::Commit) => outcome(vec!["begin", "commit"], 0, 0, 1),
        (_, 0, _) => outcome(vec!["begin", "rollback"], 0, 0, 0),
        (CreateSavepoint, ..) | (ConditionalSavepoint, 2, _) => match end {
            End::Commit => outcome(own("release_savepoint"), open, rows, 1),
            _ => outcome(own("rollback_savepoint"), open, rows, 0),
        },
        (ConditionalSavepoint | RollbackOnly, 1, End::Rollback) => {
            outcome(vec!["rollback"], 0, 0, 0)
        }
        (RollbackOnly, _, End::Rollback) => outcome(vec!["rollback_savepoint"], 1, 1, 0),
        (ConditionalSavepoint | RollbackOnly, ..) => outcome(vec![], open, rows, 1),
        (ControlFully, 1, End::Commit) => outcome(vec!["commit"], 0, 1, 1),
        (ControlFully, 1, _) => outcome(vec!["rollback"], 0, 0, 0),
        (ControlFully, _, End::Commit) => outcome(vec!["release_savepoint"], 1, 2, 1),
        (ControlFully, ..) => outcome(vec!["rollback_savepoint"], 1, 1, 0),
    }
}

/// Opens so many levels of transaction, each of which begins with a row of its number.
fn open_levels<C: Connection>(connection: &mut C, levels: u32) {
    for level in 1..=levels {
        connection.begin().unwrap();
        let row = format!("INSERT INTO t VALUES ({level})");
        connection.execute(&row).unwrap();
    }
}

fn happens<C: Connection>(
    connection: &mut C,
    told: &Told,
    mode: Option<JoinTransactionMode>,
    open: u32,
    end: End,
) -> Outcome {
    connection.execute("DELETE FROM t").unwrap();
    open_levels(connection, open);
    told.lock().unwrap().clear();
    connection.in_session(mode, |session| {
        session.execute("INSERT INTO t VALUES (10)").unwrap();
        match end {
            End::Commit => session.commit().unwrap(),
            End::Rollback => session.rollback().unwrap(),
            End::Close => session.close().unwrap(),
            End::Nothing => {}
        }
    });
    let sent = told.lock().unwrap().clone();
    let nested = u32::from(connection.in_nested_transaction());
    let open = u32::from(connection.in_transaction()) + nested;
    connection.commit().unwrap();
    let mut count = |rows| {
        let rows = format!("(SELECT COUNT(*) FROM t WHERE {rows})");
        connection.number(&rows).unwrap()
    };
    outcome(sent, open, count("i < 10"), count("i = 10"))
}

#[test]
fn what_a_session_makes_of_what_is_open_on_the_connection_it_joins() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.default_engine::<E>();
        let told = engine.transaction_events();
        let mut connection = engine.connect().unwrap();
        let modes = JoinTransactionMode::ALL.map(Some);
        for mode in modes.into_iter().chain([None]) {
            for open in 0..=2 {
                for end in [End::Commit, End::Rollback, End::Close, End::Nothing] {
                    let seen = happens(&mut *connection, &told, mode, open, end);
                    let expected = expected(mode.unwrap_or_default(), open, end);
                    assert_eq!(seen, expected, "{mode:?}, {open} open, {end:?}");
                }
            }
        }
        // It is still the same connection, and it was in the pool's hands not once.
        drop(connection);
        assert_eq!(engine.status().checked_out, 0);
    }
}

#[test]
fn a_session_joins_a_connection_again_and_again() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        open_levels(&mut *connection, 1);
        for _ in 0..3 {
            connection.in_session(Some(CreateSavepoint), |session| {
                session.execute("INSERT INTO t VALUES (10)").unwrap();
                session.commit().unwrap();
                session.execute("INSERT INTO t VALUES (11)").unwrap();
                session.rollback().unwrap();
            });
        }
        assert_eq!(connection.rows().unwrap(), 4);
        connection.rollback().unwrap();
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn a_connection_that_a_session_has_lost_must_be_rolled_back_by_who_has_begun_there() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        for mode in [CreateSavepoint, RollbackOnly] {
            let engine = server.default_engine::<E>();
            let mut connection = engine.connect().unwrap();
            open_levels(&mut *connection, 1);
            connection.in_session(Some(mode), |session| {
                session.execute("INSERT INTO t VALUES (10)").unwrap();
                server.end_sessions();
                session.execute("INSERT INTO t VALUES (11)").unwrap_err();
                let refused = session.commit().unwrap_err();
                let is_lost = matches!(refused, SessionError::PendingRollback(_));
                assert!(is_lost, "{refused}");
                // None is taken in the place of the one on which more was open.
                if mode == CreateSavepoint {
                    session.rollback().unwrap();
                    session.execute("INSERT INTO t VALUES (12)").unwrap_err();
                }
            });
            assert!(connection.in_transaction(), "{mode}");
            connection.one().unwrap_err();
            connection.rollback().unwrap();
            assert_eq!(connection.one().unwrap(), 1);
            assert!(!connection.in_transaction());
            assert_eq!(server.committed_rows(), 0);
        }
    }
}

#[test]
fn a_session_that_loses_its_own_transaction_leaves_a_connection_that_can_be_used() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        connection.in_session(None, |session| {
            session.execute("INSERT INTO t VALUES (10)").unwrap();
            server.end_sessions();
            session.execute("INSERT INTO t VALUES (11)").unwrap_err();
        });
        assert!(!connection.in_transaction());
        assert_eq!(connection.rows().unwrap(), 0);
    }
}
