//! An executor on which nothing runs but when the test says so, in the order in which it was woken.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use everpool_core::{
    Capacity, CheckoutError, Options, Phase, Runtime, Status, Work,
    future::{Checkout, Lease, Pool},
};

use crate::driver::{Driver, Failed, locked};

/// Beyond what any test takes; only a deadlock lasts longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const SHORT: Duration = Duration::from_millis(30);

/// An executor for a pool's work. `LASTING` or not, it ends when the test says so.
#[derive(Clone, Default)]
pub(crate) struct Bench<const LASTING: bool = true>(Arc<Board>);

#[derive(Default)]
struct Board {
    tasks: Mutex<Vec<Arc<Task>>>,
    bell: Arc<Bell>,
}

/// Rings whenever a task or a caller is woken.
#[derive(Default)]
struct Bell {
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    fn ring(&self) {
        *locked(&self.has_rung) = true;
        self.rings.notify_all();
    }

    /// Until it rings, or for a moment: what is waited for may not ring.
    fn wait(&self) {
        let moment = Duration::from_millis(5);
        let rung = locked(&self.has_rung);
        let waited = self
            .rings
            .wait_timeout_while(rung, moment, |rung| !*rung)
            .expect("nobody panics with this lock");
        let (mut rung, _) = waited;
        *rung = false;
    }
}

struct Task {
    work: Mutex<Option<Work>>,
    flag: Arc<Flag>,
}

/// A waker that remembers.
struct Flag {
    is_woken: AtomicBool,
    bell: Arc<Bell>,
}

impl Flag {
    fn new(bell: &Arc<Bell>) -> Arc<Self> {
        Arc::new(Self {
            is_woken: AtomicBool::new(true),
            bell: Arc::clone(bell),
        })
    }

    fn take(&self) -> bool {
        self.is_woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.bell.ring();
    }
}

impl<const LASTING: bool> Bench<LASTING> {
    /// Polls what was woken, until nothing is woken any more.
    pub(crate) fn run(&self) {
        while let Some(task) = self.next() {
            let Some(mut work) = locked(&task.work).take() else {
                continue;
            };
            let waker = Waker::from(Arc::clone(&task.flag));
            let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_pending() {
                *locked(&task.work) = Some(work);
            }
        }
        locked(&self.0.tasks).retain(|task| locked(&task.work).is_some());
    }

    fn next(&self) -> Option<Arc<Task>> {
        let tasks = locked(&self.0.tasks);
        tasks.iter().find(|task| task.flag.take()).map(Arc::clone)
    }

    /// How much work is under way.
    pub(crate) fn len(&self) -> usize {
        locked(&self.0.tasks).len()
    }

    /// Drops the oldest work: with a pool in a runtime that ends, that which tells its end.
    pub(crate) fn drop_oldest(&self) {
        let oldest = locked(&self.0.tasks).remove(0);
        drop(oldest);
    }

    /// Runs until it is so.
    #[track_caller]
    pub(crate) fn until(&self, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        loop {
            self.run();
            if is_so() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it never comes");
            self.0.bell.wait();
        }
    }

    pub(crate) fn call<'a>(&self, checkout: Checkout<'a, Driver, Self>) -> Caller<'a, LASTING> {
        Caller {
            checkout: Box::pin(checkout),
            waker: Waker::from(Flag::new(&self.0.bell)),
        }
    }

    /// Runs until the caller has its answer.
    #[track_caller]
    pub(crate) fn finish(&self, mut caller: Caller<'_, LASTING>) -> Answer<LASTING> {
        let mut answer = None;
        self.until(|| {
            answer = caller.ask();
            answer.is_some()
        });
        answer.expect("it was waited for")
    }

    /// A connection, which must be had.
    #[track_caller]
    pub(crate) fn lease(&self, pool: &Pool<Driver, Self>) -> Lease<Driver, Self> {
        let caller = self.call(pool.checkout());
        self.finish(caller).expect("there is a connection")
    }

    #[track_caller]
    pub(crate) fn timeout(&self, caller: Caller<'_, LASTING>) -> (Phase, Duration) {
        match self.finish(caller) {
            Err(CheckoutError::TimedOut(timed_out)) => (timed_out.phase, timed_out.waited),
            other => panic!("expected a timeout, not {other:?}"),
        }
    }

    /// Whoever comes now can have as many connections as ever, none of them in the middle of
    /// anything, and the numbers add up.
    #[track_caller]
    pub(crate) fn everything_can_be_lent(&self, pool: &Pool<Driver, Self>, size: usize) {
        let leases: Vec<_> = (0..size).map(|_| self.lease(pool)).collect();
        assert!(leases.iter().all(|lease| !lease.is_amid));
        self.until(|| rests_but(&pool.status(), 0, size));
        drop(leases);
        self.until(|| rests_but(&pool.status(), size, 0));
    }
}

/// Whether nothing is under way.
fn rests_but(status: &Status, idle: usize, checked_out: usize) -> bool {
    let Status {
        connecting,
        checking,
        resetting,
        closing,
        abandoned,
        waiting,
        ..
    } = *status;
    let busy = connecting + checking + resetting + closing + abandoned + waiting;
    (status.idle, status.checked_out, busy) == (idle, checked_out, 0)
}

pub(crate) type Answer<const LASTING: bool> =
    Result<Lease<Driver, Bench<LASTING>>, CheckoutError<Failed>>;

/// A caller of a checkout, polled by hand.
pub(crate) struct Caller<'a, const LASTING: bool = true> {
    checkout: Pin<Box<Checkout<'a, Driver, Bench<LASTING>>>>,
    waker: Waker,
}

impl<const LASTING: bool> Caller<'_, LASTING> {
    /// Of the same task as another.
    pub(crate) fn woken_as(self, other: &Caller<'_, LASTING>) -> Self {
        Self {
            waker: other.waker.clone(),
            ..self
        }
    }

    pub(crate) fn ask(&mut self) -> Option<Answer<LASTING>> {
        let mut context = Context::from_waker(&self.waker);
        match self.checkout.as_mut().poll(&mut context) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }
}

impl<const LASTING: bool> Runtime for Bench<LASTING> {
    const IS_LASTING: bool = LASTING;

    fn current(&self) -> Option<Self> {
        Some(self.clone())
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn spawn(&self, work: Work) {
        let task = Arc::new(Task {
            work: Mutex::new(Some(work)),
            flag: Flag::new(&self.0.bell),
        });
        locked(&self.0.tasks).push(task);
        self.0.bell.ring();
    }
}

impl<const LASTING: bool> fmt::Debug for Bench<LASTING> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bench")
    }
}

/// A pool of so many connections on a bench of its own.
pub(crate) fn pool_of<const LASTING: bool>(
    size: u32,
    driver: Driver,
    change: impl FnOnce(&mut Options),
) -> (Pool<Driver, Bench<LASTING>>, Bench<LASTING>) {
    let bench = Bench::default();
    let pool = Pool::in_runtime(driver, options(size, change), bench.clone());
    let pool = pool.expect("the options are valid").with_timeout(PATIENCE);
    (pool, bench)
}

pub(crate) fn options(size: u32, change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    options.capacity = Capacity::Bounded { size, overflow: 0 };
    change(&mut options);
    options
}
