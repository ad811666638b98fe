//! A connection that is taken out of its lease and put back; and who would wait for itself.

use std::{
    thread,
    time::{Duration, Instant},
};

use everpool_core::{Cause, CheckoutError, Phase, Residue};

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/diary.rs"]
mod diary;
#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use diary::{PATIENCE, block_on, heard, lease, pool, pool_with, settled};
use support::Method;

#[test]
fn a_connection_that_is_taken_out_keeps_its_place_until_it_is_put_back() {
    let pool = pool();
    let (connection, place) = lease(&pool).take_out();
    assert_eq!(connection.number, 1);
    assert_eq!(pool.status().checked_out, 1);
    let late = pool.checkout_timeout(Duration::from_millis(1)).err();
    assert!(
        matches!(late, Some(CheckoutError::TimedOut(told)) if told.phase == Phase::Queue),
        "there was a place for another"
    );
    drop(place.put_back(connection));
    assert_eq!(pool.status().idle, 1);
    assert_eq!(lease(&pool).number, 1);
}

#[test]
fn a_connection_that_is_put_back_is_reset_and_undone_as_any_other() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    out.info().insert("kept");
    let undone = diary.clone();
    out.at_return(move |connection| {
        undone.write(format_args!("undo {}", connection.number));
        Ok(())
    });
    let (mut connection, place) = out.take_out();
    connection.residue = Residue::Open;
    diary.all();
    let mut back = place.put_back(connection);
    assert_eq!(back.info().get::<&str>(), Some(&"kept"));
    drop(back);
    settled(&pool);
    assert_eq!(
        diary.all(),
        ["reset 1", "driver: Rollback 1", "undo 1", "checkin 1"]
    );
}

#[test]
fn a_connection_that_was_invalidated_softly_is_closed_when_it_is_put_back_and_not_called_lost() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    out.invalidate_soft();
    let (connection, place) = out.take_out();
    diary.all();
    drop(place.put_back(connection));
    settled(&pool);
    assert_eq!(diary.events(), ["reset 1, clean", "checkin 1", "close 1"],);
}

#[test]
fn the_place_of_a_connection_that_does_not_come_back_is_free_at_once() {
    let pool = pool();
    let (connection, place) = lease(&pool).take_out();
    drop(place);
    assert_eq!(connection.number, 1);
    assert_eq!(lease(&pool).number, 2);
    assert_eq!(pool.connector().scripted.calls(Method::Close), 0);
    assert_eq!(pool.status().checked_out, 0);
}

#[test]
fn a_connection_that_is_put_back_into_a_pool_that_was_recreated_is_closed() {
    let pool = pool();
    let (connection, place) = lease(&pool).take_out();
    pool.recreate();
    drop(place.put_back(connection));
    settled(&pool);
    assert_eq!(pool.snapshot().closed(Cause::Superseded), 1);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn who_is_not_to_wait_for_itself_is_refused_at_once_and_told_where_it_has_the_connection() {
    let pool = pool_with(|options| options.own_patience = Some(Duration::ZERO));
    let held = lease(&pool);
    let began = Instant::now();
    let refused = pool.checkout().err();
    let Some(CheckoutError::InUse { by: Some(by) }) = refused else {
        panic!("not refused: {refused:?}");
    };
    assert!(began.elapsed() < PATIENCE);
    assert!(by.place.file().ends_with("diary.rs"), "{by}");
    assert_eq!(pool.status().waiting, 0);

    // Another thread waits, as ever.
    let late = thread::scope(|scope| {
        let waiter = scope.spawn(|| pool.checkout_timeout(Duration::from_millis(1)).err());
        waiter.join()
    });
    assert!(matches!(late, Ok(Some(CheckoutError::TimedOut(_)))));
    drop(held);
    assert_eq!(lease(&pool).number, 1);
}

#[test]
fn a_task_waits_for_itself_no_longer_than_it_is_to() {
    let pool = pool_with(|options| options.own_patience = Some(Duration::from_millis(1)));
    let Ok(tasks) = pool.for_tasks() else {
        panic!("every class but one is for tasks");
    };
    let late = block_on(async {
        let held = tasks.checkout().await;
        let late = tasks.checkout().await.err();
        drop(held);
        late
    });
    let Some(CheckoutError::TimedOut(told)) = late else {
        panic!("not too late: {late:?}");
    };
    assert!(told.own.is_some() && told.waited < PATIENCE, "{told}");
}
