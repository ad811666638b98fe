//! The laws as a thread sees them, over a driver that does what the test says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use everpool_core::{
    CheckoutError, ConnectFailure, Fault, Options, Phase, Residue,
    blocking::{Lease, Pool},
    machine::Capacity,
};

mod support;

use support::{Act, Connection, Method, Scripted, block};

/// Beyond what any test takes; only a deadlock lasts longer.
const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const SIZE: u32 = 2;

type Answer = Result<Lease<Scripted>, CheckoutError<support::Failed>>;

fn pool_of(size: u32, scripted: Scripted, change: impl FnOnce(&mut Options)) -> Pool<Scripted> {
    let mut options = Options::default();
    options.capacity = Capacity::Bounded { size, overflow: 0 };
    change(&mut options);
    let pool = Pool::new(scripted, options).expect("the options are valid");
    pool.with_timeout(PATIENCE)
}

fn pool() -> Pool<Scripted> {
    pool_of(SIZE, Scripted::default(), |_| {})
}

fn pinging() -> Pool<Scripted> {
    pool_of(SIZE, Scripted::default(), |options| options.pre_ping = true)
}

fn lease(pool: &Pool<Scripted>) -> Lease<Scripted> {
    pool.checkout().expect("there is a connection")
}

fn left(pool: &Pool<Scripted>, residue: Residue) {
    lease(pool).residue = residue;
}

fn timed_out(answer: Answer) -> (Phase, Duration) {
    match answer {
        Err(CheckoutError::TimedOut(timed_out)) => (timed_out.phase, timed_out.waited),
        other => panic!("expected a timeout, not {other:?}"),
    }
}

fn everything_can_be_lent(pool: &Pool<Scripted>, size: u32) {
    let leases: Vec<_> = (0..size).map(|_| lease(pool)).collect();
    assert_eq!(pool.status().checked_out, leases.len());
}

