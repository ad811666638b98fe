//! `everpool_sqlx::Pool`: SQLx's pool, name for name and meaning for meaning.

use std::{
    error::Error as StdError,
    io::ErrorKind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use everpool_sqlx::{
    Error, MySqlPool, PgPool, Session, SqlitePool,
    mysql::MySqlPoolOptions,
    pool::PoolConnection,
    postgres::{PgDatabaseError, PgPoolOptions},
    sqlite::SqlitePoolOptions,
};
use everpool_tests::{MariaDb, PostgreSql, Proxy};

type Outcome = Result<(), Box<dyn StdError>>;

const MEMORY: &str = "sqlite::memory:";

async fn one(pool: &SqlitePool) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT 1").fetch_one(pool).await
}

#[test]
fn the_defaults_are_those_of_sqlx() {
    let (ours, theirs) = (
        SqlitePoolOptions::new(),
        sqlx::sqlite::SqlitePoolOptions::new(),
    );
    assert_eq!(ours.get_max_connections(), theirs.get_max_connections());
    assert_eq!(ours.get_min_connections(), theirs.get_min_connections());
    assert_eq!(ours.get_acquire_timeout(), theirs.get_acquire_timeout());
    assert_eq!(
        ours.get_acquire_slow_threshold(),
        theirs.get_acquire_slow_threshold()
    );
    assert_eq!(ours.get_max_lifetime(), theirs.get_max_lifetime());
    assert_eq!(ours.get_idle_timeout(), theirs.get_idle_timeout());
    assert_eq!(
        ours.get_test_before_acquire(),
        theirs.get_test_before_acquire()
    );
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
}

#[tokio::test]
async fn what_an_option_says_is_what_the_pool_is_told() -> Outcome {
    let options = SqlitePoolOptions::new()
        .max_connections(7)
        .acquire_timeout(Duration::from_secs(3))
        .max_lifetime(Duration::from_secs(60))
        .idle_timeout(None)
        .test_before_acquire(true);
    let directory = tempfile::tempdir()?;
    let url = format!(
        "sqlite://{}?mode=rwc",
        directory.path().join("db").display()
    );
    let pool = options.connect_lazy(&url)?;
    let told = pool.engine().pool().options();
    assert_eq!(told.recycle, Some(Duration::from_secs(60)));
    assert_eq!(told.max_idle_time, None);
    assert!(told.pre_ping);
    assert_eq!(told.ping_after_idle, None);
    assert_eq!(pool.engine().pool_timeout(), Duration::from_secs(3));
    assert_eq!(pool.engine().status().size, 7);
    let unset = SqlitePoolOptions::new().connect_lazy(&url)?;
    let told = unset.engine().pool().options();
    assert!(told.pre_ping);
    assert_eq!(told.ping_after_idle, Some(Duration::from_secs(1)));
    let never = SqlitePoolOptions::new()
        .test_before_acquire(false)
        .connect_lazy(&url)?;
    assert!(!never.engine().pool().options().pre_ping);
    Ok(())
}

#[tokio::test]
async fn connect_opens_min_connections_and_a_lazy_pool_none() -> Outcome {
    let pool = SqlitePoolOptions::new()
        .min_connections(3)
        .connect(MEMORY)
        .await?;
    assert!(pool.num_idle() >= 3, "{pool:?}");
    let lazy = SqlitePool::connect_lazy(MEMORY)?;
    assert_eq!((lazy.size(), lazy.num_idle()), (0, 0));
    assert_eq!(one(&lazy).await?, 1);
    assert_eq!(lazy.size(), 1);
    Ok(())
}

#[tokio::test]
async fn a_pool_of_no_connections_is_refused_with_the_option_and_the_remedy() {
    let pool = SqlitePoolOptions::new()
        .max_connections(0)
        .connect(MEMORY)
        .await;
    let error = pool.expect_err("it could lend nothing").to_string();
    assert!(error.contains("pool_size = 0"), "{error}");
}

