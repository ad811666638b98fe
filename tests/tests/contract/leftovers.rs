//! What a user leaves on a connection, and what the next one finds.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use everpool_core::ResetOnReturn;

use crate::{
    adapter::{Connection, Engine, Outcome, Statements, Transactions},
    database::{Database, on_each_database},
};

const INSERT: &str = "INSERT INTO t VALUES (1)";

#[test]
fn what_a_user_leaves_open_is_undone_before_the_next_user() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.narrow_engine::<E>();
        assert!(!engine.connect().unwrap().mark());
        for (what, leave) in ways_to_leave_one_open::<E>() {
            leave(&engine);
            let mut next = engine.connect().unwrap();
            let is_kept = next.mark();
            assert_eq!(is_kept, D::KEEPS, "the same connection after {what}");
            assert_eq!(
                next.transaction(Statements::one).unwrap(),
                1,
                "after {what}"
            );
            assert_eq!(next.rows().unwrap(), 0, "after {what}");
            assert_eq!(database.committed_rows(), 0, "after {what}");
        }
    }
}

type Leave<E> = (&'static str, fn(&E));

fn ways_to_leave_one_open<E: Engine>() -> [Leave<E>; 7] {
    [
        ("a raw BEGIN", |engine| {
            let mut connection = engine.connect().unwrap();
            connection.execute(&format!("BEGIN; {INSERT}")).unwrap();
        }),
        ("a begin without an end", |engine| {
            let mut connection = engine.connect().unwrap();
            connection.begin().unwrap();
            connection.execute(INSERT).unwrap();
        }),
        ("a panic in a transaction", |engine| {
            let mut connection = engine.connect().unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                connection.transaction(|c| -> Outcome {
                    c.execute(INSERT)?;
                    std::panic::resume_unwind(Box::new("the program's own"));
                })
            }));
            assert!(panicked.is_err());
        }),
        ("a panic in a savepoint", |engine| {
            let mut connection = engine.connect().unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                connection.transaction(|c| {
                    c.transaction(|c| -> Outcome {
                        c.execute(INSERT)?;
                        std::panic::resume_unwind(Box::new("the program's own"));
                    })
                })
            }));
            assert!(panicked.is_err());
        }),
        ("a failed transaction", |engine| {
            let mut connection = engine.connect().unwrap();
            connection
                .execute(&format!("BEGIN; {INSERT}; SELECT * FROM nowhere"))
                .unwrap_err();
        }),
        ("a session without a commit", |engine| {
            let mut session = engine.session();
            session.execute(INSERT).unwrap();
        }),
        ("a BEGIN past the connection", |engine| {
            let mut connection = engine.connect().unwrap();
            let raw = connection.as_driver();
            raw.execute("BEGIN").unwrap();
            raw.execute(INSERT).unwrap();
        }),
    ]
}

#[test]
fn what_was_begun_and_not_ended_is_never_committed_by_the_return() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        for reset in [ResetOnReturn::Commit, ResetOnReturn::Nothing] {
            let engine = database.engine::<E>(D::narrow().pool_reset_on_return(reset));

            let mut session = engine.session();
            session.execute(INSERT).unwrap();
            drop(session);
            let mut connection = engine.connect().unwrap();
            connection.begin().unwrap();
            connection.execute(INSERT).unwrap();
            drop(connection);

            // The next user finds nothing of it, and no transaction open.
            let mut next = engine.connect().unwrap();
            assert_eq!(next.transaction(Statements::one).unwrap(), 1);
            assert_eq!(database.committed_rows(), 0, "with {reset:?}");
        }
    }
}

#[test]
fn pool_reset_on_return_can_commit_what_was_begun_in_raw_words() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.engine::<E>(D::narrow().pool_reset_on_return(ResetOnReturn::Commit));
        let mut connection = engine.connect().unwrap();
        connection.execute(&format!("BEGIN; {INSERT}")).unwrap();
        drop(connection);
        // The next one waits until that is done.
        drop(engine.connect().unwrap());
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn law_6_a_connection_abandoned_in_the_middle_of_an_operation_is_never_lent_half_used() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.narrow_engine::<E>();
        let mut connection = engine.connect().unwrap();
        connection.mark();
        connection.abandon(INSERT);
        drop(connection);

        let mut next = engine.connect().unwrap();
        assert!(!next.mark() || E::MENDS);
        assert_eq!(next.number("40 + 2").unwrap(), 42);
        assert_eq!(next.transaction(Statements::one).unwrap(), 1);
    }
}

#[test]
fn a_full_pool_says_who_is_to_blame() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.narrow_engine::<E>();
        let _held = engine.connect().unwrap();
        let told = engine.checkout_timeout(Duration::from_millis(20));
        let told = told.unwrap_err().to_string();
        assert!(told.contains("all connections were in use"), "{told}");
        assert!(told.contains("Connections in pool: 0"), "{told}");
        assert!(told.contains("Checked out connections: 1"), "{told}");
    }
}
