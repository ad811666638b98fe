//! Who is called, in which order, and from when on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    thread,
};

use everpool_core::{Capacity, Wait};

use crate::diary::{Diary, PATIENCE, heard, lease, listen, pool, pool_with, settled};

fn numbered(diary: &Diary, name: &'static str) -> impl Fn() + Send + Sync + 'static {
    let diary = diary.clone();
    move || diary.write(name)
}

#[test]
fn hooks_are_called_in_the_order_of_their_registration_unless_inserted() {
    let pool = pool();
    let diary = Diary::default();
    let (one, two, three) = (
        numbered(&diary, "one"),
        numbered(&diary, "two"),
        numbered(&diary, "three"),
    );
    pool.events().connect(move |_, _| {
        one();
        Ok(())
    });
    pool.events().insert().connect(move |_, _| {
        two();
        Ok(())
    });
    pool.events().connect(move |_, _| {
        three();
        Ok(())
    });
    drop(lease(&pool));
    assert_eq!(diary.all(), ["two", "one", "three"]);
}

#[test]
fn hooks_of_a_wait_can_be_inserted_too() {
    let pool = pool();
    let diary = Diary::default();
    let (one, two) = (numbered(&diary, "one"), numbered(&diary, "two"));
    pool.events().wait(move |wait| {
        if matches!(wait, Wait::Started { .. }) {
            one();
        }
    });
    pool.events().insert().wait(move |wait| {
        if matches!(wait, Wait::Started { .. }) {
            two();
        }
    });
    drop(lease(&pool));
    assert_eq!(diary.all(), ["two", "one"]);
}

#[test]
fn hooks_registered_in_use_are_called_from_then_on() {
    let pool = pool();
    drop(lease(&pool));
    let out = lease(&pool);
    let diary = Diary::default();
    listen(&pool.events(), &diary);
    drop(out);
    assert_eq!(
        diary.all(),
        ["reset 1, clean", "checkin 1"],
        "though it was lent before"
    );
    drop(lease(&pool));
    assert_eq!(diary.all(), ["checkout 1", "reset 1, clean", "checkin 1"]);
}

#[test]
fn hooks_registered_through_any_handle_hear_of_all() {
    let pool = pool();
    let diary = Diary::default();
    let other = pool.clone();
    listen(&other.events(), &diary);
    drop(other);
    let tasks = pool.for_tasks().expect("a queue is for tasks too");
    let told = diary.clone();
    tasks.events().checkin(move |_, _| {
        told.write("again");
        Ok(())
    });
    drop(lease(&pool));
    assert_eq!(diary.all()[3..], ["reset 1, clean", "checkin 1", "again"]);
}

#[test]
fn a_hook_may_register_another_and_ask_the_pool() {
    let pool = pool();
    let handle = pool.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    pool.events().checkin(move |_, _| {
        let counted = Arc::clone(&counted);
        assert_eq!(handle.status().checked_out, 0);
        handle.events().checkin(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        Ok(())
    });
    drop(lease(&pool));
    assert_eq!(
        calls.load(Ordering::Relaxed),
        0,
        "not for the return that is under way"
    );
    drop(lease(&pool));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_hook_may_take_a_connection_of_its_own() {
    let pool = pool_with(|options| {
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
    });
    let handle = pool.clone();
    pool.events().checkin(move |connection, _| {
        if connection.is_some_and(|connection| connection.number == 1) {
            let other = handle.checkout()?;
            assert_eq!(other.number, 2);
        }
        Ok(())
    });
    drop(lease(&pool));
    assert_eq!(pool.status().idle, 2);
}

#[test]
fn hooks_run_where_the_reference_says() {
    let pool = pool();
    let (says, told) = channel();
    for event in ["checkout", "checkin"] {
        let says = says.clone();
        let here = move || says.send((event, thread::current().id()));
        match event {
            "checkout" => {
                pool.events().checkout(move |_, _| Ok(here()?));
            }
            _ => {
                pool.events().checkin(move |_, _| Ok(here()?));
            }
        }
    }
    drop(lease(&pool));
    let me = thread::current().id();
    assert_eq!(told.recv(), Ok(("checkout", me)));
    assert_eq!(told.recv(), Ok(("checkin", me)));
}

#[test]
fn hooks_belong_to_one_pool() {
    let (pool, diary) = heard(|_| {});
    let quiet = crate::diary::pool();
    drop(lease(&quiet));
    drop(lease(&pool));
    settled(&pool);
    assert!(!diary.events().is_empty());
    assert_eq!(
        quiet.connector().diary.events(),
        [""; 0],
        "hooks belong to one pool"
    );
    assert!(quiet.close(PATIENCE).is_drained());
}
