//! Connections that are lost while somebody has them.

use diesel::{
    QueryResult,
    connection::{Connection as _, SimpleConnection},
    result::Error,
};
use everpool_diesel::{Session, SessionError};

use everpool_tests::{MariaDb, PostgreSql};

use crate::{
    database::{Server, begin, fill, on, on_each_server},
    pgbouncer::QueuePooled,
};

const INSERT: &str = "INSERT INTO t VALUES (1)";

#[test]
fn one_request_meets_the_dead_server_and_all_that_died_with_it_is_replaced() {
    // Not with a NullPool, in which none can die.
    on::<PostgreSql>(case::<PostgreSql>);
    on::<MariaDb>(case::<MariaDb>);
    on::<QueuePooled>(case::<QueuePooled>);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        fill::<D>(&engine, 4);
        let before = engine.status().generation;
        server.end_sessions();

        let mut first = engine.connect().unwrap();
        D::one(&mut first).unwrap_err();
        assert!(first.invalidated());
        assert_ne!(engine.status().generation, before);

        // Every one of the others is new.
        let mut others: Vec<_> = (0..4).map(|_| engine.connect().unwrap()).collect();
        others
            .iter_mut()
            .for_each(|connection| assert_eq!(D::one(connection), Ok(1)));
        // So is the first, at its next use.
        assert_eq!(D::one(&mut first), Ok(1));
        assert!(!first.invalidated());
    }
}

#[test]
fn connections_lost_in_one_outage_recreate_the_pool_once() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut held: Vec<_> = (0..4).map(|_| engine.connect().unwrap()).collect();
        server.end_sessions();

        D::one(&mut held[0]).unwrap_err();
        let recreated = engine.status().generation;
        let mut fresh = engine.connect().unwrap();
        for connection in &mut held[1..] {
            D::one(connection).unwrap_err();
        }

        assert_eq!(engine.status().generation, recreated);
        assert_eq!(D::one(&mut fresh), Ok(1));
        assert!(!fresh.invalidated());
    }
}

#[test]
fn in_a_lost_transaction_nothing_runs_until_it_is_rolled_back() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        begin(&mut connection);
        assert_eq!(D::one(&mut connection), Ok(1));
        server.end_sessions();

        D::one(&mut connection).unwrap_err();
        for _ in 0..2 {
            let pending = D::one(&mut connection).unwrap_err().to_string();
            let words = "can't reconnect until the invalid transaction is rolled back";
            assert!(pending.contains(words), "{pending}");
        }
        connection.commit().unwrap_err();

        connection.rollback().unwrap();
        assert_eq!(D::one(&mut connection), Ok(1));
    }
}

#[test]
fn a_transaction_closure_returns_the_disconnect_and_the_next_one_works() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();

        let lost = connection.transaction(|c| {
            c.batch_execute(INSERT)?;
            server.end_sessions();
            c.transaction(D::one)
        });
        let lost = lost.unwrap_err().to_string();
        let words = [
            "terminating",
            "server closed",
            "gone away",
            "Lost connection",
        ];
        assert!(words.iter().any(|words| lost.contains(words)), "{lost}");

        assert_eq!(connection.transaction(D::one), Ok(1));
        assert_eq!(server.committed_rows(), 0);
    }
}

#[test]
fn a_connection_lost_at_the_commit_of_a_closure_says_so_and_the_next_one_works() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| {
            c.batch_execute(INSERT)?;
            server.end_sessions();
            QueryResult::Ok(())
        });
        lost.unwrap_err();
        assert_eq!(connection.transaction(D::one), Ok(1));
        assert_eq!(server.committed_rows(), 0);
    }
}

#[test]
fn a_connection_lost_at_the_end_of_a_savepoint_unwinds_level_by_level() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| {
            let inner = c.transaction(|c| {
                c.batch_execute(INSERT)?;
                server.end_sessions();
                QueryResult::Ok(())
            });
            assert!(inner.is_err());
            inner
        });
        lost.unwrap_err();
        assert_eq!(connection.transaction(D::one), Ok(1));
        assert_eq!(server.committed_rows(), 0);
    }
}

#[test]
fn a_connection_lost_at_the_rollback_has_rolled_back() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();

        let undone = connection.transaction(|c| {
            D::one(c)?;
            server.end_sessions();
            Err::<(), _>(Error::RollbackTransaction)
        });

        assert_eq!(undone, Err(Error::RollbackTransaction));
        assert_eq!(connection.transaction(D::one), Ok(1));
    }
}

#[test]
fn a_closure_that_swallows_the_disconnect_cannot_commit() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();

        let swallowed = connection.transaction(|c| {
            server.end_sessions();
            let _swallowed = D::one(c);
            QueryResult::Ok(())
        });

        swallowed.unwrap_err();
        assert_eq!(connection.transaction(D::one), Ok(1));
    }
}

#[test]
fn the_message_names_a_savepoint_that_was_open() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();

        let mut pending = None;
        let lost = connection.transaction(|c| {
            c.transaction(|c| {
                server.end_sessions();
                D::one(c).unwrap_err();
                pending = Some(D::one(c).unwrap_err());
                Err::<(), _>(Error::RollbackTransaction)
            })
        });

        assert_eq!(lost, Err(Error::RollbackTransaction));
        let pending = pending.unwrap().to_string();
        let words = "invalid savepoint transaction is rolled back";
        assert!(pending.contains(words), "{pending}");
    }
}

#[test]
fn a_session_lost_in_its_transaction_must_be_rolled_back() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut session = Session::begin(&engine).unwrap();
        assert_eq!(D::one(&mut session), Ok(1));
        server.end_sessions();

        D::one(&mut session).unwrap_err();
        D::one(&mut session).unwrap_err();
        let pending = session.commit();
        assert!(matches!(pending, Err(SessionError::PendingRollback(_))));
        session.rollback().unwrap();

        assert_eq!(D::one(&mut session), Ok(1));
        session.commit().unwrap();
    }
}

#[test]
fn a_session_that_meets_the_disconnect_at_commit_does_not_know_the_outcome() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut session = Session::begin(&engine).unwrap();
        session.batch_execute(INSERT).unwrap();
        server.end_sessions();

        let outcome = session.commit().unwrap_err();
        let is_unknown = matches!(outcome, SessionError::CommitOutcomeUnknown(_));
        assert!(is_unknown, "{outcome:?}");
        // It can go on: there is nothing left of that transaction to roll back.
        session.batch_execute(INSERT).unwrap();
        session.commit().unwrap();
        assert_eq!(server.committed_rows(), 1);
    }
}
