//! Connections that threads keep while they contend: everybody else sees them at rest, and they are
//! lent and returned as always.

use std::{
    collections::HashSet,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
        mpsc::{RecvTimeoutError, TryRecvError, channel},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use everpool_core::{
    Capacity, CheckoutError, Fault, HookError, Options, Phase, Residue, Threads,
    blocking::{Lease, Pool},
    future,
};

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use support::{Method, Scripted};

/// Beyond what any test takes; only a deadlock lasts longer.
const PATIENCE: Duration = Duration::from_secs(20);
const SIZE: u32 = 2;
/// More checkouts than nests are open for, on any machine.
const MANY: usize = 100_000;

fn bounded(size: u32) -> Capacity {
    Capacity::Bounded { size, overflow: 0 }
}

/// A pool whose connections are all open, and at rest.
fn warm(size: u32) -> Pool<Scripted> {
    let mut options = Options::default();
    options.capacity = bounded(size);
    let pool = Pool::new(Scripted::default(), options).expect("the options are valid");
    let pool = pool.with_timeout(PATIENCE);
    let all: Vec<_> = (0..size).map(|_| lease(&pool)).collect();
    drop(all);
    pool
}

/// The same, and the calling thread's nest keeps one of them, which is returned.
fn nested(size: u32) -> (Pool<Scripted>, u32) {
    let pool = warm(size);
    let number = nest(&pool);
    (pool, number)
}

/// Has the calling thread's nest keep a connection.
fn nest(pool: &Pool<Scripted>) -> u32 {
    pool.feign_contention();
    let number = lease(pool).number;
    assert_eq!(lease(pool).number, number, "it is not kept in a nest");
    number
}

#[track_caller]
fn lease(pool: &Pool<Scripted>) -> Lease<Scripted> {
    pool.checkout().expect("there is a connection")
}

fn tasks(pool: &Pool<Scripted>) -> future::Pool<Scripted, Threads> {
    pool.for_tasks().expect("the class is for tasks too")
}

fn in_another_thread<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(act).join().expect("it does not panic"))
}

#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never comes");
        thread::yield_now();
    }
}

/// All connections can be lent at once, and no more.
#[track_caller]
fn everything_can_be_lent(pool: &Pool<Scripted>, size: u32) -> HashSet<u32> {
    let all: Vec<_> = (0..size).map(|_| lease(pool)).collect();
    assert!(pool.try_checkout().is_none());
    all.iter().map(|lease| lease.number).collect()
}

#[test]
fn without_contention_connections_are_lent_in_the_order_in_which_they_came_back() {
    let pool = warm(SIZE);
    let numbers: Vec<_> = (0..4).map(|_| lease(&pool).number).collect();
    assert_eq!(numbers, [1, 2, 1, 2]);
}

#[test]
fn under_contention_the_order_is_bent_for_so_many_checkouts_only() {
    let (pool, first) = nested(SIZE);
    let numbers: Vec<_> = (0..MANY).map(|_| lease(&pool).number).collect();
    let longest = numbers.chunk_by(|one, next| one == next).map(<[_]>::len);
    assert!(longest.max() <= Some(65));
    assert_eq!(numbers[0], first);
    // Nobody else comes, so it is over.
    assert!(
        numbers[MANY - 100..]
            .windows(2)
            .all(|pair| pair[0] != pair[1])
    );
}

#[test]
fn law_2_what_is_in_a_nest_is_lent_to_a_thread_that_finds_nothing_else() {
    let (pool, kept) = nested(SIZE);
    in_another_thread(|| {
        let others = [lease(&pool), lease(&pool)];
        assert!(others.iter().any(|lease| lease.number == kept));
    });
    assert_eq!(pool.connector().calls(Method::Connect), SIZE as usize);
}

#[test]
fn law_2_what_is_in_a_nest_is_had_without_a_wait() {
    let (pool, _) = nested(SIZE);
    in_another_thread(|| {
        let all = [pool.try_checkout(), pool.try_checkout()];
        assert!(all.iter().all(Option::is_some));
    });
}