#[tokio::test]
async fn several_connections_share_a_database_in_memory_which_outlives_its_limits() -> Outcome {
    let pool = SqlitePoolOptions::new()
        .max_connections(3)
        .max_lifetime(Duration::from_millis(1))
        .idle_timeout(Duration::from_millis(1))
        .connect(MEMORY)
        .await?;
    sqlx::query("CREATE TABLE kept (id INTEGER)")
        .execute(&pool)
        .await?;
    sqlx::query("INSERT INTO kept VALUES (1)")
        .execute(&pool)
        .await?;
    let (mut first, mut second) = (pool.acquire().await?, pool.acquire().await?);
    assert_eq!(pool.size(), 2);
    tokio::time::sleep(Duration::from_millis(50)).await;
    for connection in [&mut first, &mut second] {
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kept")
            .fetch_one(&mut **connection)
            .await?;
        assert_eq!(kept, 1);
    }
    drop((first, second));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kept")
        .fetch_one(&pool)
        .await?;
    assert_eq!(kept, 1);
    Ok(())
}

/// sqlx#1869: a cancelled acquire must not cost the connection that is the database.
#[tokio::test]
async fn a_cancelled_acquire_does_not_wipe_a_database_in_memory() -> Outcome {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect(MEMORY)
        .await?;
    sqlx::query("CREATE TABLE kept (id INTEGER)")
        .execute(&pool)
        .await?;
    for _ in 0..20 {
        let _cancelled = tokio::time::timeout(Duration::ZERO, pool.acquire()).await;
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM kept")
        .fetch_one(&pool)
        .await?;
    assert_eq!(kept, 0);
    Ok(())
}

#[tokio::test]
async fn before_acquire_may_refuse_as_many_as_it_likes_and_not_a_new_one() -> Outcome {
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let pool = SqlitePoolOptions::new()
        .max_connections(5)
        .before_acquire(move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(false) })
        })
        .connect_lazy(MEMORY)?;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(pool.acquire().await?);
    }
    assert_eq!(refused.load(Ordering::SeqCst), 0);
    drop(held);
    wait_until(|| pool.num_idle() == 5).await;
    assert_eq!(one(&pool).await?, 1);
    assert_eq!(refused.load(Ordering::SeqCst), 5);
    Ok(())
}

#[tokio::test]
async fn a_callback_of_before_acquire_that_hangs_is_cut_at_the_timeout() -> Outcome {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(200))
        .before_acquire(|_, _| Box::pin(std::future::pending()))
        .connect_lazy(MEMORY)?;
    drop(pool.acquire().await?);
    wait_until(|| pool.num_idle() == 1).await;
    let began = Instant::now();
    let error = pool.acquire().await.expect_err("the callback hangs");
    assert!(matches!(error, Error::PoolTimedOut), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(2));
    Ok(())
}

#[tokio::test]
async fn after_release_sees_nothing_open_and_may_have_the_connection_closed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let url = format!(
        "sqlite://{}?mode=rwc",
        directory.path().join("db").display()
    );
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .after_release(move |connection, metadata| {
            assert_eq!(metadata.idle_for, Duration::ZERO);
            let sees = Arc::clone(&sees);
            Box::pin(async move {
                // Fails within a transaction.
                sqlx::query("BEGIN").execute(&mut *connection).await?;
                sqlx::query("ROLLBACK").execute(&mut *connection).await?;
                let mut seen = sees.lock().expect("nobody panics with it");
                seen.push("clean");
                Ok(seen.len() > 1)
            })
        })
        .connect_lazy(&url)?;
    let mut connection = pool.acquire().await?;
    sqlx::query("CREATE TEMP TABLE own (id INTEGER)")
        .execute(&mut *connection)
        .await?;
    sqlx::query("BEGIN").execute(&mut *connection).await?;
    drop(connection);
    wait_until(|| seen.lock().expect("nobody panics with it").len() == 1).await;
    let mut next = pool.acquire().await?;
    let own: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_temp_master WHERE name = 'own'")
        .fetch_one(&mut *next)
        .await?;
    assert_eq!(own, 0, "the first was closed");
    sqlx::query("CREATE TEMP TABLE own (id INTEGER)")
        .execute(&mut *next)
        .await?;
    drop(next);
    let mut kept = pool.acquire().await?;
    sqlx::query("SELECT * FROM own").execute(&mut *kept).await?;
    Ok(())
}

