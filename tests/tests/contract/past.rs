//! What is done with the driver's own connection, past the engine's.

use diesel::{
    QueryResult,
    connection::{Connection as _, SimpleConnection},
};

use crate::database::{Database, Server, fill, on_each_database, on_each_server};

#[test]
fn a_function_that_takes_the_driver_s_connection_is_given_it() {
    on_each_database!(case);

    fn insert<C: SimpleConnection>(connection: &mut C) -> QueryResult<()> {
        connection.batch_execute("INSERT INTO t VALUES (1)")
    }

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.default_engine();
        let mut connection = engine.connect().unwrap();
        insert::<D::Driver>(&mut connection).unwrap();
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn a_disconnect_past_the_connection_is_noticed_at_its_next_use() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        fill::<D>(&engine, 2);
        let before = engine.status().generation;
        server.end_sessions();

        let raw: &mut D::Driver = &mut connection;
        D::one(raw).unwrap_err();

        assert_eq!(D::one(&mut connection), Ok(1));
        // What died with it in the pool is gone too.
        assert_ne!(engine.status().generation, before);
        assert_eq!(D::one(&mut engine.connect().unwrap()), Ok(1));
    }
}

#[test]
fn a_disconnect_past_the_connection_is_noticed_at_its_return() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        let before = engine.status().generation;
        server.end_sessions();
        D::one::<D::Driver>(&mut connection).unwrap_err();
        drop(connection);

        assert_ne!(engine.status().generation, before);
        assert_eq!(D::one(&mut engine.connect().unwrap()), Ok(1));
    }
}

#[test]
fn a_disconnect_past_the_connection_in_a_transaction_is_pending() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| {
            server.end_sessions();
            D::one::<D::Driver>(c).unwrap_err();
            let pending = D::one(c).unwrap_err().to_string();
            assert!(pending.contains("rolled back"), "{pending}");
            D::one(c)
        });
        lost.unwrap_err();
        assert_eq!(connection.transaction(D::one), Ok(1));
    }
}

#[test]
fn the_driver_s_connection_is_another_one_after_a_disconnect() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        server.end_sessions();
        D::one(&mut connection).unwrap_err();
        assert_eq!(D::one(connection.driver_connection().unwrap()), Ok(1));
    }
}

#[test]
fn where_there_is_no_connection_to_be_had_the_driver_s_is_an_error() {
    on_each_server!(case);

    fn case<D: Server>() {
        let server = D::start();
        let engine = server.default_engine();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| {
            server.end_sessions();
            D::one(c).unwrap_err();
            let refused = c.driver_connection().err().unwrap().to_string();
            assert!(refused.contains("rolled back"), "{refused}");
            D::one(c)
        });
        lost.unwrap_err();
    }
}
