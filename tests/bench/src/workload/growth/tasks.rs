//! A growing pool for tasks.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    task::{unconstrained, yield_now},
};

use super::setting::{Crowd, DURATION, Setting};
use crate::{
    contender::TaskRound,
    cycle,
    driver::Driver,
    figure::Figure,
    pool::TaskPool,
    runtime,
    stopwatch::{Stopwatch, WALL, nanoseconds},
};

/// With few waiters, they are let wait again and again until so many have had the connection.
const HANDED_ON: usize = 10_000;
/// How often the clock is not looked at for one time that it is.
const BATCH: u64 = 16;

impl TaskRound for Setting {
    fn run<P: TaskPool>(&self) -> Vec<Figure> {
        let size = u32::try_from(self.connections()).expect("pools are not that large");
        runtime::single().block_on(async {
            let pool = P::open(size, Driver::default()).await;
            vec![figure(&pool, self.crowd).await]
        })
    }
}

async fn figure<P: TaskPool>(pool: &P, crowd: Crowd) -> Figure {
    match crowd {
        Crowd::Idle(many) => {
            hold(pool, many).await;
            cycle::tasks_for(pool, DURATION).await.wall_figure()
        }
        Crowd::Held(many) => {
            hold(pool, many).await;
            let _held = hold(pool, many - 1).await;
            cycle::tasks_for(pool, DURATION).await.wall_figure()
        }
        Crowd::Waiting(many) => hand_on(pool, many).await,
        Crowd::GivenUp(many) => give_up_behind(pool, many).await,
    }
}

async fn hold<P: TaskPool>(pool: &P, many: usize) -> Vec<P::Lease> {
    let mut leases = Vec::with_capacity(many);
    for _ in 0..many {
        leases.push(pool.checkout().await);
    }
    leases
}

async fn hand_on<P: TaskPool>(pool: &P, many: usize) -> Figure {
    let times = HANDED_ON.div_ceil(many);
    let mut spent = Duration::ZERO;
    for _ in 0..times {
        let lease = pool.checkout().await;
        let queue = Queue::of(many, pool).await;
        let began = Instant::now();
        drop(lease);
        queue.served.notified().await;
        spent += began.elapsed();
    }
    Figure::new(WALL, nanoseconds(spent) / (times * many) as f64)
}

async fn give_up_behind<P: TaskPool>(pool: &P, many: usize) -> Figure {
    let lease = pool.checkout().await;
    let queue = Queue::of(many, pool).await;
    let figure = unconstrained(give_up_often(pool)).await;
    drop(lease);
    if many > 0 {
        queue.served.notified().await;
    }
    figure
}

async fn give_up_often<P: TaskPool>(pool: &P) -> Figure {
    let stopwatch = Stopwatch::start();
    let mut operations = 0;
    while stopwatch.wall() < DURATION {
        for _ in 0..BATCH {
            give_up(pool).await;
        }
        operations += BATCH;
    }
    stopwatch.stop(operations).wall_figure()
}

/// A checkout that has taken its place in the queue, and is dropped.
async fn give_up<P: TaskPool>(pool: &P) {
    let mut checkout = pin!(pool.checkout());
    poll_fn(|context| {
        let answer = checkout.as_mut().poll(context);
        assert!(answer.is_pending(), "the only connection is held");
        Poll::Ready(())
    })
    .await;
}

/// Tasks that wait for the only connection, each once.
#[derive(Debug)]
struct Queue {
    come: AtomicUsize,
    left: AtomicUsize,
    served: Notify,
}

impl Queue {
    /// Returns when all of them wait.
    async fn of<P: TaskPool>(many: usize, pool: &P) -> Arc<Self> {
        let queue = Arc::new(Self {
            come: AtomicUsize::new(0),
            left: AtomicUsize::new(many),
            served: Notify::new(),
        });
        for _ in 0..many {
            tokio::spawn(Arc::clone(&queue).stand(pool.clone()));
        }
        while queue.come.load(Relaxed) < many {
            yield_now().await;
        }
        queue
    }

    async fn stand<P: TaskPool>(self: Arc<Self>, pool: P) {
        self.come.fetch_add(1, Relaxed);
        drop(pool.checkout().await);
        if self.left.fetch_sub(1, Relaxed) == 1 {
            self.served.notify_one();
        }
    }
}
