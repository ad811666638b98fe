//! A deed, again and again, by one task.

use std::time::{Duration, Instant};

use ::sqlx::{Connection, Database, Executor, IntoArguments};
use everpool_sqlx::Driver;

use super::{
    CONNECT, EVERPOOL, HELD, KEPT, PRE_PING, SESSION, SQLX, SQLX_UNTESTED,
    contender::{
        ByConnect, ByEngine, ByPool, BySession, Contender, Held, Kept, connect, engine, pool,
    },
    setting::{Deed, Setting},
};
use crate::{allocator, figure::Figure, round::Round, runtime, stopwatch::Stopwatch};

const WARM_UP: Duration = Duration::from_millis(100);
const DURATION: Duration = Duration::from_millis(500);
/// The clock is looked at once in so many deeds.
const BATCH: u64 = 32;
/// Deeds whose allocations are counted.
const COUNTED: u64 = 1_000;

pub(super) fn run<DB>(url: &str, setting: &'static Setting, round: &Round) -> Vec<Figure>
where
    DB: Driver + Database<Arguments: IntoArguments<DB>>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let runtime = match setting.is_single {
        true => runtime::single_with_sockets(),
        false => runtime::two_workers_with_sockets(),
    };
    let (url, round) = (url.to_owned(), round.clone());
    // Where tasks run, and not on the thread that waits for them.
    let task = runtime.spawn(async move { enter::<DB>(&url, setting, &round).await });
    let answer = runtime.block_on(task);
    answer.expect("a task of a round does not panic")
}

async fn enter<DB>(url: &str, setting: &Setting, round: &Round) -> Vec<Figure>
where
    DB: Driver + Database<Arguments: IntoArguments<DB>>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let measure = Measure { setting, round };
    match &*round.contender {
        EVERPOOL => measure.take(ByEngine(engine::<DB>(url, false))).await,
        PRE_PING => measure.take(ByEngine(engine::<DB>(url, true))).await,
        CONNECT => measure.take(ByConnect(engine::<DB>(url, false))).await,
        SESSION => measure.take(BySession(engine::<DB>(url, false))).await,
        KEPT => {
            let engine = engine::<DB>(url, false);
            measure.take(Kept(connect(&engine).await)).await
        }
        SQLX => measure.take(ByPool(pool::<DB>(url, true))).await,
        SQLX_UNTESTED => measure.take(ByPool(pool::<DB>(url, false))).await,
        HELD => {
            let connection = DB::Connection::connect(url).await;
            measure
                .take(Held(connection.expect("the server accepts")))
                .await
        }
        other => panic!("nothing of SQLx's is called {other}"),
    }
}

struct Measure<'a> {
    setting: &'a Setting,
    round: &'a Round,
}

impl Measure<'_> {
    async fn take(&self, mut contender: impl Contender) -> Vec<Figure> {
        let deed = self.setting.deed;
        if let Some(operations) = self.setting.counted {
            repeat(&mut contender, deed, operations * self.round.times).await;
            return Vec::new();
        }
        repeat_for(&mut contender, deed, WARM_UP).await;
        let stopwatch = Stopwatch::start();
        let deeds = repeat_for(&mut contender, deed, DURATION).await;
        let mut figures = stopwatch.stop(deeds).figures();
        allocator::start_counting();
        repeat(&mut contender, deed, COUNTED).await;
        let allocations = allocator::allocations() as f64 / COUNTED as f64;
        figures.push(Figure::new(allocator::UNIT, allocations));
        figures
    }
}

async fn repeat_for(contender: &mut impl Contender, deed: Deed, duration: Duration) -> u64 {
    let start = Instant::now();
    let mut deeds = 0;
    while start.elapsed() < duration {
        repeat(contender, deed, BATCH).await;
        deeds += BATCH;
    }
    deeds
}

async fn repeat(contender: &mut impl Contender, deed: Deed, times: u64) {
    for _ in 0..times {
        let answer = match deed {
            Deed::Query => contender.query().await,
            Deed::Transaction => contender.transaction().await,
            Deed::Checkout => contender.checkout().await,
        };
        answer.expect("the server answers");
    }
}
