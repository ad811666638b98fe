//! Sessions on SQLite.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::sync::{Arc, Mutex};

use diesel::{SqliteConnection, connection::SimpleConnection, prelude::*, sql_types::BigInt};
use everpool_diesel::{
    Engine, EngineOptions, Session, SessionError, SessionMaker, StateError, create_engine,
};

fn start() -> Engine<SqliteConnection> {
    let engine = create_engine("sqlite://", EngineOptions::default()).unwrap();
    engine
        .session(|session| {
            session.batch_execute("CREATE TABLE t (i INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)")?;
            Ok::<(), SessionError>(())
        })
        .unwrap();
    engine
}

fn insert(session: &mut Session<SqliteConnection>, i: i32) -> QueryResult<()> {
    session.batch_execute(&format!("INSERT INTO t VALUES ({i})"))
}

fn rows(engine: &Engine<SqliteConnection>) -> i64 {
    let rows = diesel::dsl::sql::<BigInt>("(SELECT count(*) FROM t)");
    diesel::select(rows)
        .get_result(&mut engine.connect().unwrap())
        .unwrap()
}

#[test]
fn nested_work_on_sqlite_is_kept_or_undone_alone() {
    let engine = start();
    let mut session = Session::begin(&engine).unwrap();
    insert(&mut session, 1).unwrap();
    let undone = session.nested(|session| {
        insert(session, 2)?;
        session.nested(|session| insert(session, 3).map_err(SessionError::from))?;
        Err::<(), _>(SessionError::from(
            diesel::result::Error::RollbackTransaction,
        ))
    });
    undone.unwrap_err();
    session
        .nested(|session| insert(session, 4).map_err(SessionError::from))
        .unwrap();
    session.commit().unwrap();
    drop(session);
    assert_eq!(rows(&engine), 2);
}

#[test]
fn a_transaction_that_the_database_has_rolled_back_is_not_committed() {
    let engine = start();
    let mut session = Session::begin(&engine).unwrap();
    insert(&mut session, 1).unwrap();
    // `ON CONFLICT ROLLBACK` ends the transaction, not the statement only.
    insert(&mut session, 1).unwrap_err();
    let refused = session.commit();
    let ended = StateError::EndedElsewhere;
    assert!(
        matches!(&refused, Err(SessionError::State(error)) if *error == ended),
        "{refused:?}"
    );
    insert(&mut session, 2).unwrap_err();
    session.rollback().unwrap();
    insert(&mut session, 3).unwrap();
    session.commit().unwrap();
    drop(session);
    assert_eq!(rows(&engine), 1);
}

#[test]
fn the_one_connection_is_free_when_callbacks_run() {
    let engine = start();
    let seen = Arc::new(Mutex::new(None));
    let (note, other) = (Arc::clone(&seen), engine.clone());
    SessionMaker::new(&engine)
        .begin(|session| {
            insert(session, 1)?;
            session.on_commit(move || *note.lock().unwrap() = Some(rows(&other)))
        })
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(1));
}
