//! Tests of users' programs: all that is done in them is rolled back.

use std::{
    thread,
    time::{Duration, Instant},
};

use everpool_core::CheckoutError;
use everpool_engine::EngineOptions;
use everpool_session::JoinTransactionMode;
use everpool_tests::MariaDb;

use crate::{
    adapter::{Connection, Engine, GIVEN_UP, Outcome, Session, Statements, Transactions},
    database::{Database, Server, on_each, on_each_database, on_each_server},
};

const INSERT: &str = "INSERT INTO t VALUES (1)";

/// What the engine of a test sees.
fn rows<E: Engine>(engine: &E) -> i64 {
    engine.connect().unwrap().rows().unwrap()
}

#[test]
fn what_is_committed_in_a_test_is_seen_in_it_and_nowhere_else() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.narrow_engine::<E>();
        engine.rehearse(|test| {
            test.connect().unwrap().execute(INSERT).unwrap();
            assert_eq!((rows(test), database.committed_rows()), (1, 0));

            let mut session = test.session();
            session.execute(INSERT).unwrap();
            session.commit().unwrap();
            session.execute(INSERT).unwrap();
            session.commit().unwrap();
            assert_eq!((rows(test), database.committed_rows()), (3, 0));

            let mut connection = test.connect().unwrap();
            connection.transaction(|c| c.execute(INSERT)).unwrap();
            assert!(!connection.in_transaction());
            drop(connection);
            assert_eq!((rows(test), database.committed_rows()), (4, 0));
        });
        // The connection is back, and fit.
        assert_eq!(database.committed_rows(), 0);
        assert_eq!(rows(&engine), 0);
        engine.connect().unwrap().execute(INSERT).unwrap();
        assert_eq!(database.committed_rows(), 1);
    }
}

#[test]
fn what_is_rolled_back_in_a_test_takes_nothing_else_with_it() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        database.default_engine::<E>().rehearse(|test| {
            test.connect().unwrap().execute(INSERT).unwrap();
            let mut session = test.session();
            session.execute(INSERT).unwrap();
            session.rollback().unwrap();
            session.execute(INSERT).unwrap();
            drop(session);
            let mut connection = test.connect().unwrap();
            let undone = connection.transaction(|c| -> Outcome {
                c.execute(INSERT)?;
                c.transaction(|c| c.execute(INSERT))?;
                Err(GIVEN_UP.into())
            });
            undone.unwrap_err();
            assert_eq!(connection.rows().unwrap(), 1);
            let nested = connection.transaction(|c| -> Outcome {
                c.execute(INSERT)?;
                let undone = c.transaction(|c| -> Outcome {
                    c.execute(INSERT)?;
                    Err(GIVEN_UP.into())
                });
                undone.unwrap_err();
                Ok(())
            });
            nested.unwrap();
            drop(connection);
            assert_eq!(rows(test), 2);
        });
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn a_statement_that_fails_in_a_test_fails_alone() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        const NOWHERE: &str = "INSERT INTO nowhere VALUES (1)";
        database.default_engine::<E>().rehearse(|test| {
            let mut connection = test.connect().unwrap();
            connection.execute(INSERT).unwrap();
            connection.execute(NOWHERE).unwrap_err();
            connection.execute(INSERT).unwrap();
            connection.execute(NOWHERE).unwrap_err();
            drop(connection);
            assert_eq!(rows(test), 2);

            let mut session = test.session();
            session.execute(INSERT).unwrap();
            session.execute(NOWHERE).unwrap_err();
            session.rollback().unwrap();
            session.execute(INSERT).unwrap();
            session.commit().unwrap();
            assert_eq!(rows(test), 3);
        });
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn a_transaction_on_the_driver_s_own_connection_is_a_savepoint_in_a_test() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        database.default_engine::<E>().rehearse(|test| {
            test.connect().unwrap().execute(INSERT).unwrap();
            let mut connection = test.connect().unwrap();
            let driver = connection.driver_connection().unwrap();
            driver
                .execute("INSERT INTO nowhere VALUES (1)")
                .unwrap_err();
            connection.execute(INSERT).unwrap();
            let driver = connection.driver_connection().unwrap();
            E::Connection::commit_on_driver(driver, INSERT);
            drop(connection);
            assert_eq!((rows(test), database.committed_rows()), (3, 0));

            let mut connection = test.connect().unwrap();
            let driver = connection.driver_connection().unwrap();
            E::Connection::leave_open_on_driver(driver, INSERT);
            drop(connection);
            assert_eq!((rows(test), database.committed_rows()), (3, 0));

            let mut connection = test.connect().unwrap();
            let driver = connection.driver_connection().unwrap();
            driver
                .execute("INSERT INTO nowhere VALUES (1)")
                .unwrap_err();
            drop(connection);
            assert_eq!(rows(test), 3);
        });
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn what_is_left_open_in_a_test_is_rolled_back_at_its_return() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let options =
            EngineOptions::builder().pool_reset_on_return(everpool_core::ResetOnReturn::Commit);
        database.engine::<E>(options).rehearse(|test| {
            let mut connection = test.connect().unwrap();
            connection.begin().unwrap();
            connection.execute(INSERT).unwrap();
            drop(connection);
            assert_eq!(rows(test), 0);
        });
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn a_session_joins_a_connection_of_a_test() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        database.default_engine::<E>().rehearse(|test| {
            let mut connection = test.connect().unwrap();
            connection.in_session(Some(JoinTransactionMode::ControlFully), |session| {
                session.execute(INSERT).unwrap();
                session.commit().unwrap();
                session.execute(INSERT).unwrap();
            });
            assert_eq!(connection.rows().unwrap(), 1);
        });
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn who_has_the_connection_of_a_test_is_told_at_once_that_it_waits_for_itself() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        database.default_engine::<E>().rehearse(|test| {
            let held = test.connect().unwrap();
            let began = Instant::now();
            let refused = test.checkout_timeout(Duration::from_secs(60)).unwrap_err();
            assert!(began.elapsed() < Duration::from_secs(20), "{refused}");
            let told = refused.to_string();
            assert!(told.contains("checked out at"), "{told}");
            drop(held);
            test.checkout_timeout(Duration::from_secs(60)).unwrap();
        });
    }
}

