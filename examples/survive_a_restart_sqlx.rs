//! What an application sees when its PostgreSQL is restarted: through everpool, and through SQLx's own
//! pool.
//!
//! Starts a PostgreSQL of its own. For each contender, eight tasks query through its pool while the
//! server is stopped and started; counted is what the tasks see.
//!
//! ```sh
//! cargo run --example survive_a_restart_sqlx
//! ```

use std::{
    collections::BTreeMap,
    error::Error,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use everpool_sqlx::{EngineOptions, Session, create_engine};
use everpool_tests::{PostgreSql, postgres::ServerError};
use sqlx::{Connection, Executor, PgConnection, Postgres, postgres::PgPoolOptions};
use tokio::{task::JoinSet, time::sleep};

const TASKS: u32 = 8;
/// Between two requests of a task.
const PAUSE: Duration = Duration::from_millis(2);
const BEFORE: Duration = Duration::from_millis(300);
const AFTER: Duration = Duration::from_secs(2);

/// One request: what the application does with its database. Fails with what it would log.
type Request = Arc<dyn Fn() -> Answer + Send + Sync>;
type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut server = match PostgreSql::start() {
        Ok(server) => server,
        Err(missing) => {
            eprintln!("This example needs a PostgreSQL server: {missing}");
            std::process::exit(1);
        }
    };
    let url = server.url();
    println!("{TASKS} tasks query; PostgreSQL is restarted; each contender in turn.\n");

    let mut lines = Vec::new();
    for name in [
        "everpool",
        "everpool+pre_ping",
        "everpool+session",
        "sqlx",
        "sqlx test_before_acquire=false",
    ] {
        let request = contender(name, &url)?;
        let seen = survive(&mut server, &url, &request).await?;
        println!(
            "{name}: {} requests, {} failed; from \"the server accepts again\" to the first success \
             {:.1?}, to the last failure {:.1?}",
            seen.requests,
            seen.failures.len(),
            seen.first_success,
            seen.last_failure,
        );
        for (failure, times) in grouped(&seen.failures) {
            println!("    {times} times: {failure}");
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

fn contender(name: &str, url: &str) -> Result<Request, Box<dyn Error>> {
    if name.starts_with("sqlx") {
        let pool = PgPoolOptions::new()
            .max_connections(TASKS)
            .test_before_acquire(!name.ends_with("test_before_acquire=false"))
            .connect_lazy(url)?;
        return Ok(request(move || {
            let pool = pool.clone();
            async move { select_one(&pool).await.map_err(text) }
        }));
    }
    let options = EngineOptions::builder()
        .pool_size(TASKS)
        .max_overflow(0)
        .pool_pre_ping(name.ends_with("pre_ping"))
        .build()?;
    let engine = create_engine::<Postgres>(url, options)?;
    let is_session = name.ends_with("session");
    Ok(request(move || {
        let engine = engine.clone();
        async move {
            if !is_session {
                return select_one(&engine).await.map_err(text);
            }
            let mut session = Session::begin(&engine).await.map_err(text)?;
            select_one(&mut session).await.map_err(text)?;
            session.commit().await.map_err(text)
        }
    }))
}

fn request<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Request
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || Box::pin(make()))
}

/// The same code for every kind of executor.
async fn select_one<'e>(executor: impl Executor<'e, Database = Postgres>) -> sqlx::Result<()> {
    sqlx::query("SELECT 1").execute(executor).await.map(drop)
}

fn text(error: impl Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn grouped(failures: &[String]) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for failure in failures {
        *times.entry(&**failure).or_default() += 1;
    }
    times
}

/// What the tasks saw.
struct Seen {
    requests: usize,
    failures: Vec<String>,
    first_success: Duration,
    last_failure: Duration,
}

type Answers = Mutex<Vec<(Instant, Result<(), String>)>>;

async fn survive(
    server: &mut PostgreSql,
    url: &str,
    request: &Request,
) -> Result<Seen, Box<dyn Error>> {
    let over = Arc::new(AtomicBool::new(false));
    let answers = Arc::new(Answers::default());
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (request, over) = (Arc::clone(request), Arc::clone(&over));
        tasks.spawn(query(request, over, Arc::clone(&answers)));
    }
    sleep(BEFORE).await;
    let (down, accepted) = restart(server, url).await?;
    sleep(AFTER).await;
    over.store(true, Ordering::Relaxed);
    tasks.join_all().await;

    let answers = std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));
    let since = |at: Instant| at.saturating_duration_since(accepted);
    let successes = answers
        .iter()
        .filter(|(at, answer)| answer.is_ok() && *at > down);
    let first_success = successes
        .map(|(at, _)| since(*at))
        .min()
        .ok_or("none ever succeeded")?;
    let failed = answers.iter().filter(|(_, answer)| answer.is_err());
    Ok(Seen {
        requests: answers.len(),
        first_success,
        last_failure: failed.map(|(at, _)| since(*at)).max().unwrap_or_default(),
        failures: answers
            .into_iter()
            .filter_map(|(_, answer)| answer.err())
            .collect(),
    })
}

/// What a task does until it is over.
async fn query(request: Request, over: Arc<AtomicBool>, answers: Arc<Answers>) {
    while !over.load(Ordering::Relaxed) {
        let answer = request().await;
        let at = Instant::now();
        answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((at, answer));
        sleep(PAUSE).await;
    }
}

/// Restarts the server; when it was down, and when it accepted again.
async fn restart(server: &mut PostgreSql, url: &str) -> Result<(Instant, Instant), ServerError> {
    // The tasks go on meanwhile.
    tokio::task::block_in_place(|| server.stop())?;
    let down = Instant::now();
    tokio::task::block_in_place(|| server.launch())?;
    loop {
        let attempt = Instant::now();
        if PgConnection::connect(url).await.is_ok() {
            return Ok((down, attempt));
        }
        sleep(Duration::from_millis(1)).await;
    }
}
