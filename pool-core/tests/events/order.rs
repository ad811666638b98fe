//! The sequences that SQLAlchemy shows (reference, part 1.9), and what hooks are told in them.

use std::{sync::mpsc::channel, time::Duration};

use everpool_core::{Capacity, Fault, PoolClass, ResetOnReturn, Residue};

use crate::{
    diary::{Told, heard, lease, listen, pool, pool_over, refused, settled},
    support::{Act, Failed, Method, Scripted},
};

#[test]
fn the_first_connection_is_first_connected_connected_and_checked_out() {
    let (pool, diary) = heard(|_| {});
    let out = lease(&pool);
    assert_eq!(
        diary.all(),
        [
            "driver: connect 1",
            "first_connect 1",
            "connect 1",
            "checkout 1"
        ]
    );
    drop(out);
}

#[test]
fn a_return_is_reset_and_checkin() {
    let (pool, diary) = heard(|_| {});
    let out = lease(&pool);
    diary.all();
    drop(out);
    assert_eq!(diary.all(), ["reset 1, clean", "checkin 1"]);
    drop(lease(&pool));
    assert_eq!(
        diary.events(),
        ["checkout 1", "reset 1, clean", "checkin 1"]
    );
}

#[test]
fn what_is_left_open_is_rolled_back_between_reset_and_checkin() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    diary.all();
    out.residue = Residue::Open;
    drop(out);
    assert_eq!(diary.all(), ["reset 1", "driver: Rollback 1", "checkin 1"]);
}

#[test]
fn with_reset_always_a_clean_connection_is_rolled_back_too() {
    let (pool, diary) = heard(|options| options.reset_always = true);
    let out = lease(&pool);
    diary.all();
    drop(out);
    assert_eq!(
        diary.all(),
        ["reset 1, clean", "driver: Rollback 1", "checkin 1"]
    );
}

#[test]
fn with_reset_on_return_commit_what_is_left_open_is_committed() {
    let (pool, diary) = heard(|options| options.reset_on_return = ResetOnReturn::Commit);
    let mut out = lease(&pool);
    diary.all();
    out.residue = Residue::Open;
    drop(out);
    assert_eq!(diary.all(), ["reset 1", "driver: Commit 1", "checkin 1"]);
}

#[test]
fn without_reset_on_return_the_reset_hook_is_called_and_nothing_sent() {
    let (pool, diary) = heard(|options| options.reset_on_return = ResetOnReturn::Nothing);
    let mut out = lease(&pool);
    diary.all();
    out.residue = Residue::Open;
    drop(out);
    assert_eq!(diary.all(), ["reset 1", "checkin 1"]);
}

#[test]
fn overflow_is_closed_after_its_checkin() {
    let (pool, diary) = heard(|options| {
        options.capacity = Capacity::Bounded {
            size: 1,
            overflow: 1,
        };
    });
    let (first, second) = (lease(&pool), lease(&pool));
    drop(first);
    diary.all();
    drop(second);
    settled(&pool);
    let expected = ["reset 2, clean", "checkin 2", "close 2", "driver: close 2"];
    assert_eq!(diary.all(), expected);
}

#[test]
fn an_invalidated_connection_is_invalidated_closed_and_checked_in_without_it() {
    let (pool, diary) = heard(|_| {});
    let out = lease(&pool);
    diary.all();
    out.invalidate_because(Fault::Connection, Failed);
    settled(&pool);
    let expected = [
        "invalidate 1: the script says no",
        "close 1",
        "driver: close 1",
        "checkin -",
    ];
    assert_eq!(diary.all(), expected);

    let out = lease(&pool);
    diary.all();
    out.invalidate(Fault::Connection);
    settled(&pool);
    assert_eq!(diary.events(), ["invalidate 2: -", "close 2", "checkin -"]);
}

#[test]
fn a_connection_that_comes_back_broken_is_invalidated_and_not_reset() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    diary.all();
    out.residue = Residue::Broken;
    drop(out);
    settled(&pool);
    assert_eq!(diary.events(), ["invalidate 1: -", "close 1", "checkin -"]);
}

#[test]
fn a_server_fault_closes_the_others_without_calling_them_invalid() {
    let (pool, diary) = heard(|options| {
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
    });
    let (lost, other) = (lease(&pool), lease(&pool));
    drop(other);
    diary.all();
    lost.invalidate(Fault::Server);
    settled(&pool);
    let mut events = diary.events();
    events.sort();
    assert_eq!(
        events,
        ["checkin -", "close 1", "close 2", "invalidate 1: -"]
    );
}

