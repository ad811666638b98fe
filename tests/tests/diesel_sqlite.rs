//! What is special about SQLite, through Diesel.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use diesel::{
    SqliteConnection, connection::SimpleConnection, prelude::*, sql_query, sql_types::BigInt,
};
use everpool_diesel::{
    CheckoutError, Engine, EngineError, EngineOptions, Session, UrlError, create_engine,
};
use tempfile::TempDir;

fn on_file(directory: &TempDir, name: &str) -> Engine<SqliteConnection> {
    let url = format!("sqlite:///{}", directory.path().join(name).display());
    create_engine(&url, EngineOptions::default()).unwrap()
}

fn count<C>(connection: &mut C) -> QueryResult<i64>
where
    C: diesel::connection::LoadConnection<Backend = diesel::sqlite::Sqlite>,
{
    diesel::select(diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM t)")).get_result(connection)
}

#[test]
fn a_database_in_memory_keeps_its_data_whatever_pool_size_says() {
    let options = EngineOptions::builder()
        .pool_size(5)
        .pool_recycle(Default::default());
    let options = options.build().unwrap();
    let engine = create_engine::<SqliteConnection>("sqlite:///:memory:", options).unwrap();
    engine
        .connect()
        .unwrap()
        .batch_execute("CREATE TABLE t (i)")
        .unwrap();

    assert_eq!(engine.status().size, 1);
    for _ in 0..3 {
        assert_eq!(count(&mut engine.connect().unwrap()), Ok(0));
    }
}

#[test]
fn a_session_that_is_dropped_has_let_the_next_writer_in() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "app.db");
    engine
        .connect()
        .unwrap()
        .batch_execute("CREATE TABLE t (i)")
        .unwrap();
    let mut other = engine.connect().unwrap();

    for _ in 0..50 {
        let mut session = Session::begin(&engine).unwrap();
        sql_query("INSERT INTO t VALUES (1)")
            .execute(&mut session)
            .unwrap();
        drop(session);
        sql_query("INSERT INTO t VALUES (2)")
            .execute(&mut other)
            .unwrap();
    }
    assert_eq!(count(&mut other), Ok(50));
}

#[test]
fn a_raw_begin_is_rolled_back_on_return_and_a_busy_database_is_no_disconnect() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "app.db");
    let mut writer = engine.connect().unwrap();
    writer
        .batch_execute("CREATE TABLE t (i); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
        .unwrap();

    let mut other = engine.connect().unwrap();
    let busy = other.batch_execute("BEGIN IMMEDIATE").unwrap_err();
    assert_eq!(busy.to_string(), "database is locked");
    assert!(!other.invalidated());

    drop(writer);
    assert_eq!(count(&mut other), Ok(0));
}

#[test]
fn a_file_that_is_no_database_costs_its_connection_and_no_other() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("app.db"), [b'x'; 4096]).unwrap();
    let engine = on_file(&directory, "app.db");
    let before = engine.status().generation;

    let mut connection = engine.connect().unwrap();
    let error = connection.batch_execute("SELECT * FROM t").unwrap_err();
    assert_eq!(error.to_string(), "file is not a database");
    assert!(connection.invalidated());
    assert_eq!(engine.status().generation, before);
}

#[test]
fn a_file_that_cannot_be_opened_is_told_at_once() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "missing/app.db");

    let told = engine.connect().unwrap_err();
    assert!(matches!(told, CheckoutError::Connect(_)), "{told:?}");
    assert!(
        told.to_string().contains("unable to open database file"),
        "{told}"
    );
}

/// Whether a table can be made in a database, and what is said if not.
fn make_table(url: &str, options: EngineOptions) -> Result<(), String> {
    let engine = create_engine::<SqliteConnection>(url, options).map_err(|error| error.to_string());
    let mut connection = engine?.connect().map_err(|error| error.to_string())?;
    let made = connection.batch_execute("CREATE TABLE t (i)");
    made.map_err(|error| error.to_string())
}

#[test]
fn arguments_of_the_url_and_connect_args_reach_the_driver() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.db").display().to_string();
    let mode = |mode| {
        EngineOptions::builder()
            .connect_args([("mode", mode)])
            .build()
            .unwrap()
    };

    let url = format!("sqlite:///{path}?mode=rw");
    let told = make_table(&url, EngineOptions::default()).unwrap_err();
    assert!(told.contains("unable to open database file"), "{told}");
    assert_eq!(make_table(&url, mode("rwc")), Ok(()));

    let uri = format!("sqlite:///file:{path}?uri=true");
    let told = make_table(&uri, mode("ro")).unwrap_err();
    assert!(told.contains("already exists"), "{told}");
    let read_only = create_engine::<SqliteConnection>(&uri, mode("ro")).unwrap();
    let told = read_only.connect().unwrap().batch_execute("DROP TABLE t");
    assert!(told.unwrap_err().to_string().contains("readonly"));
}

#[test]
fn an_engine_refuses_connect_args_that_its_database_cannot_have() {
    let options = EngineOptions::builder().connect_args([("sslmode", "require")]);
    let told = make_table("sqlite:///app.db", options.build().unwrap()).unwrap_err();
    assert!(told.contains("no argument `sslmode`"), "{told}");
}

#[test]
fn a_uri_of_a_database_in_memory_has_one_connection_too() {
    let url = "sqlite:///file:app?mode=memory&uri=true";
    let engine = create_engine::<SqliteConnection>(url, EngineOptions::default()).unwrap();
    engine
        .connect()
        .unwrap()
        .batch_execute("CREATE TABLE t (i)")
        .unwrap();
    assert_eq!(count(&mut engine.connect().unwrap()), Ok(0));
    assert_eq!(engine.status().size, 1);
}

#[test]
fn an_engine_refuses_the_url_of_another_database() {
    let url = "postgresql://u:s3cret-Pw@h/db";
    let refused = create_engine::<SqliteConnection>(url, EngineOptions::default()).unwrap_err();
    let EngineError::Url(UrlError::WrongBackend { .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        refused.to_string(),
        "a postgresql URL was given to an engine for sqlite"
    );
}

#[test]
fn an_engine_never_connects_before_the_first_checkout() {
    let directory = TempDir::new().unwrap();
    let engine = on_file(&directory, "app.db");
    engine.dispose();
    let _session = Session::begin(&engine).unwrap();
    assert!(!directory.path().join("app.db").exists());

    drop(engine.connect().unwrap());
    assert!(directory.path().join("app.db").exists());
}
