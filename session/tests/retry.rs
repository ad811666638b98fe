//! Whether another attempt is made, and after which pause.

use std::time::{Duration, Instant};

use everpool_session::{
    Retry, RetryPolicy, RetryReason,
    retry::{Attempts, Failure},
};

fn failure(met: Option<RetryReason>) -> Failure<&'static str> {
    Failure {
        error: "overtaken",
        met,
        may_be_committed: false,
    }
}

fn conflict() -> Failure<&'static str> {
    failure(Some(RetryReason::Conflict))
}

/// All pauses after conflicts, if the attempts take so long each.
fn pauses(retry: Retry, each: Duration) -> Vec<Duration> {
    let mut now = Instant::now();
    let mut attempts = Attempts::begin::<&str>(retry, now);
    let pauses = std::iter::from_fn(|| {
        now += each;
        let pause = attempts.after(&conflict(), now)?;
        now += pause;
        Some(pause)
    });
    pauses.collect()
}

fn is_tried_again(policy: impl RetryPolicy<&'static str>, after: &Failure<&'static str>) -> bool {
    let now = Instant::now();
    Attempts::begin(policy, now).after(after, now).is_some()
}

#[test]
fn by_default_there_are_five_attempts_with_pauses_that_double_from_10_ms_and_are_longer_by_chance()
{
    for _ in 0..100 {
        let pauses = pauses(Retry::default(), Duration::ZERO);
        assert_eq!(pauses.len(), 4, "{pauses:?}");
        for (pause, least) in pauses.iter().zip([10, 20, 40, 80]) {
            let least = Duration::from_millis(least);
            let far = least * 2 + Duration::from_micros(1);
            assert!(*pause >= least && *pause < far, "{pauses:?}");
        }
    }
}

#[test]
fn those_who_met_in_a_conflict_do_not_pause_alike() {
    let first = pauses(Retry::default(), Duration::ZERO);
    let differs = (0..10).any(|_| pauses(Retry::default(), Duration::ZERO) != first);
    assert!(differs, "{first:?}");
}

#[test]
fn a_pause_has_its_bound() {
    let retry = Retry::default().max_attempts(30);
    let longest = pauses(retry, Duration::ZERO).into_iter().max().unwrap();
    assert!(longest >= Duration::from_secs(1) && longest <= Duration::from_secs(2));
    let bound = Duration::from_millis(5);
    let pauses = pauses(Retry::default().max_delay(bound), Duration::ZERO);
    assert!(pauses.iter().all(|pause| *pause <= bound * 2), "{pauses:?}");
}

#[test]
fn no_attempt_begins_after_the_time_is_up() {
    let slow = Duration::from_secs(50);
    assert_eq!(pauses(Retry::default(), slow), []);
    let patient = Retry::default().max_elapsed(Duration::from_secs(120));
    assert_eq!(pauses(patient, slow).len(), 2);
    assert_eq!(
        pauses(Retry::default().max_elapsed(Duration::ZERO), Duration::ZERO),
        []
    );
}

#[test]
fn the_first_attempt_may_be_the_only_one() {
    for attempts in [0, 1] {
        let once = Retry::default().max_attempts(attempts);
        assert_eq!(pauses(once, Duration::ZERO), []);
    }
}

#[test]
fn only_what_the_session_has_met_or_the_program_asks_for_is_tried_again() {
    let retry = Retry::default();
    assert!(is_tried_again(retry, &failure(Some(RetryReason::Conflict))));
    assert!(is_tried_again(
        retry,
        &failure(Some(RetryReason::Disconnect))
    ));
    assert!(!is_tried_again(retry, &failure(None)));
    let asked = |words| retry.when(move |error: &&str| *error == words);
    assert!(is_tried_again(asked("overtaken"), &failure(None)));
    assert!(!is_tried_again(asked("refused"), &failure(None)));
    assert!(is_tried_again(asked("refused"), &conflict()));
}

#[test]
fn what_may_be_committed_is_never_tried_again() {
    for met in [
        None,
        Some(RetryReason::Conflict),
        Some(RetryReason::Disconnect),
    ] {
        let mut failure = failure(met);
        failure.may_be_committed = true;
        let asked = Retry::default().when(|_: &&str| true);
        assert!(!is_tried_again(asked, &failure), "{met:?}");
    }
}