#[test]
fn a_softly_invalidated_connection_is_used_on_and_replaced_after_its_return() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    diary.all();
    out.invalidate_soft_because(Failed);
    assert_eq!(diary.events(), ["soft_invalidate 1: the script says no"]);
    out.residue = Residue::Open;
    drop(out);
    assert_eq!(lease(&pool).number, 2);
    let expected = [
        "reset 1",
        "driver: Rollback 1",
        "checkin 1",
        "close 1",
        "driver: close 1",
        "driver: connect 2",
        "connect 2",
        "checkout 2",
        "reset 2, clean",
        "checkin 2",
    ];
    assert_eq!(diary.all(), expected, "it was never called invalid");
}

#[test]
fn a_soft_invalidation_without_a_reason_is_told_without_one() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    diary.all();
    out.invalidate_soft();
    assert_eq!(diary.events(), ["soft_invalidate 1: -"]);
    out.invalidate_because(Fault::Connection, Failed);
    settled(&pool);
    let expected = ["invalidate 1: the script says no", "close 1", "checkin -"];
    assert_eq!(diary.events(), expected, "lost is more than to be replaced");
}

#[test]
fn a_softly_invalidated_connection_that_comes_back_broken_is_invalid_after_all() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    out.invalidate_soft();
    out.residue = Residue::Broken;
    diary.all();
    drop(out);
    settled(&pool);
    assert_eq!(diary.events(), ["invalidate 1: -", "close 1", "checkin -"]);
}

#[test]
fn a_connection_that_is_too_old_is_closed_and_not_called_invalid() {
    let (pool, diary) = heard(|options| {
        options.recycle = Some(Duration::ZERO);
        options.recycle_jitter = 0;
    });
    let out = lease(&pool);
    diary.all();
    drop(out);
    settled(&pool);
    assert_eq!(diary.events(), ["reset 1, clean", "checkin 1", "close 1"]);
    let out = lease(&pool);
    assert_eq!(diary.events(), ["connect 2", "checkout 2"]);
    drop(out);
}

#[test]
fn a_connection_of_an_older_generation_is_closed_after_its_checkin() {
    let (pool, diary) = heard(|_| {});
    let out = lease(&pool);
    diary.all();
    pool.recreate();
    drop(out);
    assert_eq!(lease(&pool).number, 2);
    let expected = [
        "reset 1, clean",
        "checkin 1",
        "close 1",
        "connect 2",
        "checkout 2",
        "reset 2, clean",
        "checkin 2",
    ];
    assert_eq!(diary.events(), expected);
}

#[test]
fn recreating_closes_what_rests_and_connects_nothing() {
    let (pool, diary) = heard(|_| {});
    drop(lease(&pool));
    diary.all();
    pool.recreate();
    settled(&pool);
    assert_eq!(diary.events(), ["close 1"]);
    drop(lease(&pool));
    let expected = ["connect 2", "checkout 2", "reset 2, clean", "checkin 2"];
    assert_eq!(
        diary.events(),
        expected,
        "the same hooks hear of the next generation"
    );
}

