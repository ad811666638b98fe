//! Connections that are lost while somebody has them.

use everpool_session::SessionError;
use everpool_tests::{MariaDb, PostgreSql};

use crate::{
    adapter::{Connection, Engine, GIVEN_UP, Outcome, Session, Statements, Transactions},
    database::{Server, fill, on_each, on_each_server},
    pgbouncer::QueuePooled,
};

const INSERT: &str = "INSERT INTO t VALUES (1)";

#[test]
fn one_request_meets_the_dead_server_and_all_that_died_with_it_is_replaced() {
    // Not with a NullPool, in which none can die.
    on_each!(case: PostgreSql, MariaDb, QueuePooled);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        fill::<E, D>(&engine, 4);
        let before = engine.status().generation;
        server.end_sessions();

        let mut first = engine.connect().unwrap();
        first.one().unwrap_err();
        assert!(first.invalidated());
        assert_ne!(engine.status().generation, before);

        // Every one of the others is new.
        let mut others: Vec<_> = (0..4).map(|_| engine.connect().unwrap()).collect();
        others
            .iter_mut()
            .for_each(|connection| assert_eq!(connection.one().unwrap(), 1));
        // So is the first, at its next use.
        assert_eq!(first.one().unwrap(), 1);
        assert!(!first.invalidated());
    }
}

#[test]
fn connections_lost_in_one_outage_recreate_the_pool_once() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut held: Vec<_> = (0..4).map(|_| engine.connect().unwrap()).collect();
        server.end_sessions();

        held[0].one().unwrap_err();
        let recreated = engine.status().generation;
        let mut fresh = engine.connect().unwrap();
        for connection in &mut held[1..] {
            connection.one().unwrap_err();
        }

        assert_eq!(engine.status().generation, recreated);
        assert_eq!(fresh.one().unwrap(), 1);
        assert!(!fresh.invalidated());
    }
}

#[test]
fn in_a_lost_transaction_nothing_runs_until_it_is_rolled_back() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        connection.begin().unwrap();
        assert_eq!(connection.one().unwrap(), 1);
        server.end_sessions();

        connection.one().unwrap_err();
        for _ in 0..2 {
            let pending = connection.one().unwrap_err().to_string();
            let words = "can't reconnect until the invalid transaction is rolled back";
            assert!(pending.contains(words), "{pending}");
        }
        connection.commit().unwrap_err();

        connection.rollback().unwrap();
        assert_eq!(connection.one().unwrap(), 1);
    }
}

#[test]
fn a_transaction_closure_returns_the_disconnect_and_the_next_one_works() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();

        let lost = connection.transaction(|c| {
            c.execute(INSERT)?;
            server.end_sessions();
            c.transaction(Statements::one)
        });
        let lost = lost.unwrap_err().to_string();
        let words = [
            "terminating",
            "server closed",
            "gone away",
            "Lost connection",
            "database removed",
            "at EOF",
            "Broken pipe",
            "Connection reset",
        ];
        assert!(words.iter().any(|words| lost.contains(words)), "{lost}");

        assert_eq!(connection.transaction(Statements::one).unwrap(), 1);
        assert_eq!(server.committed_rows(), 0);
    }
}

#[test]
fn a_connection_lost_at_the_commit_of_a_closure_says_so_and_the_next_one_works() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| -> Outcome {
            c.execute(INSERT)?;
            server.end_sessions();
            Ok(())
        });
        lost.unwrap_err();
        assert_eq!(connection.transaction(Statements::one).unwrap(), 1);
        assert_eq!(server.committed_rows(), 0);
    }
}

#[test]
fn a_connection_lost_at_the_end_of_a_savepoint_unwinds_level_by_level() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| -> Outcome {
            let inner = c.transaction(|c| -> Outcome {
                c.execute(INSERT)?;
                server.end_sessions();
                Ok(())
            });
            assert!(inner.is_err());
            inner
        });
        lost.unwrap_err();
        assert_eq!(connection.transaction(Statements::one).unwrap(), 1);
        assert_eq!(server.committed_rows(), 0);
    }
}

#[test]
fn a_connection_lost_at_the_rollback_has_rolled_back() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();

        let undone = connection.transaction(|c| -> Outcome {
            c.one()?;
            server.end_sessions();
            Err(GIVEN_UP.into())
        });

        assert_eq!(undone.unwrap_err().to_string(), GIVEN_UP);
        assert_eq!(connection.transaction(Statements::one).unwrap(), 1);
    }
}

#[test]
fn a_closure_that_swallows_the_disconnect_cannot_commit() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();

        let swallowed = connection.transaction(|c| -> Outcome {
            server.end_sessions();
            let _swallowed = c.one();
            Ok(())
        });

        swallowed.unwrap_err();
        assert_eq!(connection.transaction(Statements::one).unwrap(), 1);
    }
}

#[test]
fn the_message_names_a_savepoint_that_was_open() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();

        let mut pending = None;
        let lost = connection.transaction(|c| {
            c.transaction(|c| -> Outcome {
                server.end_sessions();
                c.one().unwrap_err();
                pending = Some(c.one().unwrap_err());
                Err(GIVEN_UP.into())
            })
        });

        assert_eq!(lost.unwrap_err().to_string(), GIVEN_UP);
        let pending = pending.unwrap().to_string();
        let words = "invalid savepoint transaction is rolled back";
        assert!(pending.contains(words), "{pending}");
    }
}

#[test]
fn a_session_lost_in_its_transaction_must_be_rolled_back() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut session = engine.session();
        assert_eq!(session.one().unwrap(), 1);
        server.end_sessions();

        session.one().unwrap_err();
        session.one().unwrap_err();
        let pending = session.commit();
        assert!(matches!(pending, Err(SessionError::PendingRollback(_))));
        session.rollback().unwrap();

        assert_eq!(session.one().unwrap(), 1);
        session.commit().unwrap();
    }
}

#[test]
fn a_session_that_meets_the_disconnect_at_commit_does_not_know_the_outcome() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut session = engine.session();
        session.execute(INSERT).unwrap();
        server.end_sessions();

        let outcome = session.commit().unwrap_err();
        let is_unknown = matches!(outcome, SessionError::CommitOutcomeUnknown(_));
        assert!(is_unknown, "{outcome:?}");
        // It can go on: there is nothing left of that transaction to roll back.
        session.execute(INSERT).unwrap();
        session.commit().unwrap();
        assert_eq!(server.committed_rows(), 1);
    }
}
