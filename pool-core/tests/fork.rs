//! A child of a fork never touches what its parent has open, and has a pool of its own.
//!
//! Each story is a child with an alarm set: one that hangs is killed, and that is a failure. No
//! harness, whose threads would be in the way.
#![expect(unsafe_code, reason = "a fork is unsafe, and what this is about")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    convert::Infallible,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    process,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    task::{Context, Waker},
    thread,
    time::{Duration, Instant},
};

use everpool_core::{
    CheckoutError, ConnectFault, Connector, Fault, Options, PoolClass, ResetOnReturn, Residue,
    Threads, blocking, future, machine::Capacity,
};
use nix::{
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, alarm, fork},
};

/// Seconds; only a deadlock lasts longer.
const PATIENCE: u32 = 10;
const SIZE: u32 = 2;

/// How often this process touched what another had opened.
static TRESPASSES: AtomicU32 = AtomicU32::new(0);
/// How many connections of this process's own are gone.
static GONE: AtomicU32 = AtomicU32::new(0);

/// A connection knows the process that opened it.
#[derive(Debug)]
struct Connection {
    process: u32,
    number: u32,
    residue: Residue,
}

impl Connection {
    fn touch(&self) {
        if self.process != process::id() {
            TRESPASSES.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.touch();
        if self.process == process::id() {
            GONE.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct Driver(AtomicU32);

impl Connector for Driver {
    type Connection = Connection;
    type Error = Infallible;

    async fn connect(&self) -> Result<Connection, Infallible> {
        Ok(Connection {
            process: process::id(),
            number: self.0.fetch_add(1, Ordering::Relaxed) + 1,
            residue: Residue::Clean,
        })
    }

    async fn ping(&self, connection: &mut Connection) -> Result<(), Infallible> {
        connection.touch();
        Ok(())
    }

    async fn reset(&self, connection: &mut Connection, _: ResetOnReturn) -> Result<(), Infallible> {
        connection.touch();
        connection.residue = Residue::Clean;
        Ok(())
    }

    async fn close(&self, connection: Connection) {
        connection.touch();
    }

    fn residue(&self, connection: &mut Connection) -> Residue {
        connection.residue
    }

    fn fault(&self, error: &Infallible, _: &mut Connection) -> Fault {
        match *error {}
    }

    fn connect_fault(&self, error: &Infallible) -> ConnectFault {
        match *error {}
    }
}

type Pool = blocking::Pool<Driver>;
type Lease = blocking::Lease<Driver>;

fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    options.capacity = Capacity::Bounded {
        size: SIZE,
        overflow: 0,
    };
    change(&mut options);
    options
}

fn pool() -> Pool {
    Pool::new(Driver::default(), options(|_| {})).expect("valid options")
}

fn lease(pool: &Pool) -> Lease {
    let lease = pool.checkout().expect("there is a connection");
    assert_eq!(lease.process, process::id(), "it was opened here");
    lease
}

/// Tells a story in a child; whether it ended well.
fn ends_well(story: impl FnOnce()) -> bool {
    // SAFETY: the child does what the children of this library's users do, which is the test.
    let forked = unsafe { fork() };
    match forked.expect("a process can be started") {
        ForkResult::Child => {
            alarm::set(PATIENCE);
            let is_told = catch_unwind(AssertUnwindSafe(story)).is_ok();
            let trespasses = TRESPASSES.load(Ordering::Relaxed);
            if trespasses > 0 {
                eprintln!("the child touched its parent's connections {trespasses} times");
            }
            // `process::exit` waits for a lock that a thread of the parent's may have taken with it.
            // SAFETY: it ends the process, and nothing has been left to be done at its end.
            unsafe { nix::libc::_exit(i32::from(!is_told || trespasses > 0)) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).expect("it is a child");
            if status != WaitStatus::Exited(child, 0) {
                eprintln!("{status:?}");
            }
            status == WaitStatus::Exited(child, 0)
        }
    }
}

#[track_caller]
fn in_child(story: impl FnOnce()) {
    assert!(ends_well(story), "the child did not end well");
}

fn a_child_opens_its_own_connections_and_leaves_its_parents_alone() {
    let pool = pool();
    drop((lease(&pool), lease(&pool)));
    let held = lease(&pool);
    let (number, process) = (held.number, process::id());
    let mut held = Some(held);
    in_child(|| {
        let own = [lease(&pool), lease(&pool)];
        assert_eq!(pool.status().checked_out, 2);
        drop(own);
        let inherited = held.take().expect("the parent has it");
        assert_eq!(inherited.process, process);
        drop(inherited);
        assert_eq!(pool.status().idle, 2);
        drop((lease(&pool), pool.clone()));
    });
    let held = held.expect("the parent still has it");
    assert_eq!(held.number, number);
    drop(held);
    let again = [lease(&pool), lease(&pool)];
    assert!(again.iter().all(|lease| lease.number <= 2), "as before");
}

fn a_child_may_do_anything_with_a_lease_that_it_has_inherited() {
    type Ends = fn(Lease);
    let ends: [Ends; 8] = [
        |lease| drop(lease),
        |mut lease| lease.residue = Residue::Open,
        |mut lease| lease.residue = Residue::Broken,
        |lease| lease.invalidate(Fault::Server),
        |mut lease| lease.invalidate_soft(),
        |mut lease| lease.at_return(|_| Ok(())),
        |lease| drop(lease.detach()),
        |mut lease| {
            lease.info().insert(1_u8);
            lease.record_info().insert(1_u8);
        },
    ];
    for (which, end) in ends.into_iter().enumerate() {
        let pool = pool();
        let mut held = Some(lease(&pool));
        in_child(|| {
            end(held.take().expect("the parent has it"));
            assert_eq!(lease(&pool).number, 2, "{which}");
        });
        drop(held);
        assert_eq!(lease(&pool).number, 1, "{which}");
    }
}

fn the_last_handle_in_a_child_closes_nothing_of_its_parents() {
    let pool = pool();
    drop(lease(&pool));
    let held = lease(&pool);
    let mut both = Some((pool, held));
    in_child(|| drop(both.take()));
    let (pool, held) = both.expect("the parent has it");
    drop(held);
    assert_eq!(lease(&pool).number, 1);
}

fn deadlines_hold_in_a_child() {
    let pool = pool();
    let _held = [lease(&pool), lease(&pool)];
    let short = Duration::from_millis(20);
    // So that the parent's clock has a thread.
    assert!(pool.checkout_timeout(short).is_err());
    in_child(|| {
        let _held = [lease(&pool), lease(&pool)];
        let began = Instant::now();
        let answer = pool.checkout_timeout(short);
        assert!(
            matches!(answer, Err(CheckoutError::TimedOut(_))),
            "{answer:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(u64::from(PATIENCE) / 2));
        let pool = future::Pool::in_runtime(Driver::default(), options(|_| {}), Threads::default());
        drop(pool.expect("valid options"));
    });
}

fn a_grandchild_leaves_both_alone() {
    let pool = pool();
    drop(lease(&pool));
    in_child(|| {
        let own = lease(&pool);
        let mut own = Some(own);
        in_child(|| {
            drop(own.take());
            assert_eq!(lease(&pool).number, 3);
        });
        drop(own);
        assert_eq!(lease(&pool).number, 2);
    });
    assert_eq!(lease(&pool).number, 1);
}

fn each_threads_pool_is_the_childs_own() {
    let options = options(|options| options.class = PoolClass::SingletonThreadPool);
    let pool = Pool::new(Driver::default(), options).expect("valid options");
    drop(lease(&pool));
    in_child(|| {
        assert_eq!(lease(&pool).number, 2);
        thread::scope(|scope| {
            let other = scope.spawn(|| lease(&pool).number);
            assert_eq!(other.join().expect("no panic"), 3);
        });
    });
    assert_eq!(lease(&pool).number, 1);
}

fn a_caller_that_a_child_has_inherited_may_leave() {
    let pool = future::Pool::in_runtime(Driver::default(), options(|_| {}), Threads::default());
    let pool = pool.expect("valid options");
    let threads = pool.for_threads();
    let _held = [lease(&threads), lease(&threads)];
    let waiting = pool.checkout();
    let mut waiting = Box::pin(waiting);
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let mut waiting = Some(waiting);
    in_child(|| {
        drop(waiting.take());
        drop(lease(&threads));
    });
    assert_eq!(pool.status().waiting, 1);
}

fn a_child_has_its_own_runtime() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.build().expect("a runtime")
    };
    let pool = future::Pool::new(
        Driver::default(),
        options(|options| options.pre_ping = true),
    );
    let pool = pool.expect("valid options");
    let parents = runtime();
    let held = parents.block_on(pool.checkout()).expect("a connection");
    drop(parents.block_on(pool.checkout()).expect("a connection"));
    // A ping that has not begun, and the task that tells the runtime's end.
    let mut waiting = pin!(pool.checkout());
    parents.block_on(async {
        let mut context = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    });
    let mut inherited = Some((held, parents));
    in_child(|| {
        let own = runtime().block_on(pool.checkout()).expect("a connection");
        assert_eq!(own.process, process::id());
        drop(inherited.take());
    });
    let (held, parents) = inherited.expect("the parent has it");
    drop(held);
    let lease = parents.block_on(pool.checkout()).expect("a connection");
    assert!(lease.number <= 2);
}

fn a_child_never_waits_for_a_lock_that_a_thread_of_its_parents_has() {
    let is_over = AtomicBool::new(false);
    let pools = [pool(), {
        let options = options(|options| options.class = PoolClass::SingletonThreadPool);
        Pool::new(Driver::default(), options).expect("valid options")
    }];
    let forks =
        std::env::var("EVERPOOL_FORKS").map_or(200, |forks| forks.parse().expect("a number"));
    let all_end_well = thread::scope(|scope| {
        for seed in 0..4 {
            let (pools, is_over) = (&pools, &is_over);
            scope.spawn(move || {
                let mut round = seed;
                while !is_over.load(Ordering::Relaxed) {
                    round += 1;
                    for pool in pools {
                        let _status = pool.status();
                        // All may be out.
                        let Ok(mut lease) = pool.checkout_timeout(Duration::from_millis(1)) else {
                            continue;
                        };
                        match round % 8 {
                            0 => lease.invalidate(Fault::Connection),
                            1 => lease.residue = Residue::Open,
                            _ => {}
                        }
                    }
                }
            });
        }
        let all = (0..forks).all(|_| {
            ends_well(|| {
                for pool in &pools {
                    let mut own = lease(pool);
                    own.residue = Residue::Open;
                    drop(own);
                    drop(lease(pool));
                    drop(pool.clone());
                }
            })
        });
        is_over.store(true, Ordering::Relaxed);
        all
    });
    assert!(all_end_well, "a child did not end well");
}

/// A pool with connections in the nests of the calling thread and another.
fn nested() -> Pool {
    let pool = pool();
    drop([lease(&pool), lease(&pool)]);
    pool.feign_contention();
    drop(lease(&pool));
    thread::scope(|scope| {
        scope.spawn(|| drop(lease(&pool)));
    });
    pool
}

fn a_child_leaves_alone_what_is_in_its_parents_nests() {
    let pool = nested();
    let held = lease(&pool);
    let mut both = Some((pool.clone(), held));
    in_child(|| {
        let (inherited, held) = both.take().expect("the parent has it");
        assert_eq!(lease(&pool).number, 3);
        drop(held);
        assert_eq!(inherited.status().idle, 1);
        inherited.recreate();
        assert_eq!(lease(&pool).number, 4);
    });
    drop(both);
    let again = [lease(&pool), lease(&pool)];
    assert!(again.iter().all(|lease| lease.number <= 2), "as before");
}

fn the_last_handle_in_a_child_closes_the_childs_own_whatever_is_in_its_parents_nests() {
    let mut pool = Some(nested());
    in_child(|| {
        let pool = pool.take().expect("the parent has it");
        drop([lease(&pool), lease(&pool)]);
        pool.feign_contention();
        drop(lease(&pool));
        let before = GONE.load(Ordering::Relaxed);
        drop(pool);
        // The alarm ends a wait that is in vain.
        while GONE.load(Ordering::Relaxed) < before + 2 {
            thread::yield_now();
        }
    });
}

fn a_child_never_waits_for_a_nest_that_a_thread_of_its_parents_has() {
    let is_over = AtomicBool::new(false);
    let pool = pool();
    let mut held = Some(lease(&pool));
    pool.resize(Capacity::Unlimited).expect("a valid size");
    let all_end_well = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    pool.feign_contention();
                    (0..100).for_each(|_| drop(lease(&pool)));
                }
            });
        }
        let all = (0..100).all(|_| {
            ends_well(|| {
                drop(held.take());
                drop([lease(&pool), lease(&pool)]);
                pool.feign_contention();
                drop(lease(&pool));
            })
        });
        is_over.store(true, Ordering::Relaxed);
        all
    });
    assert!(all_end_well, "a child did not end well");
}

