//! A session of Diesel's for each thread or key, on SQLite and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use diesel::{dsl::sql, prelude::*, sql_query, sql_types::Integer};
use everpool_diesel::{
    Driver, Engine, EngineOptions, PoolClass, ScopeError, ScopeKey, ScopedSession, Session,
    SessionError, SessionMaker, create_engine,
};
use everpool_tests::PostgreSql;

fn postgresql() -> (PostgreSql, Engine<PgConnection>) {
    let server = PostgreSql::start().expect("these tests need PostgreSQL");
    server.psql("CREATE TABLE t (i int)").unwrap();
    let engine = create_engine(server.url(), EngineOptions::default()).unwrap();
    (server, engine)
}

fn memory() -> Engine<SqliteConnection> {
    create_engine("sqlite://", EngineOptions::default()).unwrap()
}

fn insert<K: ScopeKey>(
    scoped: &ScopedSession<PgConnection, K>,
    i: i32,
) -> Result<usize, SessionError> {
    let statement = sql_query(format!("INSERT INTO t VALUES ({i})"));
    Ok(statement.execute(&mut *scoped.session()?)?)
}

/// Which of the server's has the connection.
fn process<K: ScopeKey>(scoped: &ScopedSession<PgConnection, K>) -> i32 {
    let asked = diesel::select(sql::<Integer>("pg_backend_pid()"));
    asked.get_result(&mut *scoped.session().unwrap()).unwrap()
}

fn rows(server: &PostgreSql) -> String {
    let rows = server.psql("SELECT coalesce(string_agg(i::text, ' ' ORDER BY i), '') FROM t");
    rows.unwrap().trim().to_owned()
}

#[test]
fn code_of_one_thread_shares_a_diesel_session_and_its_transaction() {
    let (server, engine) = postgresql();
    let scoped = ScopedSession::by_thread(SessionMaker::new(&engine));
    insert(&scoped, 1).unwrap();
    insert(&scoped, 2).unwrap();
    assert_eq!(rows(&server), "");
    let own = process(&scoped);
    let other = thread::scope(|scope| scope.spawn(|| process(&scoped)).join());
    assert_ne!(own, other.unwrap());
    scoped.session().unwrap().commit().unwrap();
    assert_eq!(rows(&server), "1 2");
    assert_eq!(scoped.len(), 1);
}

#[test]
fn the_connection_of_a_thread_that_ends_is_rolled_back_and_lent_again() {
    let (server, engine) = postgresql();
    let scoped = ScopedSession::by_thread(SessionMaker::new(&engine));
    let undone = Arc::new(AtomicUsize::new(0));
    let mut processes = Vec::new();
    for _ in 0..3 {
        let (handle, undone) = (scoped.clone(), Arc::clone(&undone));
        let ending = thread::spawn(move || {
            insert(&handle, 1).unwrap();
            let note = move || {
                undone.fetch_add(1, Ordering::SeqCst);
            };
            handle
                .with(|session| session.on_rollback(note))
                .unwrap()
                .unwrap();
            process(&handle)
        });
        processes.push(ending.join().unwrap());
        let status = engine.status();
        assert_eq!((status.checked_out, status.idle), (0, 1));
        assert!(scoped.is_empty());
    }
    assert_eq!(processes, [processes[0]; 3]);
    assert_eq!(undone.load(Ordering::SeqCst), 3);
    assert_eq!(rows(&server), "");
}

#[test]
fn a_diesel_session_that_is_removed_is_rolled_back_and_the_next_is_another() {
    let (server, engine) = postgresql();
    let scoped = ScopedSession::by_thread(SessionMaker::new(&engine));
    insert(&scoped, 1).unwrap();
    scoped.remove();
    assert_eq!(engine.status().checked_out, 0);
    assert!(!scoped.session().unwrap().in_transaction());
    insert(&scoped, 2).unwrap();
    scoped.session().unwrap().commit().unwrap();
    assert_eq!(rows(&server), "2");
}

