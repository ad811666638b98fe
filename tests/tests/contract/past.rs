//! What is done with the driver's own connection, past the engine's.

use crate::{
    adapter::{Connection, Engine, Statements, Transactions},
    database::{Database, Server, fill, on_each_database, on_each_server, until},
};

#[test]
fn a_function_that_takes_the_driver_s_connection_is_given_it() {
    on_each_database!(case);

    fn insert<C: Statements>(connection: &mut C) -> Result<(), C::Error> {
        connection.execute("INSERT INTO t VALUES (1)")
    }

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        insert(connection.as_driver()).unwrap();
        assert_eq!(database.committed_rows(), 1);
    }
}

/// The disconnect that the program met is met once more by a connection that has not seen it.
fn unless_seen<C: Connection>(connection: &mut C, is_seen: bool) {
    if !is_seen {
        connection.one().unwrap_err();
        assert!(connection.invalidated());
    }
}

#[test]
fn a_disconnect_past_the_connection_is_noticed_at_its_next_use() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        fill::<E, D>(&engine, 2);
        let before = engine.status().generation;
        server.end_sessions();

        let raw = connection.as_driver();
        raw.one().unwrap_err();

        unless_seen(&mut *connection, E::SEES_PAST);
        assert_eq!(connection.one().unwrap(), 1);
        // What died with it in the pool is gone too.
        assert_ne!(engine.status().generation, before);
        assert_eq!(engine.connect().unwrap().one().unwrap(), 1);
    }
}

#[test]
fn a_disconnect_past_the_connection_is_noticed_at_its_return() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        let before = engine.status().generation;
        server.end_sessions();
        connection.as_driver().one().unwrap_err();
        drop(connection);

        until("the pool is recreated", || {
            engine.status().generation != before
        });
        assert_eq!(engine.connect().unwrap().one().unwrap(), 1);
    }
}

#[test]
fn a_disconnect_past_the_connection_in_a_transaction_is_pending() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| {
            server.end_sessions();
            c.as_driver().one().unwrap_err();
            unless_seen(c, E::SEES_PAST);
            let pending = c.one().unwrap_err().to_string();
            assert!(pending.contains("rolled back"), "{pending}");
            c.one()
        });
        lost.unwrap_err();
        assert_eq!(connection.transaction(Statements::one).unwrap(), 1);
    }
}

#[test]
fn the_driver_s_connection_is_another_one_after_a_disconnect() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        server.end_sessions();
        connection.one().unwrap_err();
        assert_eq!(connection.driver_connection().unwrap().one().unwrap(), 1);
    }
}

#[test]
fn where_there_is_no_connection_to_be_had_the_driver_s_is_an_error() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        let mut connection = engine.connect().unwrap();
        let lost = connection.transaction(|c| {
            server.end_sessions();
            c.one().unwrap_err();
            let refused = c.driver_connection().err().unwrap().to_string();
            assert!(refused.contains("rolled back"), "{refused}");
            c.one()
        });
        lost.unwrap_err();
    }
}
