//! What a user leaves on a connection, and what the next one finds.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use diesel::{
    QueryResult,
    connection::{CacheSize, Connection as _, InstrumentationEvent, SimpleConnection},
};
use everpool_diesel::{Connection, Engine, ResetOnReturn, Session};

use everpool_tests::{MariaDb, PostgreSql};

use crate::{
    database::{Database, begin, on, on_each_database},
    pgbouncer::QueuePooled,
    sqlite::Sqlite,
};

const INSERT: &str = "INSERT INTO t VALUES (1)";

/// Whether this driver connection was marked before. It is now.
fn was_marked<D: Database>(connection: &mut Connection<D::Driver>) -> bool {
    struct Mark;
    let info = connection.info().unwrap();
    info.insert(Mark).is_some()
}

#[test]
fn what_a_user_leaves_open_is_undone_before_the_next_user() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.narrow_engine();
        assert!(!was_marked::<D>(&mut engine.connect().unwrap()));
        for (what, leave) in ways_to_leave_one_open::<D>() {
            leave(&engine);
            let mut next = engine.connect().unwrap();
            let is_kept = was_marked::<D>(&mut next);
            assert_eq!(is_kept, D::KEEPS, "the same connection after {what}");
            assert_eq!(next.transaction(D::one), Ok(1), "after {what}");
            assert_eq!(D::rows(&mut next), Ok(0), "after {what}");
            assert_eq!(database.committed_rows(), 0, "after {what}");
        }
    }
}

type Leave<D> = (&'static str, fn(&Engine<<D as Database>::Driver>));

fn ways_to_leave_one_open<D: Database>() -> [Leave<D>; 7] {
    [
        ("a raw BEGIN", |engine| {
            let mut connection = engine.connect().unwrap();
            connection
                .batch_execute(&format!("BEGIN; {INSERT}"))
                .unwrap();
        }),
        ("a begin without an end", |engine| {
            let mut connection = engine.connect().unwrap();
            begin(&mut connection);
            connection.batch_execute(INSERT).unwrap();
        }),
        ("a panic in a transaction", |engine| {
            let mut connection = engine.connect().unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                connection.transaction(|c| -> QueryResult<()> {
                    c.batch_execute(INSERT)?;
                    std::panic::resume_unwind(Box::new("the program's own"));
                })
            }));
            assert!(panicked.is_err());
        }),
        ("a panic in a savepoint", |engine| {
            let mut connection = engine.connect().unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                connection.transaction(|c| {
                    c.transaction(|c| -> QueryResult<()> {
                        c.batch_execute(INSERT)?;
                        std::panic::resume_unwind(Box::new("the program's own"));
                    })
                })
            }));
            assert!(panicked.is_err());
        }),
        ("a failed transaction", |engine| {
            let mut connection = engine.connect().unwrap();
            connection
                .batch_execute(&format!("BEGIN; {INSERT}; SELECT * FROM nowhere"))
                .unwrap_err();
        }),
        ("a session without a commit", |engine| {
            let mut session = Session::begin(engine).unwrap();
            session.batch_execute(INSERT).unwrap();
        }),
        ("a BEGIN past the connection", |engine| {
            let mut connection = engine.connect().unwrap();
            let raw: &mut D::Driver = &mut connection;
            raw.batch_execute("BEGIN").unwrap();
            raw.batch_execute(INSERT).unwrap();
        }),
    ]
}

#[test]
fn what_was_begun_and_not_ended_is_never_committed_by_the_return() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        for reset in [ResetOnReturn::Commit, ResetOnReturn::Nothing] {
            let engine = database.engine(D::narrow().pool_reset_on_return(reset));

            let mut session = Session::begin(&engine).unwrap();
            session.batch_execute(INSERT).unwrap();
            drop(session);
            let mut connection = engine.connect().unwrap();
            begin(&mut connection);
            connection.batch_execute(INSERT).unwrap();
            drop(connection);

            // The next user finds nothing of it, and no transaction open.
            assert_eq!(engine.connect().unwrap().transaction(D::one), Ok(1));
            assert_eq!(database.committed_rows(), 0, "with {reset:?}");
        }
    }
}