#[test]
fn others_wait_for_the_connection_of_a_test_and_are_told_who_has_it() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        database.default_engine::<E>().rehearse(|test| {
            let held = test.connect().unwrap();
            let patience = Duration::from_millis(50);
            let late = thread::scope(|scope| {
                scope
                    .spawn(|| test.checkout_timeout(patience))
                    .join()
                    .unwrap()
            });
            let late = late.unwrap_err();
            assert!(matches!(late, CheckoutError::TimedOut(_)), "{late}");
            assert!(late.to_string().contains("checked out at"), "{late}");

            thread::scope(|scope| {
                let waiting = scope.spawn(|| test.checkout_timeout(Duration::from_secs(20)));
                crate::database::until("one waits", || test.status().waiting == 1);
                drop(held);
                waiting.join().unwrap().unwrap();
            });
        });
    }
}

#[test]
fn a_test_whose_connection_is_lost_gets_no_other() {
    on_each_server!(case);

    fn case<E: Engine, D: Server>(server: &mut D) {
        let engine = server.default_engine::<E>();
        engine.rehearse(|test| {
            test.connect().unwrap().execute(INSERT).unwrap();
            let mut connection = test.connect().unwrap();
            connection.one().unwrap();
            server.end_sessions();
            connection.execute(INSERT).unwrap_err();
            connection.execute(INSERT).unwrap_err();
            drop(connection);
            let gone = test.connect().unwrap_err();
            assert!(gone.to_string().contains("begin another"), "{gone}");
            test.session().execute(INSERT).unwrap_err();
        });
        assert_eq!(server.committed_rows(), 0);
        engine.rehearse(|test| assert_eq!(rows(test), 0));
    }
}

#[test]
fn a_test_goes_on_when_its_pool_is_disposed_of_and_connections_are_invalidated() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.narrow_engine::<E>();
        engine.rehearse(|test| {
            test.connect().unwrap().execute(INSERT).unwrap();
            test.dispose();
            assert_eq!(rows(test), 1);
            let mut connection = test.connect().unwrap();
            connection.execute(INSERT).unwrap();
            connection.invalidate();
            drop(connection);
            assert_eq!(rows(test), 2);
            let mut connection = test.connect().unwrap();
            connection.begin().unwrap();
            connection.execute(INSERT).unwrap();
            connection.invalidate();
            drop(connection);
            assert_eq!(rows(test), 2);
            test.dispose();
        });
        assert_eq!((rows(&engine), database.committed_rows()), (0, 0));
    }
}

