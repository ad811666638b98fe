//! What is kept beside a connection and beside its slot, and what is undone on return.

use std::sync::mpsc::channel;

use everpool_core::{Fault, Residue};

use crate::{
    diary::{heard, lease, pool, refused, settled},
    support::{Act, Failed, Method},
};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark(u32);

#[test]
fn info_lives_as_long_as_the_connection() {
    let pool = pool();
    assert!(lease(&pool).info().is_empty());
    lease(&pool).info().insert(Mark(7));
    assert_eq!(
        lease(&pool).info().get(),
        Some(&Mark(7)),
        "it is still the same connection"
    );
    lease(&pool).invalidate(Fault::Connection);
    assert!(lease(&pool).info().is_empty());
}

#[test]
fn record_info_lives_as_long_as_the_slot() {
    let pool = pool();
    let mut out = lease(&pool);
    assert!(out.record_info().is_empty());
    out.record_info().insert(Mark(7));
    let slot = out.slot();
    drop(out);
    assert_eq!(lease(&pool).record_info().get(), Some(&Mark(7)));
    lease(&pool).invalidate(Fault::Connection);
    let mut out = lease(&pool);
    assert_eq!((out.number, out.slot()), (2, slot));
    assert_eq!(out.record_info().get(), Some(&Mark(7)));
    drop(out);
    pool.recreate();
    assert_eq!(lease(&pool).record_info().get(), Some(&Mark(7)));
}

#[test]
fn what_is_detached_keeps_its_info_and_leaves_its_record_info() {
    let pool = pool();
    let mut out = lease(&pool);
    out.info().insert(Mark(1));
    out.record_info().insert(Mark(2));
    let slot = out.slot();
    let mut detached = out.detach();
    assert_eq!(detached.info().get(), Some(&Mark(1)));
    let mut next = lease(&pool);
    assert_eq!((next.number, next.slot()), (2, slot));
    assert!(next.info().is_empty());
    assert_eq!(next.record_info().get(), Some(&Mark(2)));
}

#[test]
fn what_a_connect_hook_keeps_a_checkout_hook_finds() {
    let pool = pool();
    pool.events().connect(|connection, record| {
        assert!(
            record.info.is_empty(),
            "nothing is left of the connection before"
        );
        record.info.insert(Mark(connection.number));
        Ok(())
    });
    pool.events().checkout(|connection, record| {
        assert_eq!(record.info.get(), Some(&Mark(connection.number)));
        Ok(())
    });
    drop(lease(&pool));
    drop(lease(&pool));
    pool.recreate();
    pool.connector().will(Method::Connect, Act::Fail);
    refused(&pool);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn record_info_outlives_a_connection_that_its_connect_hook_refused() {
    let pool = pool();
    pool.events().connect(|connection, record| {
        record.record_info.insert(Mark(connection.number));
        match connection.number {
            1 => Err("not this one".into()),
            2 => panic!("nor this one"),
            _ => Ok(()),
        }
    });
    for _ in 0..2 {
        refused(&pool);
    }
    let (says, told) = channel();
    pool.events().insert().connect(move |_, record| {
        says.send(record.record_info.get().copied())?;
        Ok(())
    });
    drop(lease(&pool));
    assert_eq!(told.recv(), Ok(Some(Mark(2))));
}

#[test]
fn hooks_of_a_lost_connection_find_what_was_kept_beside_it() {
    let pool = pool();
    let (says, told) = channel();
    let says_more = says.clone();
    pool.events().close(move |_, record| {
        // The test may have ended.
        let _nobody_listens = says.send(record.info.get().copied());
    });
    pool.events().checkin(move |connection, record| {
        assert!(connection.is_none());
        says_more.send(record.info.get().copied())?;
        Ok(())
    });
    let mut out = lease(&pool);
    out.info().insert(Mark(3));
    out.invalidate(Fault::Connection);
    assert_eq!(told.recv(), Ok(Some(Mark(3))));
    assert_eq!(told.recv(), Ok(Some(Mark(3))));
}

#[test]
fn what_is_to_be_undone_is_undone_after_the_reset_last_first_and_before_checkin() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    for step in ["first", "second"] {
        let diary = diary.clone();
        out.at_return(move |connection| {
            diary.write(format_args!("undo {step} on {}", connection.number));
            Ok(())
        });
    }
    out.residue = Residue::Open;
    diary.all();
    drop(out);
    let expected = [
        "reset 1",
        "driver: Rollback 1",
        "undo second on 1",
        "undo first on 1",
        "checkin 1",
    ];
    assert_eq!(diary.all(), expected);
    drop(lease(&pool));
    assert_eq!(
        diary.all(),
        ["checkout 1", "reset 1, clean", "checkin 1"],
        "once only"
    );
}

#[test]
fn what_is_to_be_undone_is_undone_without_any_hook_or_reset() {
    let pool = pool();
    drop(lease(&pool));
    let diary = pool.connector().diary.clone();
    diary.all();
    let mut out = lease(&pool);
    let told = diary.clone();
    out.at_return(move |_| {
        told.write("undone");
        Ok(())
    });
    drop(out);
    assert_eq!(diary.all(), ["undone"]);
    drop(lease(&pool));
    assert_eq!(diary.all(), [""; 0]);
}

#[test]
fn what_is_to_be_undone_is_dropped_with_a_lost_connection() {
    let pool = pool();
    for way in 0..4 {
        let diary = pool.connector().diary.clone();
        let mut out = lease(&pool);
        let told = diary.clone();
        out.at_return(move |_| {
            told.write("undone");
            Ok(())
        });
        diary.all();
        match way {
            0 => out.invalidate(Fault::Connection),
            1 => {
                out.residue = Residue::Broken;
                drop(out);
            }
            2 => drop(out.detach()),
            _ => {
                out.residue = Residue::Open;
                pool.connector().will(Method::Reset, Act::Fail);
                drop(out);
            }
        }
        settled(&pool);
        drop(lease(&pool));
        assert!(!diary.all().contains(&"undone".to_owned()), "way {way}");
    }
}

#[test]
fn what_cannot_be_undone_costs_the_connection_and_no_slot() {
    let pool = pool();
    let diary = pool.connector().diary.clone();
    for panics in [false, true] {
        let mut out = lease(&pool);
        let number = out.number;
        let told = diary.clone();
        out.at_return(move |_| {
            told.write("undone");
            Ok(())
        });
        out.at_return(move |_| {
            assert!(!panics, "it panics");
            Err(Failed.into())
        });
        diary.all();
        drop(out);
        settled(&pool);
        assert_eq!(
            diary.all(),
            [format!("driver: close {number}")],
            "what comes after is not tried"
        );
    }
    assert_eq!(lease(&pool).number, 3);
}

#[test]
fn what_is_to_be_undone_was_invalid_softly_and_is_undone_all_the_same() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    let told = diary.clone();
    out.at_return(move |_| {
        told.write("undone");
        Ok(())
    });
    out.invalidate_soft();
    diary.all();
    drop(out);
    settled(&pool);
    assert_eq!(
        diary.events(),
        ["reset 1, clean", "undone", "checkin 1", "close 1"]
    );
}
