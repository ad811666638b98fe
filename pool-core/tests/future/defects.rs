//! What was found wrong in other pools, tried on this one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use everpool_core::{
    Capacity, CheckoutError, ConnectFailure, Fault, Options, Phase, Residue,
    future::{Lease, Pool},
    machine::Cause,
};

use crate::{
    bench::{Bench, PATIENCE, SHORT, pool_of},
    driver::{Act, Driver, Step, soil},
    runtimes::{current_thread, many_threads, pool, until},
};

fn two(driver: Driver) -> (Pool<Driver, Bench>, Bench) {
    pool_of::<true>(2, driver, |_| {})
}

fn capacity(size: u32) -> Capacity {
    Capacity::Bounded { size, overflow: 0 }
}

#[test]
fn law_7_a_connection_in_steady_use_is_replaced_when_it_is_too_old() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |options| {
        options.recycle = Some(SHORT);
        options.recycle_jitter = 0;
    });
    let began = Instant::now();
    while bench.lease(&pool).number == 1 {
        assert!(began.elapsed() < PATIENCE, "it grows old");
    }
    assert!(began.elapsed() >= SHORT);
    assert_eq!(pool.snapshot().closed(Cause::Recycled), 1);
}

#[test]
fn law_10_connects_that_succeed_and_pings_that_fail_do_not_outlast_the_deadline() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |options| options.pre_ping = true);
    let began = Instant::now();
    for _ in 0..100 {
        pool.connector().script.will(Step::Ping, Act::Fail);
        // A connection that was just opened is not pinged.
        drop(bench.lease(&pool));
    }
    assert!(began.elapsed() < PATIENCE);

    let (pool, bench) = pool_of::<true>(1, Driver::with_fault(Fault::Statement), |options| {
        options.pre_ping = true;
    });
    drop(bench.lease(&pool));
    pool.connector().script.will(Step::Ping, Act::Fail);
    let told = bench.finish(bench.call(pool.checkout()));
    assert!(matches!(told, Err(CheckoutError::Ping(_))), "{told:?}");
}

#[test]
fn law_5_as_many_panics_in_connect_as_places_leave_a_pool_that_lends() {
    let (pool, bench) = two(Driver::default());
    for _ in 0..3 {
        pool.connector().script.will(Step::Connect, Act::Panic);
        match bench.finish(bench.call(pool.checkout())) {
            Err(CheckoutError::Connect(why)) => {
                assert!(matches!(*why, ConnectFailure::Panicked(_)), "{why}");
            }
            other => panic!("expected the panic, not {other:?}"),
        }
    }
    bench.everything_can_be_lent(&pool, 2);
}

#[test]
fn law_5_as_many_panics_in_ping_as_places_leave_a_pool_that_lends() {
    let (pool, bench) = pool_of::<true>(2, Driver::default(), |options| options.pre_ping = true);
    drop((bench.lease(&pool), bench.lease(&pool)));
    for _ in 0..2 {
        pool.connector().script.will(Step::Ping, Act::Panic);
    }
    bench.everything_can_be_lent(&pool, 2);
}

#[test]
fn law_10_one_dead_connection_after_another_is_pinged_within_one_deadline() {
    let (pool, bench) = pool_of::<true>(3, Driver::default(), |options| options.pre_ping = true);
    drop([(); 3].map(|()| bench.lease(&pool)));
    pool.connector().script.will(Step::Ping, Act::Fail);
    pool.connector().script.will(Step::Ping, Act::Fail);
    let _never = pool.connector().script.will_wait(Step::Ping);
    let (phase, waited) = bench.timeout(bench.call(pool.checkout_timeout(SHORT)));
    assert_eq!(phase, Phase::Ping);
    assert!((SHORT..PATIENCE).contains(&waited));
}

#[test]
fn law_6_a_caller_that_leaves_amid_a_ping_does_not_pass_on_half_an_answer() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |options| options.pre_ping = true);
    drop(bench.lease(&pool));
    let gate = pool.connector().script.will_wait(Step::Ping);
    let mut caller = bench.call(pool.checkout());
    assert!(caller.ask().is_none());
    bench.run();
    assert!(gate.has_begun());
    drop(caller);
    assert!(pool.try_checkout().is_none(), "the ping is under way");
    let mut next = bench.call(pool.checkout());
    assert!(next.ask().is_none());
    gate.open();
    let lease = bench.finish(next).expect("its ping has ended");
    assert!(!lease.is_amid);
}