#[tokio::test]
async fn after_connect_is_tried_again_while_callers_wait() -> Outcome {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let pool = SqlitePoolOptions::new()
        .after_connect(move |_, _| {
            let tries = counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                match tries {
                    0 | 1 => Err(Error::Protocol("not yet".to_owned())),
                    _ => Ok(()),
                }
            })
        })
        .connect(MEMORY)
        .await?;
    assert_eq!(one(&pool).await?, 1);
    assert_eq!(tries.load(Ordering::SeqCst), 3);
    Ok(())
}

#[tokio::test]
async fn close_is_effective_before_it_is_awaited_and_waits_for_who_is_out() -> Outcome {
    let pool = SqlitePool::connect(MEMORY).await?;
    let out = pool.acquire().await?;
    let other = pool.clone();
    let mut event = other.close_event();
    let closing = pool.close();
    assert!(other.is_closed());
    let error = other.acquire().await.expect_err("it is closed");
    assert!(matches!(error, Error::PoolClosed), "{error:?}");
    let until = event.do_until(std::future::pending::<()>()).await;
    assert!(matches!(until, Err(Error::PoolClosed)));
    let mut closing = Box::pin(closing);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut closing)
            .await
            .is_err()
    );
    drop(out);
    tokio::time::timeout(Duration::from_secs(5), closing).await?;
    assert_eq!(pool.size(), 0);
    Ok(())
}

