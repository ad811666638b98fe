//! Who is called, and in which order.

use std::{
    sync::{Mutex, atomic::Ordering},
    time::Duration,
};

use everpool_r2d2::{
    HandleEvent, Pool,
    event::{AcquireEvent, CheckinEvent, CheckoutEvent, ReleaseEvent, TimeoutEvent},
};

use crate::scripted::{Manager, listened_to, until};

#[test]
fn a_connection_s_life_is_told_in_r2d2_s_order() {
    let manager = Manager::default();
    let pool = listened_to(&manager).build(manager.clone()).unwrap();
    let diary = &manager.0.diary;
    assert_eq!(diary.take(), ["on_acquire 1", "acquire"]);
    let connection = pool.get().unwrap();
    assert_eq!(diary.take(), ["valid? 1", "checkout"]);
    let timeout = Duration::from_millis(5);
    assert!(pool.get_timeout(timeout).is_err());
    assert_eq!(diary.take(), ["timeout 5ms"]);
    drop(connection);
    assert_eq!(diary.take(), ["checkin", "broken? 1"]);
    manager.0.is_broken.store(true, Ordering::SeqCst);
    drop(pool.get().unwrap());
    let told = diary.take();
    let end = [
        "valid? 1",
        "checkout",
        "checkin",
        "broken? 1",
        "release",
        "on_release 1",
        "drop 1",
    ];
    // What is opened in its place may be told already.
    assert_eq!(told[..end.len()], end);
}

#[test]
fn a_connection_that_fails_its_test_is_released_and_another_is_opened() {
    let manager = Manager::default();
    let pool = listened_to(&manager).build(manager.clone()).unwrap();
    manager.0.diary.take();
    manager.0.is_invalid.store(true, Ordering::SeqCst);
    assert_eq!(pool.get().unwrap().number, 2, "a new one is not tested");
    let told = manager.0.diary.take();
    let first = [
        "valid? 1",
        "error: no sign of life",
        "release",
        "on_release 1",
        "drop 1",
    ];
    assert_eq!(told[..first.len()], first);
    assert_eq!(
        told[first.len()..first.len() + 3],
        ["on_acquire 2", "acquire", "checkout"]
    );
}

#[test]
fn nobody_is_told_of_the_connections_that_end_with_their_pool() {
    let manager = Manager::default();
    let pool = listened_to(&manager)
        .max_size(3)
        .build(manager.clone())
        .unwrap();
    manager.0.diary.take();
    let connection = pool.get().unwrap();
    drop(pool);
    assert_eq!(
        manager.0.diary.count("drop 1"),
        0,
        "a connection keeps its pool"
    );
    drop(connection);
    let told = manager.0.diary.take();
    assert!(!told.contains(&"release".to_owned()), "{told:?}");
    let dropped = told.iter().filter(|line| line.starts_with("drop"));
    assert_eq!(
        dropped.count(),
        3,
        "all are closed when the drop returns: {told:?}"
    );
}

#[test]
fn errors_of_connects_go_to_the_error_handler() {
    let manager = Manager::default();
    manager.0.is_down.store(true, Ordering::SeqCst);
    let pool = listened_to(&manager).build_unchecked(manager.clone());
    let refused = pool.get_timeout(Duration::from_millis(60)).unwrap_err();
    let told = refused.to_string();
    let why = "the server accepted no connection";
    assert!(
        told.starts_with("timed out waiting for connection: "),
        "{told}"
    );
    assert!(
        told.contains(why) && told.contains("the server is down"),
        "{told}"
    );
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert_eq!(source, "the server is down");
    assert!(manager.0.diary.count("error: the server is down") > 0);
}

/// Numbers and durations of the events.
#[derive(Debug, Default)]
struct Clock(Mutex<Vec<(&'static str, u64, Duration)>>);

impl Clock {
    fn note(&self, event: &'static str, connection: u64, duration: Duration) {
        self.0.lock().unwrap().push((event, connection, duration));
    }
}

#[derive(Debug)]
struct Shared(std::sync::Arc<Clock>);

impl HandleEvent for Shared {
    fn handle_acquire(&self, event: AcquireEvent) {
        self.0
            .note("acquire", event.connection_id(), Duration::ZERO);
    }
    fn handle_release(&self, event: ReleaseEvent) {
        self.0.note("release", event.connection_id(), event.age());
    }
    fn handle_checkout(&self, event: CheckoutEvent) {
        self.0
            .note("checkout", event.connection_id(), event.duration());
    }
    fn handle_timeout(&self, event: TimeoutEvent) {
        self.0.note("timeout", 0, event.timeout());
    }
    fn handle_checkin(&self, event: CheckinEvent) {
        self.0
            .note("checkin", event.connection_id(), event.duration());
    }
}

#[test]
fn events_tell_which_connection_and_how_long() {
    let manager = Manager::default();
    let clock = std::sync::Arc::<Clock>::default();
    let builder = Pool::builder().max_size(1).min_idle(Some(0));
    let pool = builder
        .event_handler(Box::new(Shared(clock.clone())))
        .build(manager.clone())
        .unwrap();
    manager.0.is_broken.store(true, Ordering::SeqCst);
    let used = Duration::from_millis(20);
    for _ in 0..2 {
        let connection = pool.get().unwrap();
        std::thread::sleep(used);
        drop(connection);
    }
    let told = std::mem::take(&mut *clock.0.lock().unwrap());
    let [names, ids] = [
        told.iter()
            .map(|told| told.0.to_owned())
            .collect::<Vec<_>>(),
        told.iter().map(|told| told.1.to_string()).collect(),
    ];
    let round = ["acquire", "checkout", "checkin", "release"];
    assert_eq!(names, [round, round].concat());
    assert!(ids[..4].iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(told[4].1 > told[0].1, "{ids:?}");
    assert!(told[1].2 < used, "the checkout: {told:?}");
    assert!(
        told[2].2 >= used && told[3].2 >= told[2].2,
        "the use, the age: {told:?}"
    );
}

#[test]
fn a_customizer_that_fails_is_asked_again_with_another_connection() {
    #[derive(Debug)]
    struct Second;
    impl everpool_r2d2::CustomizeConnection<crate::scripted::Connection, crate::scripted::Failed>
        for Second
    {
        fn on_acquire(
            &self,
            conn: &mut crate::scripted::Connection,
        ) -> Result<(), crate::scripted::Failed> {
            match conn.number {
                1 => Err(crate::scripted::Failed("not this one")),
                _ => Ok(()),
            }
        }
    }
    let manager = Manager::default();
    let pool = listened_to(&manager)
        .connection_customizer(Box::new(Second))
        .build(manager.clone())
        .unwrap();
    assert_eq!(pool.get().unwrap().number, 2);
    until("the first is dropped", || {
        manager.0.diary.count("drop 1") == 1
    });
    assert_eq!(manager.0.diary.count("error: not this one"), 1);
}