#[test]
fn a_connect_that_hangs_does_not_keep_its_place_for_ever() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |options| {
        options.connect_timeout = SHORT;
    });
    let _never = pool.connector().script.will_wait(Step::Connect);
    let (phase, _) = bench.timeout(bench.call(pool.checkout_timeout(SHORT / 3)));
    assert_eq!(phase, Phase::Connect);
    bench.everything_can_be_lent(&pool, 1);
}

#[test]
fn law_11_a_broken_lease_is_dropped_outside_of_its_runtime_though_min_idle_wants_another() {
    let runtime = current_thread();
    let pool = runtime.block_on(async {
        let mut options = Options::default();
        (options.capacity, options.min_idle) = (capacity(1), 1);
        Pool::new(Driver::default(), options).expect("valid options")
    });
    let mut lease = runtime.block_on(pool.checkout()).expect("a connection");
    lease.residue = Residue::Broken;
    thread::spawn(move || drop(lease)).join().expect("no panic");
    until(&runtime, || pool.status().idle == 1);
}

#[test]
fn law_1_a_pool_made_smaller_before_it_opened_anything_opens_no_more() {
    let (pool, bench) = pool_of::<true>(10, Driver::default(), |_| {});
    pool.resize(capacity(2))
        .expect("a size that a pool can have");
    let _leases = [bench.lease(&pool), bench.lease(&pool)];
    bench.timeout(bench.call(pool.checkout_timeout(SHORT)));
    assert_eq!(pool.connector().script.open(), 2);
}

#[test]
fn law_1_a_pool_made_smaller_while_all_are_out_lends_no_more_than_that() {
    let (pool, bench) = pool_of::<true>(4, Driver::default(), |_| {});
    let mut leases: Vec<Lease<_, _>> = (0..4).map(|_| bench.lease(&pool)).collect();
    pool.resize(capacity(1))
        .expect("a size that a pool can have");
    let mut caller = bench.call(pool.checkout());
    assert!(caller.ask().is_none());
    for left in [3, 2, 1] {
        drop(leases.pop());
        bench.run();
        assert!(caller.ask().is_none());
        assert_eq!(pool.connector().script.open(), left);
    }
    drop(leases);
    assert!(bench.finish(caller).is_ok());
    assert_eq!(pool.connector().script.open(), 1);
}

#[test]
fn law_5_a_panic_of_a_user_never_poisons_the_pool() {
    let (pool, bench) = two(Driver::default());
    let panics = Arc::new(AtomicUsize::new(0));
    let count = |at: &Arc<AtomicUsize>| {
        let at = Arc::clone(at);
        move || {
            at.fetch_add(1, Ordering::Relaxed);
            panic!("the user's own");
        }
    };
    let (first, second, third) = (count(&panics), count(&panics), count(&panics));
    pool.events()
        .wait(move |_| first())
        .detach(move |_, _| second())
        .soft_invalidate(move |_, _, _| third());
    let mut lease = bench.lease(&pool);
    lease.invalidate_soft();
    drop(lease.detach());
    assert!(panics.load(Ordering::Relaxed) >= 3);
    bench.everything_can_be_lent(&pool, 2);
}

#[test]
fn an_open_transaction_is_ended_when_its_connection_comes_back_and_not_later() {
    let (pool, bench) = two(Driver::default());
    let mut lease = bench.lease(&pool);
    lease.residue = Residue::Open;
    drop(lease);
    bench.run();
    assert_eq!(pool.connector().script.count(Step::Reset), 1);
    assert_eq!(pool.status().idle, 1);
}

#[test]
fn the_count_of_who_waits_is_right_after_timeouts_and_cancellations() {
    let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
    let _held = bench.lease(&pool);
    for _ in 0..5 {
        bench.timeout(bench.call(pool.checkout_timeout(Duration::from_millis(1))));
        let mut caller = bench.call(pool.checkout());
        assert!(caller.ask().is_none());
        assert_eq!(pool.status().waiting, 1);
    }
    assert_eq!(pool.status().waiting, 0);
    assert_eq!(pool.snapshot().timeouts, 5);
}

#[test]
fn law_3_who_waits_is_woken_when_a_place_comes_free_instead_of_a_connection() {
    let causes: [fn(Lease<Driver, Bench>); 4] = [
        |lease| lease.invalidate(Fault::Connection),
        |mut lease| lease.residue = Residue::Broken,
        |mut lease| lease.invalidate_soft(),
        |lease| drop(lease.detach().into_connection()),
    ];
    for leave in causes {
        let (pool, bench) = pool_of::<true>(1, Driver::default(), |_| {});
        let lease = bench.lease(&pool);
        let mut caller = bench.call(pool.checkout());
        assert!(caller.ask().is_none());
        leave(lease);
        assert_eq!(bench.finish(caller).expect("a place is free").number, 2);
    }
}