#[test]
fn pool_reset_on_return_can_commit_what_was_begun_in_raw_words() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.engine(D::narrow().pool_reset_on_return(ResetOnReturn::Commit));
        let mut connection = engine.connect().unwrap();
        connection
            .batch_execute(&format!("BEGIN; {INSERT}"))
            .unwrap();
        drop(connection);
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn law_6_a_connection_abandoned_in_the_middle_of_an_operation_is_never_lent_again() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.narrow_engine();
        let mut connection = engine.connect().unwrap();
        was_marked::<D>(&mut connection);
        connection.set_instrumentation(|event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::FinishQuery { .. } = event {
                std::panic::resume_unwind(Box::new("in the middle of a driver call"));
            }
        });

        let panicked = catch_unwind(AssertUnwindSafe(|| connection.batch_execute(INSERT)));
        assert!(panicked.is_err());
        drop(connection);

        assert!(!was_marked::<D>(&mut engine.connect().unwrap()));
    }
}

#[test]
fn the_program_s_instrumentation_sees_the_program_and_goes_with_it() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.narrow_engine();
        let seen = Arc::new(AtomicUsize::new(0));
        let mut connection = engine.connect().unwrap();
        let counter = Arc::clone(&seen);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(D::one(&mut connection), Ok(1));
        connection
            .batch_execute("SELECT * FROM nowhere")
            .unwrap_err();
        connection.batch_execute("BEGIN").unwrap();
        drop(connection);
        let only_the_program_s = 3;
        assert_eq!(seen.load(Ordering::Relaxed), only_the_program_s);

        assert_eq!(D::one(&mut engine.connect().unwrap()), Ok(1));
        assert_eq!(seen.load(Ordering::Relaxed), only_the_program_s);
    }
}

#[test]
fn a_test_transaction_stays_open_in_the_pool() {
    // Not in a NullPool, which keeps nothing.
    on::<PostgreSql>(case::<PostgreSql>);
    on::<MariaDb>(case::<MariaDb>);
    on::<QueuePooled>(case::<QueuePooled>);
    on::<Sqlite>(case::<Sqlite>);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.narrow_engine();
        engine.connect().unwrap().begin_test_transaction().unwrap();

        let mut connection = engine.connect().unwrap();
        connection.transaction(|c| c.batch_execute(INSERT)).unwrap();
        drop(connection);

        assert_eq!(D::rows(&mut engine.connect().unwrap()), Ok(1));
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn the_size_of_the_statement_cache_is_the_program_s_on_each_connection_and_not_the_next_one_s() {
    // Not behind PgBouncer, where statements must not be kept.
    on::<PostgreSql>(case::<PostgreSql>);
    on::<MariaDb>(case::<MariaDb>);
    on::<Sqlite>(case::<Sqlite>);

    /// Whether this typed query is prepared to be kept.
    fn is_cached<D: Database>(connection: &mut Connection<D::Driver>) -> bool {
        let kept = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&kept);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::CacheQuery { .. }) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        D::cacheable(connection).unwrap();
        kept.load(Ordering::Relaxed) == 1
    }

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.narrow_engine();
        let mut connection = engine.connect().unwrap();
        connection.set_prepared_statement_cache_size(CacheSize::Disabled);
        assert!(!is_cached::<D>(&mut connection));
        connection.invalidate();
        assert!(!is_cached::<D>(&mut connection), "on the next connection");
        drop(connection);
        assert!(
            is_cached::<D>(&mut engine.connect().unwrap()),
            "for the next user"
        );
    }
}

#[test]
fn a_full_pool_says_who_is_to_blame() {
    on_each_database!(case);

    fn case<D: Database>() {
        let database = D::start();
        let engine = database.narrow_engine();
        let _held = engine.connect().unwrap();
        let told = engine
            .pool()
            .checkout_timeout(std::time::Duration::from_millis(20))
            .unwrap_err()
            .to_string();
        assert!(told.contains("all connections were in use"), "{told}");
        assert!(told.contains("Connections in pool: 0"), "{told}");
        assert!(told.contains("Checked out connections: 1"), "{told}");
    }
}