#[tokio::test]
async fn what_is_leaked_keeps_its_place_and_what_is_detached_or_closed_does_not() -> Outcome {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(2))
        .connect(MEMORY)
        .await?;
    let _kept_alive = pool.acquire().await?.detach();
    pool.acquire().await?.close().await?;
    let mut last = pool.acquire().await?;
    last.close_on_drop();
    assert_eq!(
        sqlx::query_scalar::<_, i64>("SELECT 1")
            .fetch_one(&mut *last)
            .await?,
        1
    );
    drop(last);
    let _leaked = pool.acquire().await?.leak();
    assert_eq!(pool.size(), 1);
    let error = pool.acquire().await.expect_err("there is one place");
    assert!(matches!(error, Error::PoolTimedOut), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn try_acquire_takes_one_that_is_due_for_a_test() -> Outcome {
    let pool = SqlitePoolOptions::new()
        .test_before_acquire(true)
        .connect(MEMORY)
        .await?;
    wait_until(|| pool.num_idle() == 1).await;
    let taken = pool.try_acquire().expect("one is idle");
    assert!(pool.try_acquire().is_none());
    drop(taken);
    let transaction = pool.try_begin().await?.expect("one is idle");
    assert!(transaction.is_in_transaction());
    Ok(())
}

#[tokio::test]
async fn a_session_works_on_a_pool() -> Outcome {
    let pool = SqlitePool::connect(MEMORY).await?;
    let mut session = Session::begin(pool.engine()).await?;
    sqlx::query("CREATE TABLE kept (id INTEGER)")
        .execute(&mut session)
        .await?;
    session.commit().await?;
    sqlx::query("SELECT * FROM kept").execute(&pool).await?;
    Ok(())
}

#[tokio::test]
async fn a_stream_of_a_pool_outlives_the_reference_it_was_begun_with() -> Outcome {
    use futures_util::TryStreamExt;

    let rows = {
        let pool = SqlitePool::connect(MEMORY).await?;
        sqlx::query("SELECT 1 UNION SELECT 2").fetch(&pool)
    };
    assert_eq!(rows.try_collect::<Vec<_>>().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_wrong_database_is_the_drivers_own_error_for_each_who_asks() -> Outcome {
    let server = PostgreSql::start()?;
    let pool = PgPool::connect_lazy(&server.url().replace("/postgres", "/nowhere"))?;
    let (first, second) = tokio::join!(pool.acquire(), pool.acquire());
    for outcome in [first, second] {
        let error = outcome.expect_err("there is no such database");
        let error = error.as_database_error().expect("the database said so");
        assert_eq!(error.code().as_deref(), Some("3D000"));
        let detail = error.try_downcast_ref::<PgDatabaseError>();
        assert_eq!(detail.map(PgDatabaseError::code), Some("3D000"));
    }
    Ok(())
}

#[tokio::test]
async fn callers_wait_for_a_server_that_is_down_and_then_it_is_a_timeout() -> Outcome {
    let mut server = PostgreSql::start()?;
    let pool = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(500))
        .connect_lazy(&server.url())?;
    server.stop()?;
    let began = Instant::now();
    let error = pool.acquire().await.expect_err("the server is down");
    assert!(matches!(error, Error::PoolTimedOut), "{error:?}");
    assert!(
        began.elapsed() >= Duration::from_millis(490),
        "{:?}",
        began.elapsed()
    );
    let told = eventually(&pool, |outcome| match outcome {
        Err(Error::Io(error)) => Some(error.kind()),
        _ => None,
    });
    assert_eq!(told.await, ErrorKind::NotFound, "what the driver met");
    server.start_again()?;
    eventually(&pool, |outcome| outcome.ok().map(drop)).await;
    Ok(())
}

/// What some acquire comes to, one after another.
async fn eventually<T>(
    pool: &PgPool,
    come_to: impl Fn(Result<PoolConnection<sqlx::Postgres>, Error>) -> Option<T>,
) -> T {
    for _ in 0..1000 {
        if let Some(outcome) = come_to(pool.acquire().await) {
            return outcome;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come to that");
}

#[tokio::test]
async fn idle_connections_that_died_with_a_restart_cost_no_error() -> Outcome {
    let mut server = PostgreSql::start()?;
    let pool = PgPoolOptions::new()
        .min_connections(5)
        .connect(&server.url())
        .await?;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    server.restart()?;
    for _ in 0..10 {
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await?;
        assert_eq!(one, 1);
    }
    Ok(())
}

/// A slow machine may let a second go by somewhere; not each time.
#[tokio::test]
async fn what_was_just_used_is_lent_without_a_round_trip_unless_one_is_asked_for() -> Outcome {
    let server = PostgreSql::start()?;
    let mut bytes = Vec::new();
    for options in [
        PgPoolOptions::new(),
        PgPoolOptions::new().test_before_acquire(true),
    ] {
        let proxy = Proxy::to(&server.socket())?;
        let url = server.url_at(proxy.port());
        let pool = options.max_connections(1).connect(&url).await?;
        let sent = || {
            proxy
                .traffic()
                .iter()
                .map(|traffic| traffic.from_client)
                .sum::<u64>()
        };
        let before = sent();
        for _ in 0..20 {
            drop(pool.acquire().await?);
        }
        bytes.push(sent() - before);
    }
    assert!(bytes[0] * 4 < bytes[1], "{bytes:?}");
    Ok(())
}

#[tokio::test]
async fn new_connect_options_hold_from_the_next_connect_on() -> Outcome {
    let server = PostgreSql::start()?;
    let pool = PgPool::connect(&server.url()).await?;
    let options = (*pool.connect_options())
        .clone()
        .application_name("renamed");
    pool.set_connect_options(options);
    pool.acquire().await?.close().await?;
    let name: String = sqlx::query_scalar("SHOW application_name")
        .fetch_one(&pool)
        .await?;
    assert_eq!(name, "renamed");
    Ok(())
}

#[tokio::test]
async fn acquire_begin_of_a_pool_counts_against_its_limit() -> Outcome {
    use everpool_sqlx::Acquire;

    let server = PostgreSql::start()?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(200))
        .connect(&server.url())
        .await?;
    let transaction = Acquire::begin(&pool).await?;
    let error = pool.acquire().await.expect_err("the one place is taken");
    assert!(matches!(error, Error::PoolTimedOut), "{error:?}");
    transaction.commit().await?;
    wait_until(|| pool.num_idle() == 1).await;
    drop(pool.acquire().await?);
    Ok(())
}

#[tokio::test]
async fn a_listener_ends_with_its_pool_and_reconnects_by_itself() -> Outcome {
    use everpool_sqlx::postgres::PgListener;

    let server = PostgreSql::start()?;
    let pool = PgPool::connect(&server.url()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("news").await?;
    server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'",
    )?;
    assert!(listener.try_recv().await?.is_none());
    sqlx::query("SELECT pg_notify('news', 'again')")
        .execute(&pool)
        .await?;
    assert_eq!(listener.recv().await?.payload(), "again");
    let (heard, ()) = tokio::join!(listener.recv(), pool.close());
    assert!(matches!(heard, Err(Error::PoolClosed)));
    Ok(())
}

#[tokio::test]
async fn on_mysql_two_wrong_calls_do_not_starve_a_pool_of_two() -> Outcome {
    let server = MariaDb::start()?;
    let pool: MySqlPool = MySqlPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(10))
        .connect(&server.url())
        .await?;
    for _ in 0..2 {
        let wrong = sqlx::query("SELECT ?").execute(&pool).await;
        assert!(wrong.is_err());
    }
    let mut transaction = pool.begin().await?;
    let one: i64 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&mut *transaction)
        .await?;
    transaction.commit().await?;
    assert_eq!(one, 1);
    Ok(())
}

async fn wait_until(is_so: impl Fn() -> bool) {
    let soon = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), soon).await;
    assert!(in_time.is_ok(), "it does not come to that");
}

