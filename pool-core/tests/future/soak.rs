//! A careless program, a flaky server, threads and tasks on one pool, for as long as one likes.
//! `EVERPOOL_SOAK` says how many operations, `EVERPOOL_SEED` what is done.

use std::{
    env, fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use everpool_core::{
    Capacity, ConnectFault, Connector, Fault, ResetOnReturn, Residue, Tokio, blocking,
    future::{Lease, Pool},
};
use tokio::{runtime::Builder, task::yield_now};

use crate::bench::{PATIENCE, options};

const THREADS: u64 = 8;
const TASKS: u64 = 64;
const SIZE: u32 = 6;
/// What each kind of work may take.
const LIMIT: Duration = Duration::from_millis(20);

/// Numbers that look random and are the same each time.
#[derive(Debug)]
struct Dice(AtomicU64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below this.
    fn below(&self, end: u64) -> u64 {
        let step = 0x9E37_79B9_7F4A_7C15;
        let state = self.0.fetch_add(step, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

#[derive(Debug)]
struct Broken(Fault);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it broke")
    }
}

impl std::error::Error for Broken {}

#[derive(Debug)]
struct Connection {
    residue: Residue,
    is_amid: bool,
    is_lent: bool,
    open: Arc<AtomicI64>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A server and a driver that do what the dice say, until all is to be well.
struct Flaky {
    dice: Dice,
    /// One of so many steps goes wrong; none, if 0.
    odds: AtomicU64,
    open: Arc<AtomicI64>,
}

impl Flaky {
    async fn step(&self) -> Result<(), Broken> {
        let odds = self.odds.load(Ordering::Relaxed);
        if odds == 0 || self.dice.below(odds) > 0 {
            return Ok(());
        }
        match self.dice.below(8) {
            0 => panic!("the dice say so"),
            1 => std::future::pending().await,
            2 | 3 => {
                yield_now().await;
                Ok(())
            }
            4 => Err(Broken(Fault::Server)),
            5 => Err(Broken(Fault::Statement)),
            _ => Err(Broken(Fault::Connection)),
        }
    }

    async fn step_on(&self, connection: &mut Connection) -> Result<(), Broken> {
        assert!(!connection.is_amid, "one thing at a time");
        connection.is_amid = true;
        let outcome = self.step().await;
        connection.is_amid = false;
        outcome
    }
}

impl Connector for Flaky {
    type Connection = Connection;
    type Error = Broken;

    async fn connect(&self) -> Result<Connection, Broken> {
        self.step().await?;
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Connection {
            residue: Residue::Clean,
            is_amid: false,
            is_lent: false,
            open: Arc::clone(&self.open),
        })
    }

    async fn ping(&self, connection: &mut Connection) -> Result<(), Broken> {
        self.step_on(connection).await
    }

    async fn reset(&self, connection: &mut Connection, _: ResetOnReturn) -> Result<(), Broken> {
        self.step_on(connection).await?;
        connection.residue = Residue::Clean;
        Ok(())
    }

    async fn close(&self, mut connection: Connection) {
        connection.is_amid = false;
        // Closing has no outcome.
        let _outcome = self.step_on(&mut connection).await;
    }

    fn residue(&self, connection: &mut Connection) -> Residue {
        match connection.is_amid {
            true => Residue::Broken,
            false => connection.residue,
        }
    }

    fn fault(&self, error: &Broken, _: &mut Connection) -> Fault {
        error.0
    }

    fn connect_fault(&self, error: &Broken) -> ConnectFault {
        match error.0 {
            Fault::Statement => ConnectFault::Permanent,
            _ => ConnectFault::Transient,
        }
    }
}

/// What all users do together.
struct Soak {
    pool: Pool<Flaky>,
    left: AtomicUsize,
    lent: AtomicUsize,
}

impl Soak {
    fn goes_on(&self) -> bool {
        let one = |left: usize| left.checked_sub(1);
        let relaxed = Ordering::Relaxed;
        self.left.fetch_update(relaxed, relaxed, one).is_ok()
    }

    /// Uses a connection as a careless program may.
    fn hold(&self, lease: &mut Lease<Flaky, Tokio>) {
        assert!(!lease.is_amid, "it was abandoned half-way");
        assert!(!lease.is_lent, "somebody else has it");
        assert_ne!(lease.residue, Residue::Open, "the last user's transaction");
        lease.is_lent = true;
        self.lent.fetch_add(1, Ordering::Relaxed);
    }

    fn give_back(&self, mut lease: Lease<Flaky, Tokio>, dice: &Dice) {
        lease.is_lent = false;
        match dice.below(64) {
            0 => lease.invalidate(Fault::Connection),
            1 => lease.invalidate(Fault::Server),
            2 => lease.invalidate_soft(),
            3 => drop(lease.detach()),
            4 => drop(lease.detach().into_connection()),
            5 => lease.residue = Residue::Broken,
            6 => lease.at_return(|_| Err("it cannot be undone".into())),
            7 => drop(self.pool.suspect(lease.generation())),
            8..16 => lease.residue = Residue::Open,
            16..20 => lease.residue = Residue::Unknown,
            20..24 => lease.at_return(|_| Ok(())),
            _ => {}
        }
    }

    /// What an operator may do meanwhile.
    fn meddle(&self, dice: &Dice) {
        match dice.below(400) {
            0 => self.pool.recreate(),
            1 | 2 => {
                let size = 1 + u32::try_from(dice.below(2 * u64::from(SIZE))).expect("it is small");
                let capacity = Capacity::Bounded { size, overflow: 1 };
                self.pool
                    .resize(capacity)
                    .expect("a size that a pool can have");
            }
            3 => {
                self.pool.suspend();
                thread::yield_now();
                self.pool.resume();
            }
            4 => drop(self.pool.snapshot()),
            5 => drop(self.pool.holders()),
            6 => drop(self.pool.status()),
            _ => {}
        }
    }

    fn timeout(dice: &Dice) -> Duration {
        match dice.below(8) {
            0 => Duration::ZERO,
            1 => PATIENCE,
            _ => Duration::from_micros(dice.below(3000)),
        }
    }

    fn as_thread(&self, pool: &blocking::Pool<Flaky, Tokio>, dice: &Dice) {
        while self.goes_on() {
            self.meddle(dice);
            let lease = match dice.below(8) {
                0 => pool.try_checkout(),
                _ => pool.checkout_timeout(Self::timeout(dice)).ok(),
            };
            if let Some(mut lease) = lease {
                self.hold(&mut lease);
                if dice.below(4) == 0 {
                    thread::yield_now();
                }
                self.give_back(lease, dice);
            }
        }
    }

    async fn as_task(&self, dice: &Dice) {
        while self.goes_on() {
            self.meddle(dice);
            let checkout = self.pool.checkout_timeout(Self::timeout(dice));
            let lease = match dice.below(4) {
                0 => given_up(checkout, dice.below(4)).await,
                _ => checkout.await.ok(),
            };
            if let Some(mut lease) = lease {
                self.hold(&mut lease);
                for _ in 0..dice.below(3) {
                    yield_now().await;
                }
                self.give_back(lease, dice);
            }
        }
    }
}

/// Is polled so many times at most, then dropped.
async fn given_up<T, E>(checkout: impl Future<Output = Result<T, E>>, polls: u64) -> Option<T> {
    let mut checkout = pin!(checkout);
    for _ in 0..polls {
        let look = poll_fn(|context| Poll::Ready(checkout.as_mut().poll(context)));
        if let Poll::Ready(answer) = look.await {
            return answer.ok();
        }
        yield_now().await;
    }
    None
}

fn number(name: &str, usually: u64) -> u64 {
    let said = env::var(name).ok();
    said.map_or(usually, |said| said.parse().expect("a number"))
}

/// Says the seed if all does not go well.
struct Says(u64);

impl Drop for Says {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("EVERPOOL_SEED={} did this", self.0);
        }
    }
}