#[test]
fn law_3_who_waits_is_woken_when_what_it_waits_for_fails_its_ping_or_reset() {
    for step in [Step::Ping, Step::Reset] {
        let (pool, bench) = pool_of::<true>(1, Driver::default(), |options| {
            options.pre_ping = true;
        });
        let mut lease = bench.lease(&pool);
        if step == Step::Reset {
            soil(&mut lease);
        }
        pool.connector().script.will(step, Act::Fail);
        let mut caller = bench.call(pool.checkout());
        assert!(caller.ask().is_none());
        drop(lease);
        assert_eq!(bench.finish(caller).expect("a place is free").number, 2);
    }
}

#[test]
fn law_1_however_many_come_at_once_no_more_is_opened_than_there_may_be() {
    const MOST: u32 = 3;
    let (pool, runtime) = (pool(MOST), many_threads());
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let pool = pool.clone();
            runtime.spawn(async move {
                let lease = pool.checkout().await.expect("a connection");
                tokio::task::yield_now().await;
                let open = pool.connector().script.open();
                drop(lease);
                open
            })
        })
        .collect();
    for task in tasks {
        let open = runtime.block_on(task).expect("no task panics");
        assert!(open <= MOST as usize, "{open} were open");
    }
}

#[test]
fn closing_the_pool_does_not_wait_for_what_has_left_it() {
    let (pool, runtime) = (pool(1), current_thread());
    let lease = runtime.block_on(pool.checkout()).expect("a connection");
    let detached = lease.detach();
    let closed = runtime.block_on(pool.close(PATIENCE));
    assert!(closed.is_drained(), "{closed}");
    drop(detached);
    until(&runtime, || pool.connector().script.open() == 0);
}

#[test]
fn law_5_a_hundred_cancelled_callers_do_not_cost_the_only_connection() {
    let (pool, runtime) = (pool(1), current_thread());
    let number = runtime.block_on(async { pool.checkout().await.map(|lease| lease.number) });
    assert_eq!(number.expect("a connection"), 1);
    let held = runtime.block_on(pool.checkout()).expect("a connection");
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let pool = pool.clone();
            runtime.spawn(async move { drop(pool.checkout().await) })
        })
        .collect();
    until(&runtime, || pool.status().waiting == 200);
    drop(held);
    // One has been answered by now, and has not looked.
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    for caller in callers {
        assert!(
            runtime
                .block_on(caller)
                .expect_err("it was aborted")
                .is_cancelled()
        );
    }
    let lease = runtime.block_on(pool.checkout()).expect("a connection");
    assert_eq!(lease.number, 1);
    assert_eq!(pool.connector().script.count(Step::Connect), 1);
}

#[test]
fn the_numbers_are_right_at_whatever_moment_somebody_looks() {
    let (pool, runtime) = (pool(2), many_threads());
    let looks = pool.clone();
    let users: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            runtime.spawn(async move {
                for _ in 0..500 {
                    let mut lease = pool.checkout().await.expect("a connection");
                    lease.residue = Residue::Open;
                }
            })
        })
        .collect();
    while !users.iter().all(tokio::task::JoinHandle::is_finished) {
        let status = looks.status();
        let all = status.idle + status.checked_out + status.connecting;
        let all = all + status.checking + status.resetting + status.closing;
        assert!(all <= 2, "{status:?}");
    }
    for user in users {
        runtime.block_on(user).expect("no task panics");
    }
}

#[test]
fn many_tasks_on_few_connections_do_not_hang() {
    let (pool, runtime) = (pool(4), many_threads());
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let pool = pool.clone();
            runtime.spawn(async move {
                for _ in 0..50 {
                    let lease = pool.checkout().await.expect("a connection");
                    tokio::task::yield_now().await;
                    drop(lease);
                }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).expect("no task panics");
    }
    assert_eq!(pool.snapshot().checkouts, 64 * 50);
}

#[test]
fn law_7_after_a_restart_of_the_server_one_victim_finds_all_dead_connections() {
    let driver = Driver::with_fault(Fault::Server);
    let (pool, bench) = pool_of::<true>(5, driver, |options| options.pre_ping = true);
    let leases: Vec<_> = (0..5).map(|_| bench.lease(&pool)).collect();
    drop(leases);
    pool.connector().script.will(Step::Ping, Act::Fail);
    assert_eq!(bench.lease(&pool).number, 6);
    assert_eq!(pool.connector().script.count(Step::Ping), 1);
    assert_eq!(pool.snapshot().closed(Cause::PingFailed), 1);
    assert_eq!(pool.snapshot().closed(Cause::Superseded), 4);
}
