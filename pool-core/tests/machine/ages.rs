//! How old connections become.

use crate::words::*;

const RECYCLE: Duration = Duration::from_secs(1_000);

/// How old connections become that are opened one after another, in milliseconds.
fn ages(seed: u64, jitter: u8) -> Vec<u64> {
    let mut pool = pool_of(|options| {
        (options.recycle, options.recycle_jitter) = (Some(RECYCLE), jitter);
        (options.seed, options.capacity) = (seed, Capacity::Unlimited);
    });
    let born = at(5);
    let mut entries: Vec<_> = (0..200)
        .map(|number| opened(&mut pool, number, born))
        .collect();
    let mut ages = Vec::new();
    let mut age = 0;
    while !entries.is_empty() {
        let before = entries.len();
        let now = born + millis(age);
        for entry in entries.drain(..) {
            given_back(&mut pool, entry, now);
        }
        while let Checkout::Lent(entry) = checkout_or_leave(&mut pool, now) {
            entries.push(entry);
        }
        finish(&mut pool, now);
        ages.extend(std::iter::repeat_n(age, before - entries.len()));
        age += 1_000;
    }
    ages
}

fn checkout_or_leave(pool: &mut Pool, now: Time) -> Checkout<u32, &'static str> {
    let checkout = pool.checkout(Borrower::here(), &now);
    if let Checkout::Queued(ticket) = &checkout {
        pool.withdraw(ticket, now);
    }
    checkout
}

/// Closes what is to be closed; what is to be opened is not.
fn finish(pool: &mut Pool, now: Time) {
    while let Some(action) = next_work(pool) {
        match action {
            Action::Close(closing, _) => pool.closed(closing, now),
            Action::Connect { permit, .. } => {
                pool.connect_failed(permit, "no more", ConnectFault::Permanent, now);
            }
            other => panic!("expected a close, not {other:?}"),
        }
    }
}

#[test]
fn jitter_makes_connections_younger_than_recycle_never_older() {
    let ages = ages(7, 10);
    let (least, most) = (ages.iter().min(), ages.iter().max());
    assert!(least >= Some(&900_000), "{least:?}");
    assert!(most <= Some(&1_001_000), "{most:?}");
}

#[test]
fn jitter_spreads_the_ends_of_those_opened_together() {
    let mut ages = ages(7, 10);
    assert!(ages.iter().min() < Some(&905_000) && ages.iter().max() > Some(&995_000));
    ages.sort_unstable();
    ages.dedup();
    assert!(ages.len() > 60, "only {} different ones", ages.len());
}

#[test]
fn jitter_differs_by_seed() {
    assert_ne!(ages(2, 10), ages(4, 10));
}

#[test]
fn full_jitter_spreads_over_all_of_the_time() {
    let ages = ages(7, 100);
    assert!(ages.iter().min() < Some(&50_000) && ages.iter().max() > Some(&950_000));
}

#[test]
fn without_jitter_all_become_equally_old() {
    assert!(ages(7, 0).iter().all(|age| *age == 1_001_000));
}
