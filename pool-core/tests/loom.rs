//! The laws in every order in which two threads can meet, as far as so few preemptions lead.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p everpool-core --test loom --release`; with
//! `LOOM_MAX_PREEMPTIONS` it goes further. Time does not pass here: whoever is not woken sleeps for
//! ever, which loom calls a deadlock.
#![cfg(loom)]

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Waker},
    time::Duration,
};

use everpool_core::{
    CheckoutError, ConnectFault, Connector, Fault, Options, ResetOnReturn, Residue, Runtime, Work,
    blocking, future, machine::Capacity,
};
use loom::{
    cell::Cell,
    future::block_on,
    model::Builder,
    sync::{Mutex, MutexGuard},
    thread,
};

/// What loom calls a model: all its runs must go well.
fn model(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 10_000;
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        run();
    });
    println!("{} runs", runs.load(Relaxed));
}

/// A connection; loom sees to it that two threads do not use it at once, and that the one knows what
/// the other has done.
#[derive(Debug)]
struct Watched {
    /// In which runtime it was opened.
    era: u32,
    residue: Residue,
    uses: Cell<u32>,
}

impl Watched {
    fn used(&self) {
        self.uses.set(self.uses.get() + 1);
    }
}

/// A driver that does not wait.
#[derive(Debug, Default)]
struct Ready {
    eras: Arc<Eras>,
    opened: AtomicU32,
    reset: AtomicU32,
    closed: Arc<AtomicU32>,
}

impl Connector for Ready {
    type Connection = Watched;
    type Error = Infallible;

    async fn connect(&self) -> Result<Watched, Infallible> {
        self.opened.fetch_add(1, Relaxed);
        Ok(Watched {
            era: self.eras.current.load(Relaxed),
            residue: Residue::Clean,
            uses: Cell::new(0),
        })
    }

    async fn ping(&self, connection: &mut Watched) -> Result<(), Infallible> {
        connection.used();
        Ok(())
    }

    async fn reset(&self, connection: &mut Watched, _: ResetOnReturn) -> Result<(), Infallible> {
        connection.used();
        connection.residue = Residue::Clean;
        self.reset.fetch_add(1, Relaxed);
        Ok(())
    }

    async fn close(&self, connection: Watched) {
        connection.used();
        self.closed.fetch_add(1, Relaxed);
    }

    fn residue(&self, connection: &mut Watched) -> Residue {
        connection.residue
    }

    fn fault(&self, error: &Infallible, _: &mut Watched) -> Fault {
        match *error {}
    }

    fn connect_fault(&self, error: &Infallible) -> ConnectFault {
        match *error {}
    }
}

/// Work is done by whoever asks for it.
#[derive(Clone, Debug)]
struct Here;

impl Runtime for Here {
    const IS_LASTING: bool = true;

    fn current(&self) -> Option<Self> {
        Some(Self)
    }

    fn is_same(&self, _: &Self) -> bool {
        true
    }

    fn spawn(&self, work: Work) {
        block_on(work);
    }
}

/// Each piece of work has a thread.
#[derive(Clone, Debug)]
struct Aside<const LASTS: bool>;

impl<const LASTS: bool> Runtime for Aside<LASTS> {
    const IS_LASTING: bool = LASTS;

    fn current(&self) -> Option<Self> {
        Some(Self)
    }

    fn is_same(&self, _: &Self) -> bool {
        true
    }

    fn spawn(&self, work: Work) {
        thread::spawn(move || block_on(work));
    }
}

/// A runtime that can end, and after it another one begins. Work is done at once, or when it never
/// is, dropped at the end.
#[derive(Clone, Debug, Default)]
struct Mortal {
    era: u32,
    all: Arc<Eras>,
}

#[derive(Default)]
struct Eras {
    current: AtomicU32,
    waiting: Mutex<Vec<Work>>,
}

impl std::fmt::Debug for Eras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Eras")
    }
}

impl Mortal {
    fn waiting(&self) -> MutexGuard<'_, Vec<Work>> {
        self.all.waiting.lock().expect("nobody panics")
    }

    fn ends(&self) {
        self.all.current.fetch_add(1, Relaxed);
        let dropped = std::mem::take(&mut *self.waiting());
        drop(dropped);
    }
}

impl Runtime for Mortal {
    const IS_LASTING: bool = false;

