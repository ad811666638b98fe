//! Each operation, given up at each of its waits, on each database.

use crate::{
    database::{Database, File, Maria, Pg, assert_sound},
    operation::{Attempt, Operation},
};

/// No operation of these has so many.
const MOST_WAITS: usize = 2000;

/// The waits after which an operation is given up: all, or some of those that follow the first.
fn moments() -> impl Iterator<Item = usize> {
    let is_soaking = std::env::var_os("EVERPOOL_SOAK").is_some();
    let next = move |waits: &usize| {
        Some(if is_soaking {
            waits + 1
        } else {
            waits + 1 + waits / 3
        })
    };
    std::iter::successors(Some(0), next).take_while(|waits| *waits < MOST_WAITS)
}

async fn every_operation_is_given_up_at_every_wait<D: Database>() {
    let database = D::start();
    let engine = database.narrow();
    let mut cases = 0;
    for operation in Operation::ALL {
        for waits in moments() {
            cases += 1;
            let attempt = Attempt {
                database: &database,
                engine: &engine,
                row: cases,
                waits,
            };
            let is_whole = attempt.make(operation).await;
            let after = format!("{operation:?}, given up after {waits} waits");
            assert_sound::<D>(&engine, &after).await;
            if let Some(most) = operation.commits() {
                let rows = database.committed(cases).await;
                let least = if is_whole { most } else { 0 };
                let name = D::NAME;
                assert!(
                    (least..=most).contains(&rows),
                    "{name}: {rows} rows after {after}"
                );
            }
            if is_whole {
                break;
            }
        }
    }
    assert_eq!(engine.status().checked_out, 0);
    println!("{}: {cases} cases", D::NAME);
    assert!(cases > Operation::ALL.len(), "some were given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_given_up_on_postgresql_the_next_users_are_served() {
    every_operation_is_given_up_at_every_wait::<Pg>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_given_up_on_mariadb_the_next_users_are_served() {
    every_operation_is_given_up_at_every_wait::<Maria>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_given_up_on_sqlite_the_next_users_are_served() {
    every_operation_is_given_up_at_every_wait::<File>().await;
}