#[test]
fn what_is_in_a_nest_is_idle_in_all_numbers() {
    let (pool, _) = nested(SIZE);
    let status = pool.status();
    assert_eq!((status.idle, status.checked_out), (2, 0));
    assert!(pool.holders().is_empty());
}

#[test]
fn every_checkout_is_counted() {
    let (pool, _) = nested(SIZE);
    let before = pool.snapshot().checkouts;
    pool.feign_contention();
    (0..1_000).for_each(|_| drop(lease(&pool)));
    assert_eq!(pool.snapshot().checkouts, before + 1_000);
}

#[test]
fn whoever_has_a_connection_from_a_nest_is_named() {
    let (pool, _) = nested(SIZE);
    let (here, _held) = (line!(), lease(&pool));
    let holders = pool.holders();
    assert_eq!(holders.len(), 1);
    assert_eq!(
        (holders[0].place.file(), holders[0].place.line()),
        (file!(), here)
    );
}

/// The line after this was called is where it was leased.
fn own_place(pool: &Pool<Scripted>) -> (u32, u32) {
    let mine = pool.checkout().expect("there is a connection");
    let here = line!() - 1;
    let _others = in_another_thread(|| lease(pool));
    let CheckoutError::TimedOut(told) = pool
        .checkout_timeout(Duration::from_millis(1))
        .expect_err("all are out")
    else {
        panic!("it is the time that was up")
    };
    assert_eq!(told.phase, Phase::Queue);
    drop(mine);
    (told.own.expect("it has one itself").place.line(), here)
}

#[test]
fn a_thread_that_waits_for_itself_is_told_where_it_took_its_connection_from_a_nest() {
    let (pool, _) = nested(SIZE);
    let (told, here) = own_place(&pool);
    assert_eq!(told, here);
}

#[test]
fn law_7_recreate_spares_nothing_in_a_nest() {
    let (pool, _) = nested(SIZE);
    let old = lease(&pool).generation();
    pool.recreate();
    until(|| pool.connector().calls(Method::Close) == 2);
    assert!(lease(&pool).generation() > old);
}

#[test]
fn law_7_what_a_nest_lent_before_recreate_is_not_kept_after() {
    let (pool, _) = nested(3);
    let old = lease(&pool);
    pool.recreate();
    let new = [lease(&pool), lease(&pool)];
    drop(new);
    nest(&pool);
    let _held = lease(&pool);
    let generation = old.generation();
    // The nest is empty, and open.
    drop(old);
    assert!(lease(&pool).generation() > generation);
}

#[test]
fn law_1_a_smaller_pool_closes_what_is_in_a_nest() {
    let (pool, _) = nested(SIZE);
    pool.resize(bounded(1)).expect("a valid size");
    until(|| pool.connector().calls(Method::Close) == 1);
    everything_can_be_lent(&pool, 1);
}

#[test]
fn a_suspended_pool_lends_nothing_from_a_nest() {
    let (pool, kept) = nested(SIZE);
    pool.suspend();
    assert!(pool.try_checkout().is_none());
    let answer = pool.checkout_timeout(Duration::from_millis(1));
    assert!(matches!(answer, Err(CheckoutError::TimedOut(told)) if told.phase == Phase::Suspended));
    pool.resume();
    assert!(everything_can_be_lent(&pool, SIZE).contains(&kept));
}

#[test]
fn a_closed_pool_closes_what_is_in_a_nest_and_waits_for_what_one_has_lent() {
    let (pool, _) = nested(3);
    let held = lease(&pool);
    let closed = in_another_thread(|| pool.close(Duration::ZERO));
    assert_eq!(closed.still_out.len(), 1);
    assert!(matches!(pool.checkout(), Err(CheckoutError::Closed)));
    drop(held);
    assert!(pool.close(PATIENCE).is_drained());
    assert_eq!(pool.connector().calls(Method::Close), 3);
}