/// The name of a thread that is to be caught in its end; nothing else here has that length.
const CAUGHT: &str = "a thread that is caught while it holds the lock of all that begin or end";
static CATCH: AtomicU32 = AtomicU32::new(CATCH_NOTHING);
const CATCH_NOTHING: u32 = 0;
const CATCH_NEXT: u32 = 1;
const CATCH_IS_MADE: u32 = 2;

/// Holds a thread up where the copy of its name is freed, which the standard library does under a
/// lock of the whole process.
struct Catching;

#[global_allocator]
static ALLOCATOR: Catching = Catching;

// SAFETY: it is the system's allocator, which is only called later now and then.
unsafe impl GlobalAlloc for Catching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if layout.size() == CAUGHT.len() && layout.align() == 1 {
            let (from, to) = (CATCH_NEXT, CATCH_IS_MADE);
            let order = Ordering::SeqCst;
            if CATCH.compare_exchange(from, to, order, order).is_ok() {
                while CATCH.load(order) == CATCH_IS_MADE {
                    thread::yield_now();
                }
            }
        }
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn a_child_never_waits_for_a_thread_of_its_parents_that_ends() {
    let pool = pool();
    CATCH.store(CATCH_NEXT, Ordering::SeqCst);
    let ends = thread::Builder::new().name(CAUGHT.into()).spawn(|| {});
    let ends = ends.expect("a thread can be started");
    let began = Instant::now();
    while CATCH.load(Ordering::SeqCst) != CATCH_IS_MADE {
        let is_late = began.elapsed() > Duration::from_secs(PATIENCE.into());
        if is_late && CATCH.swap(CATCH_NOTHING, Ordering::SeqCst) == CATCH_NEXT {
            panic!("no thread was caught: the standard library has no such lock any more");
        }
        thread::yield_now();
    }
    let is_well = ends_well(|| {
        let _own = [lease(&pool), lease(&pool)];
        // So that the clock has a thread too.
        assert!(pool.checkout_timeout(Duration::from_millis(1)).is_err());
    });
    CATCH.store(CATCH_NOTHING, Ordering::SeqCst);
    ends.join().expect("it does nothing");
    assert!(is_well, "the child did not end well");
}