#[test]
fn law_5_a_panic_in_connect_is_told_and_costs_no_slot() {
    let pool = pool();
    for _ in 0..SIZE {
        pool.connector().will(Method::Connect, Act::Panic);
        match pool.checkout() {
            Err(CheckoutError::Connect(why)) => assert_eq!(
                why.to_string(),
                "the driver panicked: Connect panics as scripted"
            ),
            other => panic!("expected the panic, not {other:?}"),
        }
    }
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_5_a_panic_in_ping_costs_its_connection_only() {
    let pool = pinging();
    left(&pool, Residue::Clean);
    pool.connector().will(Method::Ping, Act::Panic);
    assert_eq!(lease(&pool).number, 2);
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_5_a_panic_in_is_alive_costs_its_connection_only() {
    let pool = pinging();
    left(&pool, Residue::Clean);
    pool.connector().will(Method::IsAlive, Act::Panic);
    assert_eq!(lease(&pool).number, 2);
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn a_connection_that_was_just_used_and_looks_alive_is_not_pinged() {
    let pool = pool_of(SIZE, Scripted::that_looks(true), |options| {
        options.pre_ping = true;
    });
    // On a machine that stands still for a second, it has rested for too long.
    let is_spared = (0..100).any(|_| {
        left(&pool, Residue::Clean);
        let pings = pool.connector().calls(Method::Ping);
        assert_eq!(lease(&pool).number, 1);
        pool.connector().calls(Method::Ping) == pings
    });
    assert!(is_spared);
    assert!(pool.connector().calls(Method::IsAlive) > 0);
}

#[test]
fn a_connection_that_looks_dead_is_replaced_without_a_ping() {
    let pool = pool_of(SIZE, Scripted::that_looks(false), |options| {
        options.pre_ping = true;
    });
    left(&pool, Residue::Clean);
    assert_eq!(lease(&pool).number, 2);
    assert_eq!(pool.connector().calls(Method::Ping), 0);
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_5_a_panic_in_reset_costs_its_connection_only() {
    let pool = pool();
    pool.connector().will(Method::Reset, Act::Panic);
    left(&pool, Residue::Open);
    assert_eq!(lease(&pool).number, 2);
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_5_a_panic_in_close_costs_nothing() {
    let pool = pool_of(1, Scripted::default(), |_| {});
    left(&pool, Residue::Clean);
    pool.connector().will(Method::Close, Act::Panic);
    pool.recreate();
    assert_eq!(lease(&pool).number, 2);
    assert_eq!(pool.connector().calls(Method::Close), 1);
}

#[test]
fn law_5_a_panic_in_residue_costs_its_connection_only() {
    let pool = pool();
    pool.connector().will(Method::Residue, Act::Panic);
    left(&pool, Residue::Clean);
    assert_eq!(lease(&pool).number, 2);
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_5_a_panic_in_fault_costs_its_connection_only() {
    let pool = pinging();
    left(&pool, Residue::Clean);
    pool.connector().will(Method::Ping, Act::Fail);
    pool.connector().will(Method::Fault, Act::Panic);
    assert_eq!(lease(&pool).number, 2);
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_5_a_panic_in_connect_fault_is_a_failure_told_at_once() {
    let pool = pool();
    pool.connector().will(Method::Connect, Act::Fail);
    pool.connector().will(Method::ConnectFault, Act::Panic);
    match pool.checkout() {
        Err(CheckoutError::Connect(why)) => {
            assert!(matches!(*why, ConnectFailure::Driver(_)), "{why}");
        }
        other => panic!("expected the error, not {other:?}"),
    }
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_5_many_threads_leave_every_slot_accounted_for() {
    let pool = pool_of(3, Scripted::default(), |options| options.pre_ping = true);
    thread::scope(|scope| {
        for seed in 1..=8 {
            let pool = pool.clone();
            scope.spawn(move || at_random(&pool, seed));
        }
    });
    pool.connector().forget_script();
    everything_can_be_lent(&pool, 3);
    let status = pool.status();
    assert_eq!((status.idle, status.waiting), (3, 0), "{status:?}");
}

/// What a careless program may do to a pool.
fn at_random(pool: &Pool<Scripted>, seed: u64) {
    let mut random = seed;
    for _ in 0..200 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let choice = random >> 33;
        let Ok(mut lease) = pool.checkout_timeout(Duration::from_micros(choice % 500)) else {
            continue;
        };
        match choice % 13 {
            0 => lease.invalidate(Fault::Connection),
            1 => lease.invalidate(Fault::Server),
            2 => drop(pool.suspect(lease.generation())),
            3 => pool.recreate(),
            4 => pool.connector().will(Method::Connect, Act::Fail),
            5 => pool.connector().will(Method::Ping, Act::Panic),
            6 => pool.connector().will(Method::Close, Act::Panic),
            7 => lease.residue = Residue::Broken,
            8 | 9 => lease.residue = Residue::Open,
            _ => {}
        }
    }
}

#[test]
fn law_6_a_connection_abandoned_in_an_operation_is_never_lent_again() {
    let pool = pool_of(1, Scripted::default(), |_| {});
    left(&pool, Residue::Broken);
    assert_eq!(lease(&pool).number, 2);
    assert_eq!(pool.connector().calls(Method::Reset), 0);
}

#[test]
fn law_6_a_connection_whose_reset_failed_is_never_lent_again() {
    for fault in [Fault::Statement, Fault::Connection] {
        let scripted = Scripted::with_fault(fault);
        let pool = pool_of(1, scripted, |_| {});
        pool.connector().will(Method::Reset, Act::Fail);
        left(&pool, Residue::Open);
        assert_eq!(lease(&pool).number, 2);
    }
}

#[test]
fn law_7_recreate_spares_none_of_the_old_generation() {
    let pool = pool();
    let out = lease(&pool);
    left(&pool, Residue::Clean);
    let old = out.generation();
    pool.recreate();
    drop(out);
    assert_eq!(lease(&pool).number, 3);
    assert!(lease(&pool).generation() > old);
    pool.suspect(old);
    assert_eq!(lease(&pool).number, 3, "it was recreated already");
}

#[test]
fn law_7_a_servers_fault_condemns_all_of_the_generation() {
    let pool = pool();
    let out = lease(&pool);
    left(&pool, Residue::Clean);
    out.invalidate(Fault::Server);
    assert_eq!(lease(&pool).number, 3);
}

#[test]
fn invalidating_a_lease_for_a_statement_still_costs_it() {
    let pool = pool();
    lease(&pool).invalidate(Fault::Statement);
    assert_eq!(lease(&pool).number, 2);
}

#[test]
fn law_8_a_cancelled_checkout_does_not_cancel_the_connect() {
    let pool = pool_of(1, Scripted::default(), |_| {});
    let (act, blocked) = block();
    pool.connector().will(Method::Connect, act);
    let (phase, _) = timed_out(pool.checkout_timeout(SHORT));
    assert_eq!(phase, Phase::Connect);
    blocked.wait_until_begun();
    blocked.release();
    assert_eq!(lease(&pool).number, 1);
    assert_eq!(pool.connector().calls(Method::Connect), 1);
}

#[test]
fn law_9_no_lock_is_held_while_a_driver_runs() {
    let (done, finished) = channel();
    thread::spawn(move || {
        let scripted = Scripted::away();
        let pool = pool_of(1, scripted, |options| options.pre_ping = true);
        let watched = pool.connector().watched.set(pool.clone());
        assert!(watched.is_ok());
        pool.connector().will(Method::Connect, Act::Fail);
        left(&pool, Residue::Open);
        pool.connector().will(Method::Ping, Act::Fail);
        left(&pool, Residue::Clean);
        drop(lease(&pool));
        done.send([
            pool.connector().calls(Method::Connect),
            pool.connector().calls(Method::ConnectFault),
            pool.connector().calls(Method::Residue),
            pool.connector().calls(Method::Reset),
            pool.connector().calls(Method::Ping),
            pool.connector().calls(Method::Fault),
            pool.connector().calls(Method::Close),
        ])
    });
    let calls = finished
        .recv_timeout(PATIENCE)
        .expect("nothing waits for ever");
    assert_eq!(calls, [3, 1, 3, 1, 2, 1, 1], "each method ran");
}

#[test]
fn law_10_one_deadline_covers_connect_ping_and_queue() {
    let pool = pool_of(1, Scripted::default(), |options| options.pre_ping = true);
    let (act, in_connect) = block();
    pool.connector().will(Method::Connect, act);
    let (phase, waited) = timed_out(pool.checkout_timeout(SHORT));
    assert_eq!(phase, Phase::Connect);
    assert!(waited >= SHORT);
    in_connect.release();

    let out = lease(&pool);
    let (phase, waited) = timed_out(pool.checkout_timeout(SHORT));
    assert_eq!(phase, Phase::Queue);
    assert!(waited >= SHORT);
    drop(out);

    let (act, in_ping) = block();
    pool.connector().will(Method::Ping, act);
    let (phase, waited) = timed_out(pool.checkout_timeout(SHORT));
    assert_eq!(phase, Phase::Ping);
    assert!(waited >= SHORT);
    in_ping.release();
    assert_eq!(lease(&pool).number, 1);
}

#[test]
fn law_10_an_outage_ends_with_the_deadline_too_and_tells_the_last_error() {
    let scripted = Scripted::away();
    let pool = pool_of(1, scripted, |_| {});
    pool.connector().will(Method::Connect, Act::Fail);
    let (act, blocked) = block();
    pool.connector().will(Method::Connect, act);
    let answer = pool.checkout_timeout(SHORT);
    let Err(error @ CheckoutError::TimedOut { .. }) = answer else {
        panic!("expected a timeout, not {answer:?}");
    };
    let text = error.to_string();
    assert!(text.contains("the server accepted no connection"), "{text}");
    assert!(text.contains("ago: the script says no"), "{text}");
    blocked.release();
}

#[test]
fn beyond_the_grace_the_real_error_is_told() {
    let scripted = Scripted::away();
    let pool = pool_of(1, scripted, |options| options.outage_grace = Duration::ZERO);
    let (act, blocked) = block();
    pool.connector().will(Method::Connect, Act::Fail);
    pool.connector().will(Method::Connect, act);
    for _ in 0..3 {
        match pool.checkout() {
            Err(CheckoutError::Outage(error)) => {
                assert_eq!(error.to_string(), "the script says no");
            }
            other => panic!("expected the outage, not {other:?}"),
        }
    }
    blocked.wait_until_begun();
    blocked.release();
    while let Err(error) = pool.checkout() {
        assert!(matches!(error, CheckoutError::Outage(_)), "{error}");
        thread::yield_now();
    }
}

#[test]
fn a_grace_that_is_taken_away_keeps_nobody_waiting() {
    let scripted = Scripted::away();
    let pool = pool_of(1, scripted, |options| options.outage_grace = Duration::MAX);
    pool.connector().will(Method::Connect, Act::Fail);
    pool.set_outage_grace(Duration::ZERO);
    let answer = pool.checkout();
    assert!(
        matches!(answer, Err(CheckoutError::Outage(_))),
        "{answer:?}"
    );
}

#[test]
fn a_ping_error_that_is_no_disconnect_is_told() {
    let scripted = Scripted::with_fault(Fault::Statement);
    let pool = pool_of(1, scripted, |options| options.pre_ping = true);
    left(&pool, Residue::Clean);
    pool.connector().will(Method::Ping, Act::Fail);
    assert!(matches!(pool.checkout(), Err(CheckoutError::Ping(_))));
    everything_can_be_lent(&pool, 1);
}

#[test]
fn law_11_dropping_a_lease_never_panics() {
    let pool = pool();
    for method in [Method::Residue, Method::Reset] {
        pool.connector().will(method, Act::Panic);
        let dropped = catch_unwind(AssertUnwindSafe(|| left(&pool, Residue::Open)));
        assert!(dropped.is_ok(), "{method:?}");
    }
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn law_11_dropping_a_lease_while_unwinding_never_panics() {
    let pool = pool();
    for method in [Method::Residue, Method::Reset] {
        let mut lease = lease(&pool);
        lease.residue = Residue::Open;
        pool.connector().will(method, Act::Panic);
        // A second panic while unwinding would abort the process.
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = lease;
            panic!("the user's own");
        }));
        assert!(unwound.is_err());
    }
    everything_can_be_lent(&pool, SIZE);
}

#[test]
fn an_open_transaction_is_reset_before_the_next_user_gets_it() {
    let pool = pool_of(1, Scripted::default(), |_| {});
    let mut first = lease(&pool);
    first.residue = Residue::Open;
    let (act, blocked) = block();
    pool.connector().will(Method::Reset, act);
    let returning = thread::spawn(move || drop(first));
    blocked.wait_until_begun();
    assert_eq!(pool.status().resetting, 1);
    timed_out(pool.checkout_timeout(Duration::ZERO));
    blocked.release();
    let next = lease(&pool);
    let Connection { number, residue } = *next;
    assert_eq!((number, residue), (1, Residue::Clean));
    returning.join().expect("the return never panics");
}

#[test]
fn the_return_waits_for_the_reset() {
    let pool = pool();
    left(&pool, Residue::Open);
    assert_eq!(pool.status().idle, 1);
    assert_eq!(pool.connector().calls(Method::Reset), 1);
}

#[test]
fn the_status_line_is_sqlalchemys() {
    let pool = pool_of(5, Scripted::default(), |_| {});
    let _out = lease(&pool);
    assert_eq!(
        pool.status().to_string(),
        "Pool size: 5  Connections in pool: 0 Current Overflow: -4 Current Checked out connections: 1"
    );
}