#[test]
fn a_failing_reset_is_nobodys_error_and_costs_the_connection() {
    let (pool, diary) = heard(|_| {});
    let mut out = lease(&pool);
    diary.all();
    out.residue = Residue::Open;
    pool.connector().will(Method::Reset, Act::Fail);
    drop(out);
    settled(&pool);
    let expected = [
        "reset 1",
        "driver: Rollback 1",
        "invalidate 1: the script says no",
        "close 1",
        "driver: close 1",
        "checkin -",
    ];
    assert_eq!(diary.all(), expected);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn a_failing_ping_invalidates_and_the_next_connection_is_checked_out() {
    let (pool, diary) = heard(|options| options.pre_ping = true);
    drop(lease(&pool));
    diary.all();
    pool.connector().will(Method::Ping, Act::Fail);
    let out = lease(&pool);
    let expected = [
        "driver: ping 1",
        "invalidate 1: the script says no",
        "close 1",
        "driver: close 1",
        "driver: connect 2",
        "connect 2",
        "checkout 2",
    ];
    assert_eq!(
        diary.all(),
        expected,
        "no reset after the ping, no ping after the connect"
    );
    drop(out);
}

#[test]
fn a_ping_that_fails_otherwise_costs_its_connection_and_is_told() {
    let pool = pool_over(
        Told::with(Scripted::with_fault(Fault::Statement)),
        |options| {
            options.pre_ping = true;
        },
    );
    let diary = pool.connector().diary.clone();
    listen(&pool.events(), &diary);
    drop(lease(&pool));
    let generation = pool.status().generation;
    diary.all();
    pool.connector().will(Method::Ping, Act::Fail);
    assert_eq!(
        refused(&pool).to_string(),
        "the connection is open but its ping failed: the script says no"
    );
    settled(&pool);
    let expected = ["invalidate 1: the script says no", "close 1"];
    assert_eq!(
        diary.events(),
        expected,
        "nobody had it, so nobody returns it"
    );
    assert_eq!(
        pool.status().generation,
        generation,
        "no other is suspected"
    );
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn a_detached_connection_is_reset_and_closed_without_a_record() {
    let (pool, diary) = heard(|_| {});
    let out = lease(&pool);
    diary.all();
    let mut detached = out.detach();
    assert_eq!(diary.events(), ["detach 1"]);
    detached.residue = Residue::Open;
    drop(detached);
    diary.wait_for("driver: close 1");
    let expected = [
        "reset 1 of nobody, to be closed",
        "driver: Rollback 1",
        "close_detached 1",
        "driver: close 1",
    ];
    assert_eq!(diary.all(), expected);
}

#[test]
fn a_detached_connection_that_is_broken_is_closed_and_not_reset() {
    let (pool, diary) = heard(|_| {});
    let mut detached = lease(&pool).detach();
    detached.residue = Residue::Broken;
    diary.all();
    drop(detached);
    diary.wait_for("driver: close 1");
    assert_eq!(diary.events(), ["close_detached 1"]);
}

#[test]
fn of_what_is_taken_out_of_the_pool_no_hook_hears_again() {
    let (pool, diary) = heard(|_| {});
    let connection = lease(&pool).detach().into_connection();
    diary.all();
    assert_eq!(connection.number, 1);
    assert!(pool.close(Duration::ZERO).is_drained());
    assert_eq!(diary.all(), [""; 0]);
}

#[test]
fn a_null_pool_closes_each_connection_after_its_checkin() {
    let (pool, diary) = heard(|options| options.class = PoolClass::NullPool);
    for number in 1..=2 {
        let out = lease(&pool);
        diary.all();
        drop(out);
        settled(&pool);
        let expected = [
            format!("reset {number}, clean"),
            format!("checkin {number}"),
            format!("close {number}"),
        ];
        assert_eq!(diary.events(), expected);
    }
}

#[test]
fn a_closed_pool_closes_what_rests_and_what_comes_back_with_all_their_events() {
    let (pool, diary) = heard(|options| {
        options.capacity = Capacity::Bounded {
            size: 2,
            overflow: 0,
        };
    });
    let (resting, out) = (lease(&pool), lease(&pool));
    drop(resting);
    diary.all();
    let closed = pool.close(Duration::ZERO);
    assert_eq!(closed.still_out.len(), 1);
    settled(&pool);
    assert_eq!(diary.events(), ["close 1"]);
    drop(out);
    settled(&pool);
    assert_eq!(diary.events(), ["reset 2, clean", "checkin 2", "close 2"]);
}

#[test]
fn what_rests_when_the_last_handle_goes_is_closed_with_its_event() {
    let (pool, diary) = heard(|_| {});
    drop(lease(&pool));
    diary.all();
    drop(pool);
    diary.wait_for("driver: close 1");
    assert_eq!(diary.all(), ["close 1", "driver: close 1"]);
}

#[test]
fn a_failed_connect_is_told_to_no_hook() {
    let (pool, diary) = heard(|_| {});
    drop(lease(&pool));
    pool.recreate();
    settled(&pool);
    diary.all();
    for _ in 0..2 {
        pool.connector().will(Method::Connect, Act::Fail);
        assert_eq!(
            refused(&pool).to_string(),
            "cannot connect: the script says no"
        );
    }
    assert_eq!(diary.events(), [""; 0]);
    let out = lease(&pool);
    assert_eq!(diary.events(), ["connect 2", "checkout 2"]);
    drop(out);
}

#[test]
fn hooks_are_told_the_slot_and_the_generation() {
    let pool = pool();
    let (says, told) = channel();
    pool.events().checkin(move |_, record| {
        says.send((record.slot, record.generation))?;
        Ok(())
    });
    let out = lease(&pool);
    let expected = (out.slot(), out.generation());
    drop(out);
    assert_eq!(told.recv(), Ok(expected));
    pool.recreate();
    let out = lease(&pool);
    let (slot, generation) = (out.slot(), out.generation());
    assert!(generation > expected.1);
    out.invalidate(Fault::Connection);
    settled(&pool);
    assert_eq!(told.recv(), Ok((slot, generation)));
}