    fn current(&self) -> Option<Self> {
        Some(Self {
            era: self.all.current.load(Relaxed),
            all: Arc::clone(&self.all),
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.era == other.era
    }

    fn spawn(&self, mut work: Work) {
        if self.era == self.all.current.load(Relaxed) && is_pending(&mut work) {
            self.waiting().push(work);
        }
    }
}

/// Polls once, with nobody to be woken.
fn is_pending(work: &mut (impl Future + Unpin)) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(work).poll(&mut context).is_pending()
}

fn pool_of<R: Runtime>(connector: Ready, options: Options, runtime: R) -> blocking::Pool<Ready, R> {
    let pool = blocking::Pool::in_runtime(connector, options, runtime);
    pool.expect("the options are valid")
}

fn of_size(size: u32) -> Options {
    let mut options = Options::default();
    options.capacity = Capacity::Bounded { size, overflow: 0 };
    options
}

fn pool_in<R: Runtime>(runtime: R, size: u32) -> blocking::Pool<Ready, R> {
    pool_of(Ready::default(), of_size(size), runtime)
}

fn pool() -> blocking::Pool<Ready, Here> {
    pool_in(Here, 1)
}

fn tasks<R: Runtime>(pool: &blocking::Pool<Ready, R>) -> future::Pool<Ready, R> {
    pool.for_tasks().expect("the class is for tasks too")
}

/// A pool with a connection at rest.
fn warm() -> blocking::Pool<Ready, Here> {
    let pool = pool();
    used(lease(&pool));
    pool
}

fn lease<R: Runtime>(pool: &blocking::Pool<Ready, R>) -> blocking::Lease<Ready, R> {
    pool.checkout().expect("there is a connection")
}

fn used<R: Runtime>(lease: blocking::Lease<Ready, R>) {
    lease.used();
}

fn use_in_thread<R: Runtime>(pool: &blocking::Pool<Ready, R>) {
    used(lease(pool));
}

fn use_in_task<R: Runtime>(pool: &future::Pool<Ready, R>) {
    let lease = block_on(pool.checkout());
    used(lease.expect("there is a connection"));
}

fn spawn(run: impl FnOnce() + 'static) -> thread::JoinHandle<()> {
    thread::spawn(run)
}

fn join(other: thread::JoinHandle<()>) {
    other.join().expect("the other thread ends well");
}

/// Whatever happened, so many connections are open, all of them at rest, and can be lent.
fn all_is_at_rest<R: Runtime>(pool: &blocking::Pool<Ready, R>, open: u32) {
    let connector = pool.connector();
    let status = pool.status();
    assert_eq!(
        connector.opened.load(Relaxed) - connector.closed.load(Relaxed),
        open
    );
    assert_eq!((status.checked_out, status.waiting), (0, 0));
    let leases: Vec<_> = (0..open).map(|_| pool.try_checkout()).collect();
    assert!(leases.iter().all(Option::is_some), "{status:?}");
}

#[test]
fn law_2_two_threads_get_one_connection_in_turn() {
    model(3, || {
        let pool = warm();
        let other = spawn({
            let pool = pool.clone();
            move || use_in_thread(&pool)
        });
        use_in_thread(&pool);
        join(other);
        assert_eq!(lease(&pool).uses.get(), 3);
        all_is_at_rest(&pool, 1);
    });
}

#[test]
fn law_2_two_threads_share_the_connection_that_one_of_them_has_opened() {
    model(3, || {
        let pool = pool();
        let other = spawn({
            let pool = pool.clone();
            move || use_in_thread(&pool)
        });
        use_in_thread(&pool);
        join(other);
        all_is_at_rest(&pool, 1);
    });
}

#[test]
fn law_2_three_threads_get_one_connection_in_turn() {
    model(2, || {
        let pool = warm();
        let others = [(); 2].map(|()| {
            let pool = pool.clone();
            spawn(move || use_in_thread(&pool))
        });
        use_in_thread(&pool);
        others.into_iter().for_each(join);
        all_is_at_rest(&pool, 1);
    });
}

#[test]
fn law_6_a_return_waits_for_its_reset_and_the_next_finds_it_done() {
    model(2, || {
        let pool = pool_in(Aside::<true>, 1);
        let mut first = lease(&pool);
        let other = spawn({
            let pool = pool.clone();
            move || assert_eq!(lease(&pool).residue, Residue::Clean)
        });
        first.residue = Residue::Open;
        drop(first);
        assert_eq!(pool.connector().reset.load(Relaxed), 1);
        join(other);
        // Closing it takes another thread.
        pool.abandon();
    });
}

#[test]
fn law_2_two_tasks_get_one_connection_in_turn() {
    model(3, || {
        let pool = warm();
        let other = spawn({
            let pool = tasks(&pool);
            move || use_in_task(&pool)
        });
        use_in_task(&tasks(&pool));
        join(other);
        all_is_at_rest(&pool, 1);
    });
}

#[test]
fn law_2_a_thread_and_a_task_get_one_connection_in_turn() {
    model(3, || {
        let pool = warm();
        let other = spawn({
            let pool = tasks(&pool);
            move || use_in_task(&pool)
        });
        use_in_thread(&pool);
        join(other);
        all_is_at_rest(&pool, 1);
    });
}

#[test]
fn law_3_what_was_lent_to_a_task_that_goes_away_is_lent_to_the_next() {
    model(2, || {
        let pool = pool();
        let first = lease(&pool);
        let leaver = spawn({
            let pool = tasks(&pool);
            move || {
                let mut checkout = pool.checkout();
                let _lent_or_not = is_pending(&mut checkout);
            }
        });
        let next = spawn({
            let pool = tasks(&pool);
            move || use_in_task(&pool)
        });
        used(first);
        join(leaver);
        join(next);
        all_is_at_rest(&pool, 1);
    });
}

#[test]
fn law_7_what_comes_back_while_the_pool_is_recreated_is_never_lent_again() {
    model(3, || {
        let pool = pool();
        let old = lease(&pool);
        let generation = old.generation();
        let other = spawn({
            let pool = pool.clone();
            move || {
                pool.recreate();
                let lease = lease(&pool);
                assert!(lease.generation() > generation);
                used(lease);
            }
        });
        used(old);
        join(other);
        assert!(lease(&pool).generation() > generation);
        all_is_at_rest(&pool, 1);
    });
}

#[test]
fn law_7_what_comes_back_while_its_server_is_suspected_is_never_lent_again() {
    model(3, || {
        let pool = pool_in(Here, 2);
        let (old, lost) = (lease(&pool), lease(&pool));
        let generation = old.generation();
        let other = spawn({
            let pool = pool.clone();
            move || {
                lost.invalidate(Fault::Server);
                assert!(!pool.suspect(generation), "it was done already");
                let lease = lease(&pool);
                assert!(lease.generation() > generation);
                used(lease);
            }
        });
        used(old);
        // Whoever is second hears that it was done.
        let _is_first = pool.suspect(generation);
        join(other);
        let next = lease(&pool);
        assert!(next.generation() > generation && !pool.suspect(generation));
        drop(next);
        all_is_at_rest(&pool, 1);
    });
}

/// Whoever waits while the pool is closed gets a connection or is told.
fn is_served_or_told(answer: Result<blocking::Lease<Ready, Here>, CheckoutError<Infallible>>) {
    match answer {
        Ok(lease) => used(lease),
        Err(CheckoutError::Closed) => {}
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn law_3_a_thread_that_closes_the_pool_hears_of_the_last_return() {
    model(3, || {
        let pool = pool();
        let last = lease(&pool);
        let other = spawn(move || used(last));
        assert!(pool.close(Duration::from_secs(1)).is_drained());
        join(other);
        assert_eq!(pool.connector().closed.load(Relaxed), 1);
    });
}

#[test]
fn law_3_a_task_that_closes_the_pool_hears_of_the_last_return() {
    model(3, || {
        let pool = pool();
        let last = lease(&pool);
        let other = spawn(move || used(last));
        let closed = block_on(tasks(&pool).close(Duration::from_secs(1)));
        assert!(closed.is_drained());
        join(other);
        assert_eq!(pool.connector().closed.load(Relaxed), 1);
    });
}

#[test]
fn law_3_a_thread_that_waits_while_the_pool_is_closed_is_served_or_told() {
    model(3, || {
        let pool = pool();
        let last = lease(&pool);
        let other = spawn({
            let pool = pool.clone();
            move || is_served_or_told(pool.checkout())
        });
        used(last);
        assert!(pool.close(Duration::from_secs(1)).is_drained());
        join(other);
        assert_eq!(pool.connector().closed.load(Relaxed), 1);
    });
}

#[test]
fn law_3_a_task_that_waits_while_the_pool_is_closed_is_served_or_told() {
    model(3, || {
        let pool = pool();
        let last = lease(&pool);
        let other = spawn({
            let pool = tasks(&pool);
            move || is_served_or_told(block_on(pool.checkout()))
        });
        used(last);
        assert!(pool.close(Duration::from_secs(1)).is_drained());
        join(other);
        assert_eq!(pool.connector().closed.load(Relaxed), 1);
    });
}

/// Closes a pool whose one connection is out until all who wait have their answers.
fn closed_while_waited_for(wait: impl FnOnce(&blocking::Pool<Ready, Here>) + 'static) {
    let pool = pool();
    let last = lease(&pool);
    let other = spawn({
        let pool = pool.clone();
        move || wait(&pool)
    });
    let tasks = tasks(&pool);
    let mut closing = pin!(tasks.close(Duration::from_secs(1)));
    assert!(is_pending(&mut closing));
    join(other);
    used(last);
    assert!(block_on(closing).is_drained());
}

#[test]
fn law_3_a_thread_that_waits_when_the_pool_is_closed_is_told_at_once() {
    model(3, || {
        closed_while_waited_for(|pool| {
            assert!(matches!(pool.checkout(), Err(CheckoutError::Closed)));
        });
    });
}

#[test]
fn law_3_a_task_that_waits_when_the_pool_is_closed_is_told_at_once() {
    model(3, || {
        closed_while_waited_for(|pool| {
            let answer = block_on(tasks(pool).checkout());
            assert!(matches!(answer, Err(CheckoutError::Closed)));
        });
    });
}

/// Two threads that open a connection each, on a pool whose first `first_connect` does as said.
fn two_first_connections(fails: bool) {
    let pool = pool_in(Here, 2);
    let tried = Arc::new(loom::sync::atomic::AtomicU32::new(0));
    let succeeded = Arc::new(AtomicU32::new(0));
    pool.events().first_connect({
        let (tried, succeeded) = (Arc::clone(&tried), Arc::clone(&succeeded));
        move |_, _| {
            if tried.fetch_add(1, loom::sync::atomic::Ordering::Relaxed) == 0 && fails {
                return Err("the first one fails".into());
            }
            succeeded.fetch_add(1, Relaxed);
            Ok(())
        }
    });
    pool.events().connect({
        let succeeded = Arc::clone(&succeeded);
        move |_, _| match succeeded.load(Relaxed) {
            1 => Ok(()),
            other => Err(format!("{other} before").into()),
        }
    });
    let failed = Arc::new(AtomicU32::new(0));
    let try_once = |pool: &blocking::Pool<Ready, Here>, failed: &AtomicU32| match pool.checkout() {
        Ok(lease) => used(lease),
        Err(error) => {
            assert!(error.to_string().contains("the first one fails"), "{error}");
            failed.fetch_add(1, Relaxed);
        }
    };
    let other = spawn({
        let (pool, failed) = (pool.clone(), Arc::clone(&failed));
        move || try_once(&pool, &failed)
    });
    try_once(&pool, &failed);
    join(other);
    // It is told to whoever is first in line; nobody is, if the other's connection served both.
    assert!(failed.load(Relaxed) <= u32::from(fails));
    assert_eq!(succeeded.load(Relaxed), 1);
}

#[test]
fn the_hooks_of_the_first_connection_run_once_and_all_others_wait_for_them() {
    model(2, || two_first_connections(false));
}

#[test]
fn law_5_a_first_connection_that_fails_leaves_its_turn_to_the_next() {
    model(2, || two_first_connections(true));
}

/// A runtime ends while a thread works with a connection of it; no connection of it is lent after.
fn while_its_runtime_ends(
    change: impl FnOnce(&mut Options),
    prepare: impl FnOnce(&blocking::Pool<Ready, Mortal>) -> Option<blocking::Lease<Ready, Mortal>>,
    work: impl FnOnce(&blocking::Pool<Ready, Mortal>, Option<blocking::Lease<Ready, Mortal>>),
) {
    let runtime = Mortal::default();
    let connector = Ready {
        eras: Arc::clone(&runtime.all),
        ..Ready::default()
    };
    let mut options = of_size(1);
    change(&mut options);
    let pool = pool_of(connector, options, runtime.clone());
    let prepared = prepare(&pool);
    let other = spawn({
        let runtime = runtime.clone();
        move || runtime.ends()
    });
    work(&pool, prepared);
    join(other);
    let next = lease(&pool);
    assert_eq!(next.era, 1);
    drop(next);
    used(lease(&pool));
    drop(pool);
    runtime.ends();
}

#[test]
fn law_6_what_comes_back_while_its_runtime_ends_is_never_lent_again() {
    model(3, || {
        let work = |_: &_, lost| drop(lost);
        while_its_runtime_ends(|_| {}, |pool| Some(lease(pool)), work);
    });
}

#[test]
fn law_6_what_is_reset_while_its_runtime_ends_is_never_lent_again() {
    model(3, || {
        let prepare = |pool: &_| {
            let mut lost = lease(pool);
            lost.residue = Residue::Open;
            Some(lost)
        };
        while_its_runtime_ends(|_| {}, prepare, |_, lost| drop(lost));
    });
}

#[test]
fn law_6_what_is_pinged_while_its_runtime_ends_is_never_lent_again() {
    model(3, || {
        let prepare = |pool: &_| {
            used(lease(pool));
            None
        };
        let work = |pool: &_, _| used(lease(pool));
        while_its_runtime_ends(|options| options.pre_ping = true, prepare, work);
    });
}

#[test]
fn law_6_what_is_opened_while_its_runtime_ends_is_never_lent_again() {
    model(3, || {
        let work = |pool: &_, _| used(lease(pool));
        while_its_runtime_ends(|_| {}, |_| None, work);
    });
}

#[test]
fn nothing_is_left_in_a_runtime_when_its_pool_is_gone() {
    model(3, || {
        let pool = pool_in(Aside::<false>, 1);
        let lease = lease(&pool);
        drop(pool);
        // Its thread ends, or this is a deadlock.
        let _connection = lease.detach().into_connection();
    });
}

/// A pool of two connections at rest, whose nests are open; the calling thread's keeps one if it is to.
fn nested(keeps: bool) -> blocking::Pool<Ready, Here> {
    let pool = pool_in(Here, 2);
    drop([lease(&pool), lease(&pool)]);
    pool.feign_contention();
    if keeps {
        used(lease(&pool));
    }
    pool
}

#[test]
fn law_2_what_goes_into_a_nest_while_nests_are_closed_is_lent_to_who_waits() {
    model(3, || {
        let pool = nested(false);
        let (mine, last) = (lease(&pool), lease(&pool));
        pool.feign_contention();
        let other = spawn({
            let pool = pool.clone();
            move || use_in_thread(&pool)
        });
        used(mine);
        join(other);
        used(last);
        all_is_at_rest(&pool, 2);
    });
}

#[test]
fn law_2_what_is_taken_from_a_nest_while_nests_are_closed_is_lent_once() {
    model(3, || {
        let pool = nested(true);
        let other = spawn({
            let pool = pool.clone();
            move || {
                let both = [lease(&pool), lease(&pool)];
                both.iter().for_each(|lease| lease.used());
            }
        });
        used(lease(&pool));
        join(other);
        all_is_at_rest(&pool, 2);
    });
}

#[test]
fn law_3_two_threads_with_nests_and_a_task_share_two_connections() {
    model(2, || {
        let pool = nested(true);
        let first = lease(&pool);
        let thread = spawn({
            let pool = pool.clone();
            move || use_in_thread(&pool)
        });
        let task = spawn({
            let pool = tasks(&pool);
            move || use_in_task(&pool)
        });
        used(first);
        join(thread);
        join(task);
        all_is_at_rest(&pool, 2);
    });
}

#[test]
fn law_7_what_goes_into_a_nest_while_the_pool_is_recreated_is_never_lent_again() {
    model(2, || {
        let pool = pool_in(Here, 3);
        drop([lease(&pool), lease(&pool)]);
        pool.feign_contention();
        let old = lease(&pool);
        let generation = old.generation();
        let other = spawn({
            let pool = pool.clone();
            move || {
                pool.recreate();
                drop([lease(&pool), lease(&pool)]);
                pool.feign_contention();
            }
        });
        used(old);
        join(other);
        assert!(lease(&pool).generation() > generation);
    });
}

#[test]
fn law_6_what_goes_into_a_nest_while_its_runtime_ends_is_never_lent_again() {
    model(2, || {
        let runtime = Mortal::default();
        let connector = Ready {
            eras: Arc::clone(&runtime.all),
            ..Ready::default()
        };
        let pool = pool_of(connector, of_size(3), runtime.clone());
        drop([lease(&pool), lease(&pool)]);
        pool.feign_contention();
        let lost = lease(&pool);
        let end = spawn({
            let (runtime, pool) = (runtime.clone(), pool.clone());
            move || {
                runtime.ends();
                drop([lease(&pool), lease(&pool)]);
                pool.feign_contention();
            }
        });
        used(lost);
        join(end);
        assert_eq!(lease(&pool).era, 1);
        drop(pool);
        runtime.ends();
    });
}

#[test]
fn law_5_the_last_handle_closes_what_comes_back_at_that_moment() {
    model(3, || {
        let pool = nested(true);
        let closed = Arc::clone(&pool.connector().closed);
        let other = spawn({
            let pool = pool.clone();
            move || {
                let last = lease(&pool);
                drop(pool);
                used(last);
            }
        });
        drop(pool);
        join(other);
        assert_eq!(closed.load(Relaxed), 2);
    });
}