#[test]
fn what_a_nest_has_lent_can_be_detached_and_its_place_is_free() {
    let (pool, kept) = nested(SIZE);
    let detached = lease(&pool).detach();
    assert_eq!(detached.number, kept);
    assert!(!everything_can_be_lent(&pool, SIZE).contains(&kept));
}

#[test]
fn what_a_nest_has_lent_can_be_invalidated() {
    let (pool, kept) = nested(SIZE);
    lease(&pool).invalidate(Fault::Connection);
    assert!(!everything_can_be_lent(&pool, SIZE).contains(&kept));
}

#[test]
fn a_server_that_is_lost_with_a_connection_from_a_nest_costs_all() {
    let (pool, _) = nested(SIZE);
    lease(&pool).invalidate(Fault::Server);
    assert_eq!(everything_can_be_lent(&pool, SIZE), HashSet::from([3, 4]));
}

#[test]
fn what_was_invalidated_softly_is_not_kept_in_a_nest() {
    let (pool, kept) = nested(SIZE);
    let mut spent = lease(&pool);
    spent.invalidate_soft();
    pool.feign_contention();
    drop(spent);
    assert!(!everything_can_be_lent(&pool, SIZE).contains(&kept));
}

#[test]
fn what_is_to_be_done_at_the_return_is_done_before_a_nest_keeps_anything() {
    let (pool, _) = nested(SIZE);
    let (send, done) = channel();
    let mut mine = lease(&pool);
    mine.at_return(move |connection| {
        send.send(connection.number)
            .map_err(|_| HookError::from("nobody hears"))
    });
    pool.feign_contention();
    let number = mine.number;
    drop(mine);
    assert_eq!(done.try_recv(), Ok(number));
}

#[test]
fn what_is_left_open_is_reset_and_not_kept_in_a_nest() {
    let (pool, kept) = nested(SIZE);
    lease(&pool).residue = Residue::Open;
    assert_eq!(pool.connector().calls(Method::Reset), 1);
    assert!(everything_can_be_lent(&pool, SIZE).contains(&kept));
}

#[test]
fn law_6_what_came_back_broken_is_not_kept_in_a_nest() {
    let (pool, kept) = nested(SIZE);
    lease(&pool).residue = Residue::Broken;
    assert!(!everything_can_be_lent(&pool, SIZE).contains(&kept));
}

#[test]
fn who_asks_to_be_told_of_checkouts_and_returns_is_told_of_all_that_follow() {
    let (pool, _) = nested(SIZE);
    let told = Arc::new(AtomicU32::new(0));
    let (lent, returned) = (Arc::clone(&told), Arc::clone(&told));
    pool.events().checkout(move |_, _| {
        lent.fetch_add(1, Relaxed);
        Ok(())
    });
    pool.events().checkin(move |_, _| {
        returned.fetch_add(1, Relaxed);
        Ok(())
    });
    pool.feign_contention();
    (0..3).for_each(|_| drop(lease(&pool)));
    assert_eq!(told.load(Relaxed), 6);
}

#[test]
fn another_thread_returns_what_a_nest_has_lent() {
    let (pool, kept) = nested(3);
    let held = lease(&pool);
    in_another_thread(|| drop(held));
    let others = in_another_thread(|| {
        nest(&pool);
        lease(&pool).number
    });
    assert!((1..=3).contains(&others));
    let status = pool.status();
    assert_eq!((status.idle, status.checked_out), (3, 0));
    assert!(everything_can_be_lent(&pool, 3).contains(&kept));
}

#[test]
fn many_leases_of_one_thread_come_back_in_any_order() {
    let pool = warm(40);
    pool.feign_contention();
    let mut all = Vec::new();
    for round in 0..1_000_usize {
        if all.len() < 40 && round % 3 != 0 {
            all.push(lease(&pool));
        } else if !all.is_empty() {
            drop(all.swap_remove(round * 7 % all.len()));
        }
        let numbers: HashSet<_> = all.iter().map(|lease| lease.number).collect();
        assert_eq!(numbers.len(), all.len(), "one was lent twice");
    }
    let status = pool.status();
    assert_eq!(status.checked_out, all.len());
    drop(all);
    assert_eq!(everything_can_be_lent(&pool, 40).len(), 40);
}