#[tokio::test]
async fn a_guarded_pool_of_sqlx_hands_on_no_open_transaction() -> Outcome {
    let server = PostgreSql::start()?;
    let options = everpool_sqlx::native::PoolOptions::<sqlx::Postgres>::new().max_connections(1);
    let pool = everpool_sqlx::native::guarded(options)
        .connect(&server.url())
        .await?;
    for opened in ["BEGIN", "BEGIN; SELECT 1/0"] {
        let mut connection = pool.acquire().await?;
        let _failed = sqlx::raw_sql(opened).execute(&mut *connection).await;
        drop(connection);
        // The one statement that fails in a transaction, and leaves nothing.
        let alone = sqlx::raw_sql("VACUUM pg_am").execute(&pool).await;
        assert!(alone.is_ok(), "after {opened}: {alone:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_guarded_pool_of_sqlx_pays_once_for_a_black_hole() -> Outcome {
    let server = PostgreSql::start()?;
    let proxy = Proxy::to(&server.socket())?;
    let options = everpool_sqlx::native::PoolOptions::<sqlx::Postgres>::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_secs(20));
    let pool = everpool_sqlx::native::guarded(options)
        .connect(&server.url_at(proxy.port()))
        .await?;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(pool.acquire().await?);
    }
    drop(held);
    wait_until(|| pool.num_idle() == 8).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    proxy.freeze()?;
    // What is opened from now on goes another way.
    pool.set_connect_options(server.url().parse()?);
    let began = Instant::now();
    for _ in 0..8 {
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await?;
        assert_eq!(one, 1);
    }
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}

#[tokio::test]
async fn a_guarded_pool_of_sqlx_gets_its_place_back_from_a_cancelled_query() -> Outcome {
    let server = MariaDb::start()?;
    let options = everpool_sqlx::native::PoolOptions::<sqlx::MySql>::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(20));
    let pool = everpool_sqlx::native::guarded(options)
        .connect(&server.url())
        .await?;
    let long = sqlx::query("SELECT SLEEP(60)").execute(&pool);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), long)
            .await
            .is_err()
    );
    let began = Instant::now();
    let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await?;
    assert_eq!(one, 1);
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    Ok(())
}