fn main() {
    let stories: [(&str, fn()); 13] = [
        (
            "a_child_leaves_alone_what_is_in_its_parents_nests",
            a_child_leaves_alone_what_is_in_its_parents_nests,
        ),
        (
            "the_last_handle_in_a_child_closes_the_childs_own_whatever_is_in_its_parents_nests",
            the_last_handle_in_a_child_closes_the_childs_own_whatever_is_in_its_parents_nests,
        ),
        (
            "a_child_never_waits_for_a_nest_that_a_thread_of_its_parents_has",
            a_child_never_waits_for_a_nest_that_a_thread_of_its_parents_has,
        ),
        (
            "a_child_opens_its_own_connections_and_leaves_its_parents_alone",
            a_child_opens_its_own_connections_and_leaves_its_parents_alone,
        ),
        (
            "a_child_may_do_anything_with_a_lease_that_it_has_inherited",
            a_child_may_do_anything_with_a_lease_that_it_has_inherited,
        ),
        (
            "the_last_handle_in_a_child_closes_nothing_of_its_parents",
            the_last_handle_in_a_child_closes_nothing_of_its_parents,
        ),
        ("deadlines_hold_in_a_child", deadlines_hold_in_a_child),
        (
            "a_grandchild_leaves_both_alone",
            a_grandchild_leaves_both_alone,
        ),
        (
            "each_threads_pool_is_the_childs_own",
            each_threads_pool_is_the_childs_own,
        ),
        (
            "a_caller_that_a_child_has_inherited_may_leave",
            a_caller_that_a_child_has_inherited_may_leave,
        ),
        ("a_child_has_its_own_runtime", a_child_has_its_own_runtime),
        (
            "a_child_never_waits_for_a_thread_of_its_parents_that_ends",
            a_child_never_waits_for_a_thread_of_its_parents_that_ends,
        ),
        (
            "a_child_never_waits_for_a_lock_that_a_thread_of_its_parents_has",
            a_child_never_waits_for_a_lock_that_a_thread_of_its_parents_has,
        ),
    ];
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let mut failed = 0;
    for (name, story) in stories {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let is_well = catch_unwind(story).is_ok();
        println!("test {name} ... {}", if is_well { "ok" } else { "FAILED" });
        failed += i32::from(!is_well);
    }
    process::exit(failed);
}
