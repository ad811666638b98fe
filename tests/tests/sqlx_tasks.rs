//! What SQLAlchemy's asyncio extension promises of an engine, by SQLx's engine in tasks.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use everpool_sqlx::{
    CheckoutError, Engine, EngineError, EngineOptions, EngineOptionsBuilder, Error, PoolClass,
    Session, Sqlite, create_engine, query, query_scalar, sqlite::SqliteConnectOptions,
};
use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A database in a file, with a table of no rows.
struct Database(TempDir);

impl Database {
    async fn new() -> Self {
        let database = Self(TempDir::new().unwrap());
        let engine = database.engine(EngineOptions::builder());
        query("CREATE TABLE t (i int)")
            .execute(&engine)
            .await
            .unwrap();
        database
    }

    fn url(&self) -> String {
        format!("sqlite:///{}", self.0.path().join("app.db").display())
    }

    fn engine(&self, options: EngineOptionsBuilder) -> Engine<Sqlite> {
        create_engine(self.url(), options.build().unwrap()).unwrap()
    }
}

async fn one(engine: &Engine<Sqlite>) -> Result<i64, Error> {
    query_scalar("SELECT 1").fetch_one(engine).await
}

#[tokio::test]
async fn a_task_that_finds_all_connections_in_use_is_told_when_its_time_is_over() {
    let database = Database::new().await;
    for timeout in [Duration::ZERO, Duration::from_millis(50)] {
        let narrow = EngineOptions::builder().pool_size(1).max_overflow(0);
        let engine = database.engine(narrow.pool_timeout(timeout));
        let Ok(_held) = engine.connect().await else {
            assert!(timeout.is_zero(), "there was time to open one");
            continue;
        };
        let told = engine.connect().await.unwrap_err();
        assert!(matches!(told, CheckoutError::TimedOut(_)), "{told:?}");
    }
}

#[tokio::test]
async fn an_engine_for_tasks_has_every_pool_but_that_of_threads() {
    let database = Database::new().await;
    let classes = [
        PoolClass::QueuePool,
        PoolClass::NullPool,
        PoolClass::StaticPool,
        PoolClass::AssertionPool,
    ];
    for class in classes {
        let engine = database.engine(EngineOptions::builder().poolclass(class));
        assert_eq!(one(&engine).await.unwrap(), 1, "{class:?}");
    }
    let of_threads = EngineOptions::builder().poolclass(PoolClass::SingletonThreadPool);
    let refused = create_engine::<Sqlite>(database.url(), of_threads.build().unwrap());
    assert!(matches!(refused, Err(EngineError::Options(_))));
}

#[tokio::test]
async fn an_engine_that_is_disposed_of_or_abandoned_has_nothing_at_rest_and_works_on() {
    let database = Database::new().await;
    let engine = database.engine(EngineOptions::builder());
    for let_go in [Engine::dispose, Engine::abandon] {
        assert_eq!(one(&engine).await.unwrap(), 1);
        assert_eq!(engine.status().idle, 1);
        let_go(&engine);
        assert_eq!(engine.status().idle, 0);
    }
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let engine = engine.clone();
        tasks.spawn(async move { one(&engine).await });
    }
    while let Some(answer) = tasks.join_next().await {
        assert_eq!(answer.unwrap().unwrap(), 1);
    }
}

#[tokio::test]
async fn an_invalidated_connection_is_replaced_by_its_next_use() {
    let database = Database::new().await;
    let engine = database.engine(EngineOptions::builder());
    let mut connection = engine.connect().await.unwrap();
    connection.info().unwrap().insert("the first");
    connection.invalidate();
    connection.invalidate();
    assert!(connection.invalidated());
    assert!(connection.info().is_none());

    connection.driver_connection().await.unwrap();
    assert!(!connection.invalidated());
    assert!(connection.info().unwrap().get::<&str>().is_none());
}

#[tokio::test]
async fn a_session_whose_connection_is_invalidated_must_be_rolled_back() {
    let database = Database::new().await;
    let engine = database.engine(EngineOptions::builder());
    let mut session = Session::begin(&engine).await.unwrap();
    query("INSERT INTO t VALUES (1)")
        .execute(&mut session)
        .await
        .unwrap();
    session.connection().await.unwrap().invalidate();
    query("INSERT INTO t VALUES (1)")
        .execute(&mut session)
        .await
        .unwrap_err();
    session.rollback().await.unwrap();

    let rows: i64 = query_scalar("SELECT count(*) FROM t")
        .fetch_one(&mut session)
        .await
        .unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_hook_that_waits_may_open_the_connections_itself() {
    let database = Database::new().await;
    let engine = database.engine(EngineOptions::builder());
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    engine
        .events()
        .do_connect(move |options: &mut SqliteConnectOptions| {
            counter.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { Ok(Some(options.connect().await?)) })
        });
    assert_eq!(one(&engine).await.unwrap(), 1);
    assert_eq!(one(&engine).await.unwrap(), 1);
    assert_eq!(opened.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_error_of_a_hook_that_opens_connections_is_told_and_handlers_are_asked() {
    let database = Database::new().await;
    let engine = database.engine(EngineOptions::builder());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    engine
        .events()
        .do_connect(|_| Box::pin(async { Err("no key to the database".into()) }));
    engine.events().handle_error(move |context| {
        assert!(context.is_connect());
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    });
    let told = engine.connect().await.unwrap_err();
    assert!(matches!(told, CheckoutError::Connect(_)), "{told:?}");
    assert!(
        told.to_string().contains("no key to the database"),
        "{told}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
