//! A checkout for each query, as a web service has one for each request.

use std::time::{Duration, Instant};

use diesel::{
    connection::LoadConnection,
    pg::Pg,
    prelude::*,
    r2d2::{ConnectionManager, Pool},
    sql_types::Integer,
};
use everpool_diesel::{EngineOptions, create_engine};
use everpool_tests::PostgreSql;

use super::{BARE, EVERPOOL, PRE_PING, R2D2, R2D2_UNTESTED};
use crate::{figure::Figure, stopwatch::Stopwatch};

const WARM_UP: Duration = Duration::from_millis(100);
const DURATION: Duration = Duration::from_millis(500);
/// The clock is looked at once in so many queries.
const BATCH: u64 = 32;

pub(super) fn run(contender: &str) -> Vec<Figure> {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let url = server.url();
    match contender {
        BARE => {
            let mut connection = PgConnection::establish(&url).expect("the server accepts");
            measure(|| select(&mut connection))
        }
        EVERPOOL => engine(&url, false),
        PRE_PING => engine(&url, true),
        R2D2 => r2d2(&url, true),
        R2D2_UNTESTED => r2d2(&url, false),
        other => panic!("nothing of PostgreSQL's is called {other}"),
    }
}

fn engine(url: &str, pre_ping: bool) -> Vec<Figure> {
    let options = EngineOptions::builder().pool_pre_ping(pre_ping).build();
    let options = options.expect("the options are right");
    let engine = create_engine::<PgConnection>(url, options).expect("the URL is right");
    measure(|| select(&mut engine.connect().expect("the server accepts")))
}

fn r2d2(url: &str, tests: bool) -> Vec<Figure> {
    let manager = ConnectionManager::<PgConnection>::new(url);
    let pool = Pool::builder().test_on_check_out(tests).build(manager);
    let pool = pool.expect("the server accepts");
    measure(|| select(&mut pool.get().expect("the server accepts")))
}

fn select<C: LoadConnection<Backend = Pg>>(connection: &mut C) {
    let one = diesel::select(1.into_sql::<Integer>()).get_result::<i32>(connection);
    assert_eq!(one, Ok(1));
}

fn measure(mut query: impl FnMut()) -> Vec<Figure> {
    repeat(WARM_UP, &mut query);
    let stopwatch = Stopwatch::start();
    let queries = repeat(DURATION, &mut query);
    stopwatch.stop(queries).figures()
}

fn repeat(duration: Duration, query: &mut impl FnMut()) -> u64 {
    let start = Instant::now();
    let mut queries = 0;
    while start.elapsed() < duration {
        (0..BATCH).for_each(|_| query());
        queries += BATCH;
    }
    queries
}
