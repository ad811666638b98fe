//! `Engine::read_only` of engines that have no readers of their own, through Diesel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use diesel::{
    MysqlConnection, PgConnection, SqliteConnection, connection::SimpleConnection, prelude::*,
    sql_query, sql_types::Integer,
};
use everpool_diesel::{
    Driver, Engine, EngineOptions, EngineOptionsBuilder, Session, create_engine,
};
use everpool_tests::{MariaDb, PostgreSql};

/// An engine with one connection and a table.
fn engine<C: Driver>(url: &str, options: EngineOptionsBuilder) -> Engine<C> {
    let options = options.pool_size(1).max_overflow(0).build().unwrap();
    let engine: Engine<C> = create_engine(url, options).unwrap();
    let mut connection = engine.connect().unwrap();
    connection.batch_execute("CREATE TABLE t (i int)").unwrap();
    drop(connection);
    engine
}

fn insert(connection: &mut impl SimpleConnection) -> Result<(), String> {
    let inserted = connection.batch_execute("INSERT INTO t VALUES (1)");
    inserted.map_err(|error| error.to_string())
}

/// `refusal` is what the database says of a write.
fn is_read_only_while_it_is_lent<C: Driver>(engine: &Engine<C>, refusal: &str) {
    let readers = engine.read_only();
    let before = engine.status().generation;
    let token = [("logging_token", "reports")].into_iter().collect();
    let option = readers.execution_options(&token).unwrap();
    for readers in [&readers, &readers.read_only(), &option] {
        let mut connection = readers.connect().unwrap();
        let told = insert(&mut connection).unwrap_err();
        assert!(told.contains(refusal), "{told}");
        drop(connection);

        let mut session = Session::begin(readers).unwrap();
        session.batch_execute("SELECT * FROM t").unwrap();
        let told = insert(&mut session).unwrap_err();
        assert!(told.contains(refusal), "{told}");
        session.rollback().unwrap();
        // It is the same connection, and writes again.
        insert(&mut engine.connect().unwrap()).unwrap();
    }
    assert_eq!(engine.status().generation, before);
    assert_eq!(engine.pool().snapshot().opened, 1);
}

#[test]
fn a_connection_of_postgresql_is_read_only_while_it_is_lent() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let engine = engine::<PgConnection>(&server.url(), EngineOptions::builder());
    is_read_only_while_it_is_lent(&engine, "in a read-only transaction");
}

#[test]
fn a_connection_of_mariadb_is_read_only_while_it_is_lent() {
    let server = MariaDb::start().expect("this needs MariaDB");
    let engine = engine::<MysqlConnection>(&server.url(), EngineOptions::builder());
    is_read_only_while_it_is_lent(&engine, "in a READ ONLY transaction");
}

#[test]
fn a_database_in_memory_is_read_only_while_it_is_lent() {
    let options = EngineOptions::default();
    let engine = create_engine::<SqliteConnection>("sqlite://", options).unwrap();
    let table = "CREATE TABLE t (i int)";
    engine.connect().unwrap().batch_execute(table).unwrap();
    is_read_only_while_it_is_lent(&engine, "attempt to write a readonly database");
}

#[test]
fn a_write_on_a_read_only_engine_is_no_sign_of_a_failover() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let options = EngineOptions::builder().read_only_is_disconnect(true);
    let engine = engine::<PgConnection>(&server.url(), options);
    is_read_only_while_it_is_lent(&engine, "in a read-only transaction");

    #[derive(QueryableByName)]
    struct Written {
        #[diesel(sql_type = Integer)]
        i: i32,
    }
    let mut connection = engine.read_only().connect().unwrap();
    let write = sql_query("INSERT INTO t VALUES (1) RETURNING i");
    let written = write.load::<Written>(&mut connection);
    assert!(written.is_err(), "{:?}", written.map(|rows| rows[0].i));
    assert!(!connection.invalidated());
}