#[test]
fn law_5_whatever_is_done_every_place_is_accounted_for() {
    let operations = number("EVERPOOL_SOAK", 50_000);
    let clock = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8);
    let seed = number("EVERPOOL_SEED", clock);
    let _says = Says(seed);
    let began = Instant::now();

    let runtime = Builder::new_multi_thread().worker_threads(2).build();
    let runtime = runtime.expect("a runtime");
    let open = Arc::new(AtomicI64::new(0));
    let flaky = Flaky {
        dice: Dice::new(seed),
        odds: AtomicU64::new(50),
        open: Arc::clone(&open),
    };
    let options = options(SIZE, |options| {
        options.pre_ping = seed.is_multiple_of(2);
        options.outage_grace = LIMIT;
        options.connect_timeout = LIMIT;
        options.ping_timeout = LIMIT;
        options.reset_timeout = LIMIT;
        options.close_timeout = LIMIT;
    });
    let tokio = Tokio::new(runtime.handle().clone());
    let pool = Pool::in_runtime(flaky, options, tokio).expect("valid options");
    let soak = Arc::new(Soak {
        pool: pool.clone(),
        left: AtomicUsize::new(usize::try_from(operations).expect("it fits")),
        lent: AtomicUsize::new(0),
    });

    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (soak, dice) = (Arc::clone(&soak), Dice::new(seed ^ (task << 32)));
            runtime.spawn(async move { soak.as_task(&dice).await })
        })
        .collect();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (soak, dice) = (&soak, Dice::new(seed ^ (thread << 48)));
            scope.spawn(move || soak.as_thread(&soak.pool.for_threads(), &dice));
        }
    });
    for task in tasks {
        runtime.block_on(task).expect("no task panics");
    }
    let took = began.elapsed();

    all_is_well(&pool, &open);
    let Soak { lent, .. } = &*soak;
    let lent = lent.load(Ordering::Relaxed);
    println!("{operations} operations in {took:.1?}; {lent} times a connection was lent");
    assert!(lent > 0);
    drop((pool, soak));
    until(|| open.load(Ordering::Relaxed) == 0);
}

/// From now on nothing goes wrong any more: as many as ever can be lent.
fn all_is_well(pool: &Pool<Flaky>, open: &AtomicI64) {
    pool.connector().odds.store(0, Ordering::Relaxed);
    pool.resume();
    let capacity = Capacity::Bounded {
        size: SIZE,
        overflow: 0,
    };
    pool.resize(capacity).expect("a size that a pool can have");
    let threads = pool.for_threads();
    let mut leases = Vec::new();
    until(|| {
        // What still goes wrong began before.
        leases.extend(threads.checkout_timeout(PATIENCE));
        leases.len() == SIZE as usize
    });
    until(|| {
        let status = pool.status();
        let busy = status.connecting + status.checking + status.resetting + status.closing;
        busy + status.abandoned + status.waiting + status.idle == 0
    });
    assert_eq!(pool.status().checked_out, leases.len());
    assert!(leases.iter().all(|lease| !lease.is_amid && !lease.is_lent));
    let mut one_more = Box::pin(pool.checkout_timeout(Duration::ZERO));
    let mut context = Context::from_waker(Waker::noop());
    until(|| matches!(one_more.as_mut().poll(&mut context), Poll::Ready(Err(_))));
    drop(leases);
    until(|| open.load(Ordering::Relaxed) == i64::from(SIZE));
}

#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "it never comes");
        thread::yield_now();
    }
}
