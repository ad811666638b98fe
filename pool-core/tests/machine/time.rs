//! Moments and how long things took.

use crate::words::*;

#[test]
fn a_moment_before_another_is_no_time_after_it() {
    assert_eq!(at(5).since(at(3)), millis(2));
    assert_eq!(at(3).since(at(5)), Duration::ZERO);
    assert_eq!(at(3) + millis(2), at(5));
}

#[test]
fn time_ends_and_does_not_begin_again() {
    assert_eq!(Time::after_start(Duration::MAX), Time::NEVER);
    assert_eq!(Time::after_start(Duration::from_secs(1 << 40)), Time::NEVER);
    assert_eq!(at(1) + Duration::MAX, Time::NEVER);
    assert_eq!(Time::NEVER + millis(1), Time::NEVER);
    let last = Duration::from_nanos(u64::MAX);
    assert_eq!(Time::NEVER.since(Time::START), last);
    assert!(Time::after_start(last - Duration::from_nanos(1)) < Time::NEVER);
}

/// How long who waited did so, in a pool where each waited for that long.
fn waits(durations: impl IntoIterator<Item = Duration>) -> Histogram {
    let mut pool = pool_of(|options| options.capacity = Capacity::Unlimited);
    for duration in durations {
        let ticket = queued(&mut pool, at(1));
        let (permit, _) = to_connect(&mut pool);
        pool.connected(permit, 1, at(1) + duration);
        let _entry = handed(&mut pool, &ticket);
    }
    pool.snapshot(at(1)).waits
}

#[test]
fn a_bucket_includes_its_upper_bound() {
    let bounds = Histogram::BOUNDS;
    assert_eq!(waits(bounds).counts(), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    let above = bounds.map(|bound| bound + Duration::from_nanos(1));
    assert_eq!(waits(above).counts(), [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_histogram_knows_how_many_there_were_and_how_long_they_took_together() {
    let waits = waits([millis(2), millis(3), Duration::from_secs(60)]);
    assert_eq!((waits.count(), waits.sum()), (3, millis(60_005)));
    assert_eq!(
        (Histogram::default().count(), Histogram::default().sum()),
        (0, Duration::ZERO)
    );
}