#[test]
fn a_test_in_which_a_statement_commits_by_the_way_is_over() {
    on_each!(case: MariaDb);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.default_engine::<E>();
        engine.rehearse(|test| {
            let mut connection = test.connect().unwrap();
            connection
                .execute("CREATE TABLE by_the_way (i int)")
                .unwrap();
            let over = connection.execute(INSERT).unwrap_err();
            assert!(over.to_string().contains("commits by the way"), "{over}");
            drop(connection);
            test.connect().unwrap_err();
        });
        assert_eq!(database.committed_rows(), 0);
        engine
            .connect()
            .unwrap()
            .execute("DROP TABLE by_the_way")
            .unwrap();
    }
}

#[test]
fn a_test_that_is_committed_on_the_driver_s_own_connection_is_over() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        database.default_engine::<E>().rehearse(|test| {
            let mut connection = test.connect().unwrap();
            let driver = connection.driver_connection().unwrap();
            driver.execute("COMMIT").unwrap();
            connection.execute(INSERT).unwrap_err();
            drop(connection);
            let gone = test.connect().unwrap_err();
            assert!(gone.to_string().contains("begin another"), "{gone}");
        });
        assert_eq!(database.committed_rows(), 0);
    }
}

#[test]
fn a_test_leaves_a_connection_that_commits_by_itself() {
    on_each!(case: MariaDb);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.narrow_engine::<E>();
        engine.connect().unwrap().mark();
        engine.rehearse(|test| assert_eq!(rows(test), 0));
        let mut connection = engine.connect().unwrap();
        assert!(connection.mark(), "it was another connection");
        assert_eq!(connection.number("@@autocommit").unwrap(), 1);
    }
}

/// What can be done at random, and what is to be there after it.
struct Play<'a, E: Engine> {
    test: &'a E,
    random: u64,
    committed: i64,
}

impl<E: Engine> Play<'_, E> {
    /// A number below `most`.
    fn any(&mut self, most: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.random >> 33) % most
    }

    fn step(&mut self) {
        match self.any(4) {
            0 => {
                self.test.connect().unwrap().execute(INSERT).unwrap();
                self.committed += 1;
            }
            1 => {
                let mut session = self.test.session();
                let written = self.act(&mut session, 3);
                match self.any(3) {
                    0 => {
                        session.commit().unwrap();
                        self.committed += written;
                    }
                    1 => session.rollback().unwrap(),
                    _ => {}
                }
            }
            2 => {
                let mut connection = self.test.connect().unwrap();
                let written = self.act(&mut *connection, 2);
                // Outside of a transaction each is committed by itself.
                self.committed += written;
            }
            _ => {
                let nowhere = "INSERT INTO nowhere VALUES (1)";
                let mut connection = self.test.connect().unwrap();
                connection.execute(nowhere).unwrap_err();
            }
        }
    }

    /// Statements and transactions within, some of which fail; gives how many rows are to stay.
    fn act<T: Transactions<Error: 'static>>(&mut self, on: &mut T, depth: u32) -> i64 {
        let mut written = 0;
        for _ in 0..self.any(4) {
            let is_nested = depth > 0 && self.any(2) == 0;
            if !is_nested {
                on.execute(INSERT).unwrap();
                written += 1;
                continue;
            }
            let fails = self.any(2) == 0;
            let mut within = 0;
            let done = on.transaction(|on| -> Outcome {
                within = self.act(on, depth - 1);
                match fails {
                    true => Err(GIVEN_UP.into()),
                    false => Ok(()),
                }
            });
            assert_eq!(done.is_err(), fails);
            written += if fails { 0 } else { within };
        }
        written
    }
}

#[test]
fn a_test_survives_whatever_is_nested_in_it() {
    on_each_database!(case);

    fn case<E: Engine, D: Database>(database: &mut D) {
        let engine = database.narrow_engine::<E>();
        for seed in 0..12 {
            engine.rehearse(|test| {
                let mut play = Play {
                    test,
                    random: seed,
                    committed: 0,
                };
                for _ in 0..5 + play.any(26) {
                    play.step();
                    assert_eq!(rows(test), play.committed, "seed {seed}");
                }
                assert_eq!(database.committed_rows(), 0);
            });
        }
        assert_eq!(database.committed_rows(), 0);
    }
}