#[test]
fn the_diesel_sessions_of_all_scopes_can_be_closed() {
    let (server, engine) = postgresql();
    let scoped = ScopedSession::by_thread(SessionMaker::new(&engine));
    let (answer, answers) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let handle = scoped.clone();
    let other = thread::spawn(move || {
        insert(&handle, 1).unwrap();
        answer.send(()).unwrap();
        gone.recv().unwrap();
        handle.session().unwrap().commit().unwrap();
    });
    answers.recv().unwrap();
    insert(&scoped, 2).unwrap();
    assert_eq!((scoped.len(), engine.status().checked_out), (2, 2));
    scoped.remove_all();
    assert_eq!((scoped.len(), engine.status().checked_out), (0, 0));
    go.send(()).unwrap();
    other.join().unwrap();
    assert_eq!(rows(&server), "");
}

#[test]
fn a_diesel_session_that_is_in_use_is_not_given_twice() {
    let scoped = ScopedSession::by_thread(SessionMaker::new(&memory()));
    let session = scoped.session().unwrap();
    let refused = scoped.session().unwrap_err();
    assert!(
        matches!(refused, SessionError::Scope(ScopeError::InUse)),
        "{refused}"
    );
    drop(session);
    assert!(scoped.session().is_ok());
}

thread_local! {
    static REQUEST: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn a_key_of_the_program_s_has_a_diesel_session_for_as_long_as_it_is_entered() {
    let (server, engine) = postgresql();
    let scoped = ScopedSession::by_key(SessionMaker::new(&engine), || REQUEST.get());
    let before = insert(&scoped, 0).unwrap_err().to_string();
    assert_eq!(
        before,
        "no scope of 0 is entered; call `ScopedSession::enter` and keep what it gives"
    );
    let (first, second) = (scoped.enter(1).unwrap(), scoped.enter(2).unwrap());
    let of = |request| {
        REQUEST.set(request);
        insert(&scoped, 7).unwrap();
        process(&scoped)
    };
    let (one, two) = (of(1), of(2));
    assert_ne!(one, two);
    assert_eq!((of(1), of(2)), (one, two));
    scoped.session().unwrap().commit().unwrap();
    drop(first);
    assert_eq!((scoped.len(), engine.status().checked_out), (1, 0));
    drop(second);
    assert_eq!(rows(&server), "7 7");
    assert!(scoped.is_empty());
}

#[test]
fn a_scope_s_diesel_session_has_its_maker_s_listeners() {
    let mut maker = SessionMaker::new(&memory());
    let told = Arc::new(AtomicUsize::new(0));
    let note = Arc::clone(&told);
    maker.events().after_begin(move |_, _| {
        note.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let scoped = ScopedSession::by_thread(maker);
    let begun = scoped.with(|session| sql_query("SELECT 1").execute(session));
    begun.unwrap().unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[test]
fn all_of_a_diesel_session_is_to_be_had_from_its_scope() {
    fn is_a_session<C: Driver>(session: &mut Session<C>) -> bool {
        session.is_active()
    }
    let scoped = ScopedSession::by_thread(SessionMaker::new(&memory()));
    let mut session = scoped.session().unwrap();
    assert!(is_a_session(&mut session) && !session.in_transaction());
    session.begin_transaction().unwrap();
    assert!(session.current_transaction().is_some());
    session.invalidate().unwrap();
}

#[test]
fn who_has_a_connection_in_a_scope_is_known_by_the_place_where_its_session_was_asked_for() {
    let options = EngineOptions::builder().poolclass(PoolClass::AssertionPool);
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:///{}/app.db", directory.path().display());
    let engine: Engine<SqliteConnection> = create_engine(url, options.build().unwrap()).unwrap();
    let scoped = ScopedSession::by_thread(SessionMaker::new(&engine));
    let asked = scoped
        .session()
        .map(|mut session| sql_query("SELECT 1").execute(&mut *session));
    asked.unwrap().unwrap();
    let refused = engine.connect().unwrap_err().to_string();
    assert!(refused.contains(file!()), "{refused}");
}
