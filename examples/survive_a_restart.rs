//! What an application sees when its PostgreSQL is restarted: through everpool, and through
//! `diesel::r2d2`.
//!
//! Starts a PostgreSQL of its own. For each contender, eight threads query through its pool while the
//! server is stopped and started; counted is what the threads see.
//!
//! ```sh
//! cargo run --example survive_a_restart
//! ```

use std::{
    error::Error,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{PgConnection, QueryResult, prelude::*, r2d2, sql_types::Integer};
use everpool_diesel::{EngineOptions, Session, create_engine};
use everpool_tests::PostgreSql;

const THREADS: usize = 8;
/// Between two requests of a thread.
const PAUSE: Duration = Duration::from_millis(2);
const BEFORE: Duration = Duration::from_millis(300);
const AFTER: Duration = Duration::from_secs(2);

/// One request: what the application does with its database. Fails with what it would log.
type Request<'a> = Box<dyn Fn() -> Result<(), String> + Sync + 'a>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = match PostgreSql::start() {
        Ok(server) => server,
        Err(missing) => {
            eprintln!("This example needs a PostgreSQL server: {missing}");
            std::process::exit(1);
        }
    };
    let url = server.url();
    println!("{THREADS} threads query; PostgreSQL is restarted; each contender in turn.\n");

    let mut lines = Vec::new();
    for name in [
        "everpool",
        "everpool+pre_ping",
        "everpool+pre_ping ping_after_idle=0",
        "everpool+session",
        "diesel::r2d2",
        "diesel::r2d2 test_on_check_out=false",
    ] {
        let request = contender(name, &url)?;
        let seen = survive(&mut server, &url, &request)?;
        println!(
            "{name}: {} requests, {} failed; from \"the server accepts again\" to the first success \
             {:.1?}, to the last failure {:.1?}",
            seen.requests,
            seen.failures.len(),
            seen.first_success,
            seen.last_failure,
        );
        for failure in &seen.failures {
            println!("    {failure}");
        }
        let recovery = seen.first_success.as_millis();
        lines.push(format!(
            "{name} failed={} recovery_ms={recovery}",
            seen.failures.len()
        ));
    }
    println!("\n{}", lines.join("\n"));
    Ok(())
}

fn contender(name: &str, url: &str) -> Result<Request<'static>, Box<dyn Error>> {
    if name.starts_with("diesel::r2d2") {
        let pool = r2d2::Pool::builder()
            .max_size(THREADS as u32)
            .test_on_check_out(!name.ends_with("test_on_check_out=false"))
            .build(r2d2::ConnectionManager::<PgConnection>::new(url))?;
        return Ok(Box::new(move || {
            let mut connection = pool.get().map_err(text)?;
            select_one(&mut connection).map_err(text)
        }));
    }
    let options = EngineOptions::builder()
        .pool_size(THREADS as u32)
        .max_overflow(0)
        .pool_pre_ping(name.contains("pre_ping"));
    // Whoever was just used is looked at, not pinged, unless this says otherwise.
    let options = match name.ends_with("ping_after_idle=0") {
        true => options.pool_ping_after_idle(Duration::ZERO),
        false => options,
    };
    let engine = create_engine::<PgConnection>(url, options.build()?)?;
    Ok(if name.ends_with("session") {
        Box::new(move || {
            let mut session = Session::begin(&engine).map_err(text)?;
            select_one(&mut session).map_err(text)?;
            session.commit().map_err(text)
        })
    } else {
        Box::new(move || {
            let mut connection = engine.connect().map_err(text)?;
            select_one(&mut connection).map_err(text)
        })
    })
}

/// The same code for every kind of connection.
fn select_one<C>(connection: &mut C) -> QueryResult<()>
where
    C: diesel::connection::LoadConnection<Backend = diesel::pg::Pg>,
{
    diesel::select(1.into_sql::<Integer>())
        .get_result::<i32>(connection)
        .map(drop)
}

fn text(error: impl Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// What the threads saw.
struct Seen {
    requests: usize,
    failures: Vec<String>,
    first_success: Duration,
    last_failure: Duration,
}

fn survive(
    server: &mut PostgreSql,
    url: &str,
    request: &Request<'_>,
) -> Result<Seen, Box<dyn Error>> {
    let over = AtomicBool::new(false);
    let answers = Mutex::new(Vec::new());
    let (down, accepted) = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = request();
                    let at = Instant::now();
                    answers
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((at, answer));
                    thread::sleep(PAUSE);
                }
            });
        }
        thread::sleep(BEFORE);
        let times = restart(server, url);
        thread::sleep(AFTER);
        over.store(true, Ordering::Relaxed);
        times
    })?;

    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    let requests = answers.len();
    let since = |at: Instant| at.saturating_duration_since(accepted);
    let successes = answers
        .iter()
        .filter(|(at, answer)| answer.is_ok() && *at > down);
    let first_success = successes
        .map(|(at, _)| since(*at))
        .min()
        .ok_or("none ever succeeded")?;
    let failed = answers.iter().filter(|(_, answer)| answer.is_err());
    let last_failure = failed.map(|(at, _)| since(*at)).max().unwrap_or_default();
    let failures = answers
        .into_iter()
        .filter_map(|(_, answer)| answer.err())
        .collect();
    Ok(Seen {
        requests,
        failures,
        first_success,
        last_failure,
    })
}

/// Restarts the server; when it was down, and when it accepted again.
fn restart(
    server: &mut PostgreSql,
    url: &str,
) -> Result<(Instant, Instant), everpool_tests::postgres::ServerError> {
    server.stop()?;
    let down = Instant::now();
    server.launch()?;
    loop {
        let attempt = Instant::now();
        if PgConnection::establish(url).is_ok() {
            return Ok((down, attempt));
        }
        thread::sleep(Duration::from_millis(1));
    }
}