#[test]
fn tasks_and_threads_have_nests_in_common() {
    let (pool, kept) = nested(SIZE);
    let tasks = tasks(&pool);
    let mut checkout = pin!(tasks.checkout());
    let Poll::Ready(Ok(lease)) = checkout
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("it is there")
    };
    assert_eq!(lease.number, kept);
    let status = pool.status();
    assert_eq!((status.idle, status.checked_out), (1, 1));
}

#[test]
fn the_last_handle_closes_what_is_in_a_nest() {
    let (pool, _) = nested(SIZE);
    let (send, gone) = channel::<()>();
    pool.events().close(move |_, _| {
        let _told_by_its_end = &send;
    });
    nest(&pool);
    drop(pool);
    // The hook is gone with the pool.
    assert!(gone.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_lease_from_a_nest_outlives_the_last_handle() {
    let (pool, _) = nested(SIZE);
    let (send, gone) = channel::<()>();
    pool.events().close(move |_, _| {
        let _told_by_its_end = &send;
    });
    nest(&pool);
    let held = lease(&pool);
    drop(pool);
    assert_eq!(gone.try_recv(), Err(TryRecvError::Empty));
    drop(held);
    assert!(gone.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected));
}

#[test]
fn a_pool_of_one_connection_has_no_nests() {
    let pool = warm(1);
    pool.feign_contention();
    drop(lease(&pool));
    in_another_thread(|| assert!(pool.try_checkout().is_some()));
}

/// Whether a connection is with somebody; nobody else may have it then.
#[derive(Default)]
struct Register(Mutex<HashSet<u32>>);

impl Register {
    fn used(&self, lease: &Lease<Scripted>) {
        let number = lease.number;
        assert!(
            self.0.lock().expect("nobody panics").insert(number),
            "{number} is lent twice"
        );
        if number.is_multiple_of(3) {
            thread::yield_now();
        }
        assert!(self.0.lock().expect("nobody panics").remove(&number));
    }
}

/// What an operator may do at any time.
fn meddle(pool: &Pool<Scripted>, is_over: &AtomicBool) {
    let mut round = 0_u32;
    while !is_over.load(Relaxed) {
        match round % 7 {
            0 => pool.recreate(),
            1 => pool.suspend(),
            2 => pool.resume(),
            3 => pool.resize(bounded(2 + round % 3)).expect("a valid size"),
            4 => assert!(pool.status().checked_out <= 4),
            5 => assert!(pool.holders().len() <= 4),
            _ => {}
        }
        pool.resume();
        pool.feign_contention();
        round += 1;
        (0..round % 50).for_each(|_| thread::yield_now());
    }
}

#[test]
fn law_5_whatever_is_done_while_threads_contend_every_place_is_accounted_for() {
    const THREADS: u32 = 8;
    const ROUNDS: u32 = 5_000;
    let pool = warm(4);
    let (register, is_over) = (Register::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let contend = |seed: u32| {
            for round in 0..ROUNDS {
                let lease = lease(&pool);
                register.used(&lease);
                match (seed + round) % 97 {
                    0 => lease.invalidate(Fault::Connection),
                    1 => drop(lease.detach()),
                    2 => scope
                        .spawn(move || drop(lease))
                        .join()
                        .expect("it does not panic"),
                    _ => drop(lease),
                }
            }
        };
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| scope.spawn(move || contend(seed)))
            .collect();
        let operator = scope.spawn(|| meddle(&pool, &is_over));
        for thread in threads {
            thread.join().expect("it does not panic");
        }
        is_over.store(true, Relaxed);
        operator.join().expect("it does not panic");
    });
    pool.resize(bounded(4)).expect("a valid size");
    everything_can_be_lent(&pool, 4);
    let status = pool.status();
    assert_eq!(
        (status.checked_out, status.waiting, status.resetting),
        (0, 0, 0)
    );
}
