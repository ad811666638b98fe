//! Sessions, where nothing goes wrong with the server.

use crate::{
    adapter::{Engine, GIVEN_UP, Outcome, Session, Statements, Transactions},
    database::{Database, Server, fill, on_each_database, on_each_server},
};

const INSERT: &str = "INSERT INTO t VALUES (1)";

#[test]
fn a_session_commits_what_it_is_told_to_and_nothing_else() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.default_engine::<E>();
        let mut session = engine.session();
        session.execute(INSERT).unwrap();
        session.commit().unwrap();
        session.execute(INSERT).unwrap();
        session.rollback().unwrap();
        session.execute(INSERT).unwrap();
        drop(session);
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn what_a_session_nests_is_a_savepoint() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.default_engine::<E>();
        let mut session = engine.session();

        // The session's BEGIN comes before the first thing that is sent, also if that is a savepoint.
        session.transaction(|s| s.execute(INSERT)).unwrap();
        let undone = session.transaction(|s| -> Outcome {
            s.execute(INSERT)?;
            Err(GIVEN_UP.into())
        });
        assert_eq!(undone.unwrap_err().to_string(), GIVEN_UP);
        assert_eq!(session.rows().unwrap(), 1);
        assert_eq!(database.committed_rows(), 0);

        session.commit().unwrap();
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn what_a_session_does_with_the_driver_s_connection_is_in_its_transaction() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.default_engine::<E>();
        let mut session = engine.session();
        let raw = session.driver_connection().unwrap();
        raw.execute(INSERT).unwrap();
        assert!(session.in_transaction());
        session.rollback().unwrap();
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn a_session_does_not_notice_a_connection_that_died_in_the_pool() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        fill::<E, D>(&engine, 3);
        server.end_sessions();

        for _ in 0..3 {
            let mut session = engine.session();
            assert_eq!(session.one().unwrap(), 1);
            session.commit().unwrap();
        }
    }
}

#[test]
fn a_transaction_inside_of_a_transaction_is_undone_by_itself() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let mut connection = database.default_engine::<E>().connect().unwrap();
        connection
            .transaction(|c| {
                c.execute(INSERT)?;
                let undone = c.transaction(|c| -> Outcome {
                    c.execute(INSERT)?;
                    Err(GIVEN_UP.into())
                });
                assert_eq!(undone.unwrap_err().to_string(), GIVEN_UP);
                c.transaction(|c| c.execute(INSERT))
            })
            .unwrap();
        assert_eq!(database.committed_rows(), 2);
    }
}
