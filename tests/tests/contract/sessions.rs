//! Sessions, where nothing goes wrong with the server.

use diesel::{
    QueryResult,
    connection::{Connection as _, SimpleConnection},
    result::Error,
};
use everpool_diesel::Session;

use crate::database::{Database, Server, fill, on_each_database, on_each_server};

const INSERT: &str = "INSERT INTO t VALUES (1)";

#[test]
fn a_session_commits_what_it_is_told_to_and_nothing_else() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.default_engine();
        let mut session = Session::begin(&engine).unwrap();
        session.batch_execute(INSERT).unwrap();
        session.commit().unwrap();
        session.batch_execute(INSERT).unwrap();
        session.rollback().unwrap();
        session.batch_execute(INSERT).unwrap();
        drop(session);
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn what_a_session_nests_is_a_savepoint() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.default_engine();
        let mut session = Session::begin(&engine).unwrap();

        // The session's BEGIN comes before the first thing that is sent, also if that is a savepoint.
        session.transaction(|s| s.batch_execute(INSERT)).unwrap();
        let undone = session.transaction(|s| {
            s.batch_execute(INSERT)?;
            Err::<(), _>(Error::RollbackTransaction)
        });
        assert_eq!(undone, Err(Error::RollbackTransaction));
        assert_eq!(D::rows(&mut session), Ok(1));
        assert_eq!(database.committed_rows(), 0);

        session.commit().unwrap();
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn what_a_session_does_with_the_driver_s_connection_is_in_its_transaction() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.default_engine();
        let mut session = Session::begin(&engine).unwrap();
        let raw: &mut D::Driver = session.driver_connection().unwrap();
        raw.batch_execute(INSERT).unwrap();
        assert!(session.in_transaction());
        session.rollback().unwrap();
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn a_session_does_not_notice_a_connection_that_died_in_the_pool() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        fill::<D>(&engine, 3);
        server.end_sessions();

        for _ in 0..3 {
            let mut session = Session::begin(&engine).unwrap();
            assert_eq!(D::one(&mut session), Ok(1));
            session.commit().unwrap();
        }
    }
}

#[test]
fn a_transaction_inside_of_a_transaction_is_undone_by_itself() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let mut connection = database.default_engine().connect().unwrap();
        connection
            .transaction(|c| {
                c.batch_execute(INSERT)?;
                let undone = c.transaction(|c| -> QueryResult<()> {
                    c.batch_execute(INSERT)?;
                    Err(Error::RollbackTransaction)
                });
                assert_eq!(undone, Err(Error::RollbackTransaction));
                c.transaction(|c| c.batch_execute(INSERT))
            })
            .unwrap();
        assert_eq!(database.committed_rows(), 2);
    }
}
