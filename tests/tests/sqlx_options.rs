//! What options, handlers and hooks make of an engine of SQLx's.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall end")]

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use everpool_sqlx::{
    CheckoutError, Driver, Engine, EngineConnection as Connection, EngineError, EngineOptions,
    EngineOptionsBuilder, Error, ExecutionOptions, Executor, MySql, PoolClass, Postgres,
    ResetOnReturn, Sqlite, connect_options, create_engine, create_engine_with,
    create_pool_from_url, engine_from_config, engine_from_env, isolation::IsolationLevel, query,
    query_scalar, raw_sql,
};
use everpool_tests::{MariaDb, PostgreSql};
use sqlx::ConnectOptions as _;
use tempfile::TempDir;

fn options<const N: usize>(options: [(&str, &str); N]) -> ExecutionOptions {
    options.into_iter().collect()
}

fn with<DB: Driver>(url: &str, options: EngineOptionsBuilder) -> Engine<DB> {
    create_engine(url, options.build().unwrap()).unwrap()
}

/// One connection, so that the next user gets what the last one had.
fn one() -> EngineOptionsBuilder {
    EngineOptions::builder().pool_size(1).max_overflow(0)
}

fn memory(options: EngineOptionsBuilder) -> Engine<Sqlite> {
    with("sqlite://", options)
}

fn uncommitted() -> ExecutionOptions {
    options([("isolation_level", "read_uncommitted")])
}

async fn level<DB: Driver>(engine: &Engine<DB>) -> IsolationLevel {
    engine
        .connect()
        .await
        .unwrap()
        .isolation_level()
        .await
        .unwrap()
}

/// What each database has for it, on a connection, on its engine, and when the connection has returned.
async fn levels_come_and_go<DB: Driver>(url: &str, default: IsolationLevel) {
    let engine: Engine<DB> = with(url, one());
    assert_eq!(level(&engine).await, default);
    let mut connection = engine.connect().await.unwrap();
    connection.execution_options(&uncommitted()).await.unwrap();
    let uncommitted_level = IsolationLevel::ReadUncommitted;
    assert_eq!(
        connection.isolation_level().await.unwrap(),
        uncommitted_level
    );
    assert_eq!(connection.default_isolation_level().await.unwrap(), default);
    drop(connection);
    assert_eq!(level(&engine).await, default);

    let option = engine.execution_options(&uncommitted()).unwrap();
    assert_eq!(level(&option).await, uncommitted_level);
    assert_eq!(level(&engine).await, default);

    let engine: Engine<DB> = with(url, one().isolation_level("READ UNCOMMITTED"));
    assert_eq!(level(&engine).await, uncommitted_level);
    let mut connection = engine.connect().await.unwrap();
    let serializable = options([("isolation_level", "SERIALIZABLE")]);
    connection.execution_options(&serializable).await.unwrap();
    assert_eq!(
        connection.isolation_level().await.unwrap(),
        IsolationLevel::Serializable
    );
    drop(connection);
    assert_eq!(level(&engine).await, uncommitted_level);

    let each = EngineOptions::builder().execution_options([("isolation_level", "SERIALIZABLE")]);
    assert_eq!(
        level(&with::<DB>(url, each)).await,
        IsolationLevel::Serializable
    );
}

#[tokio::test]
async fn each_database_has_the_level_that_was_asked_for_and_its_own_again() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    levels_come_and_go::<Postgres>(&server.url(), IsolationLevel::ReadCommitted).await;
    let server = MariaDb::start().expect("this needs MariaDB");
    levels_come_and_go::<MySql>(&server.url(), IsolationLevel::RepeatableRead).await;
    levels_come_and_go::<Sqlite>("sqlite://", IsolationLevel::Serializable).await;
}

#[tokio::test]
async fn a_level_is_lost_with_its_connection() {
    let engine = memory(EngineOptions::builder());
    let mut connection = engine.connect().await.unwrap();
    connection.execution_options(&uncommitted()).await.unwrap();
    connection.invalidate();
    let level = connection.isolation_level().await.unwrap();
    assert_eq!(level, IsolationLevel::Serializable);
}

#[tokio::test]
async fn a_level_cannot_change_in_a_transaction() {
    let engine = memory(EngineOptions::builder());
    let mut connection = engine.connect().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let refused = transaction
        .execution_options(&uncommitted())
        .await
        .unwrap_err();
    let said = "may not be altered unless rollback() or commit() is called first";
    assert!(refused.to_string().contains(said), "{refused}");
    transaction.rollback().await.unwrap();
    connection.execution_options(&uncommitted()).await.unwrap();
}

#[tokio::test]
async fn a_level_that_the_database_does_not_have_is_refused_with_those_that_it_has() {
    let valid = "valid isolation levels for sqlite are READ UNCOMMITTED, SERIALIZABLE, AUTOCOMMIT";
    let wrong = [("isolation_level", "repeatable_read")];
    let permanent = EngineOptions::builder().isolation_level("repeatable_read");
    let each_time = EngineOptions::builder().execution_options(wrong);
    for options in [permanent, each_time] {
        let refused = create_engine::<Sqlite>("sqlite://", options.build().unwrap()).unwrap_err();
        assert!(
            matches!(refused, EngineError::Characteristics(_)),
            "{refused}"
        );
        assert!(refused.to_string().ends_with(valid), "{refused}");
    }
    let engine = memory(EngineOptions::builder());
    let refused = engine.execution_options(&options(wrong)).unwrap_err();
    assert!(refused.to_string().ends_with(valid), "{refused}");
    let mut connection = engine.connect().await.unwrap();
    let refused = connection
        .execution_options(&options(wrong))
        .await
        .unwrap_err();
    assert!(refused.to_string().ends_with(valid), "{refused}");
    let refused = engine.execution_options(&options([("postgresql_readonly", "true")]));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("postgresql_readonly is an option for postgresql"),
        "{refused}"
    );
}

#[tokio::test]
async fn what_autocommit_wrote_no_rollback_undoes() {
    let autocommit = [("isolation_level", "AUTOCOMMIT")];
    let each_time = EngineOptions::builder().execution_options(autocommit);
    let permanent = EngineOptions::builder()
        .isolation_level("AUTOCOMMIT")
        .skip_autocommit_rollback(true);
    for options in [each_time, permanent] {
        let engine = memory(options);
        query("CREATE TABLE t (x)").execute(&engine).await.unwrap();
        let mut connection = engine.connect().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let mut savepoint = transaction.begin().await.unwrap();
        assert!(savepoint.in_nested_transaction());
        query("INSERT INTO t VALUES (1)")
            .execute(&mut *savepoint)
            .await
            .unwrap();
        savepoint.rollback().await.unwrap();
        drop(transaction);
        assert!(!connection.in_transaction());
        let kept = query("DELETE FROM t")
            .execute(&mut *connection)
            .await
            .unwrap();
        assert_eq!(kept.rows_affected(), 1);
    }
}

#[tokio::test]
async fn postgresql_is_read_only_and_deferrable_as_asked_and_no_longer_than_that() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let engine: Engine<Postgres> = with(&server.url(), one());
    let asked = options([
        ("isolation_level", "SERIALIZABLE"),
        ("postgresql_readonly", "true"),
        ("postgresql_deferrable", "true"),
    ]);
    let mut connection = engine.connect().await.unwrap();
    connection.execution_options(&asked).await.unwrap();
    for setting in ["transaction_read_only", "transaction_deferrable"] {
        assert_eq!(shown(&mut connection, setting).await, "on");
    }
    drop(connection);
    let mut connection = engine.connect().await.unwrap();
    for setting in ["transaction_read_only", "transaction_deferrable"] {
        assert_eq!(shown(&mut connection, setting).await, "off");
    }
}

async fn shown(connection: &mut Connection<Postgres>, setting: &str) -> String {
    let current = query_scalar("SELECT current_setting($1)").bind(setting);
    current.fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn a_read_only_engine_refuses_what_writes_and_leaves_its_connections_as_they_were() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    refuses_what_writes::<Postgres>(&with(&server.url(), one())).await;
    let server = MariaDb::start().expect("this needs MariaDB");
    refuses_what_writes::<MySql>(&with(&server.url(), one())).await;
    refuses_what_writes::<Sqlite>(&memory(one())).await;
}

async fn refuses_what_writes<DB: Driver>(engine: &Engine<DB>) {
    let create = || raw_sql("CREATE TABLE written (x int)");
    let reads = engine.read_only();
    let of_an_option = reads
        .execution_options(&ExecutionOptions::default())
        .unwrap();
    for engine in [&reads, &of_an_option] {
        create().execute(engine).await.map(drop).unwrap_err();
    }
    create().execute(engine).await.map(drop).unwrap();
}

/// They would have no effect.
#[tokio::test]
async fn connect_args_beside_options_of_sqlxs_are_refused() {
    let own = connect_options::<Sqlite>("sqlite://").unwrap();
    let args = EngineOptions::builder()
        .connect_args([("mode", "ro")])
        .build()
        .unwrap();
    let refused = create_engine_with::<Sqlite>(own, args)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("`mode`") && refused.contains("set it there"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_lost_if_the_options_say_so() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    for is_disconnect in [true, false] {
        let options = EngineOptions::builder().read_only_is_disconnect(is_disconnect);
        let engine: Engine<Postgres> = with(&server.url(), options);
        let mut connection = engine.connect().await.unwrap();
        let became_read_only = raw_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
        became_read_only.execute(&mut *connection).await.unwrap();
        let create = raw_sql("CREATE TABLE t (x int)")
            .execute(&mut *connection)
            .await;
        create.unwrap_err();
        assert_eq!(connection.invalidated(), is_disconnect);
    }
}

#[tokio::test]
async fn a_write_on_a_read_only_engine_is_no_sign_of_a_failover() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let options = EngineOptions::builder().read_only_is_disconnect(true);
    let engine: Engine<Postgres> = with(&server.url(), options);
    let mut connection = engine.read_only().connect().await.unwrap();
    let create = raw_sql("CREATE TABLE t (x int)")
        .execute(&mut *connection)
        .await;
    create.unwrap_err();
    assert!(!connection.invalidated());
}

#[tokio::test]
async fn a_handler_may_call_an_error_a_disconnect_and_a_disconnect_none() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let suicide = "SELECT pg_terminate_backend(pg_backend_pid())";
    for (sql, is_disconnect) in [("SELECT 1/0", true), (suicide, false)] {
        let engine: Engine<Postgres> = with(&server.url(), EngineOptions::builder());
        engine.events().handle_error(move |context| {
            assert_eq!(context.statement(), Some(sql));
            assert!(!context.is_pre_ping());
            context.set_disconnect(is_disconnect);
            Ok(None)
        });
        let (one, other) = (
            engine.connect().await.unwrap(),
            engine.connect().await.unwrap(),
        );
        drop((one, other));
        let mut connection = engine.connect().await.unwrap();
        query(sql).execute(&mut *connection).await.unwrap_err();
        assert_eq!(connection.invalidated(), is_disconnect);
        // The other one was opened before.
        assert_eq!(engine.status().idle, usize::from(!is_disconnect));
        connection.invalidate();
    }
}

#[tokio::test]
async fn a_handler_may_have_another_error_told() {
    let engine = memory(EngineOptions::builder());
    engine
        .events()
        .handle_error(|_| Ok(Some(Box::new(Error::RowNotFound))))
        .handle_error(|context| {
            let before = context.chained().unwrap().to_string();
            match context.statement() {
                Some("SELECT two") => Err(io::Error::other(format!("instead of {before}")).into()),
                _ => Ok(None),
            }
        });
    let mut connection = engine.connect().await.unwrap();
    let told = query("SELECT one")
        .execute(&mut *connection)
        .await
        .unwrap_err();
    assert!(matches!(told, Error::RowNotFound), "{told}");
    let told = query("SELECT two")
        .execute(&mut *connection)
        .await
        .unwrap_err();
    assert!(told.to_string().contains("instead of no rows"), "{told}");
}

#[tokio::test]
async fn a_handler_is_asked_about_pings_and_connects() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let engine: Engine<Postgres> = with(&server.url(), one().pool_pre_ping(true));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = Arc::clone(&asked);
    engine.events().handle_error(move |context| {
        let (is_ping, is_connect) = (context.is_pre_ping(), context.is_connect());
        asks.lock().unwrap().push((is_ping, is_connect));
        assert!(context.original().sqlx_error().is_some());
        Ok(is_connect.then(|| Box::new(io::Error::other("ask the operator")) as _))
    });
    drop(engine.connect().await.unwrap());
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    server.psql(others).unwrap();
    query("SELECT 1").execute(&engine).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), [(true, false)]);

    engine.dispose();
    engine.events().do_connect(|options| {
        Box::pin(async move {
            *options = options.clone().database("nowhere");
            Ok(None)
        })
    });
    let failed = engine.connect().await.unwrap_err().to_string();
    assert!(failed.contains("ask the operator"), "{failed}");
    assert_eq!(asked.lock().unwrap().last(), Some(&(false, true)));
}

#[tokio::test]
async fn a_listener_of_an_option_engine_is_told_before_those_of_its_engine() {
    let engine = memory(EngineOptions::builder());
    let option = engine
        .execution_options(&ExecutionOptions::default())
        .unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = |who: &'static str| {
        let told = Arc::clone(&told);
        move |_: &dyn std::fmt::Display| told.lock().unwrap().push(who)
    };
    option.events().before_cursor_execute(tell("option"));
    // Added later, and heard all the same.
    engine.events().before_cursor_execute(tell("engine"));
    query("SELECT 1").execute(&option).await.unwrap();
    assert_eq!(
        std::mem::take(&mut *told.lock().unwrap()),
        ["option", "engine"]
    );
    query("SELECT 1").execute(&engine).await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["engine"]);
}

#[tokio::test]
async fn options_of_an_option_engine_come_on_top() {
    let engine = memory(EngineOptions::builder().execution_options([("a", "1"), ("b", "1")]));
    let option = engine.execution_options(&options([("b", "2")])).unwrap();
    assert_eq!(engine.options(), &options([("a", "1"), ("b", "1")]));
    assert_eq!(option.options(), &options([("a", "1"), ("b", "2")]));
}

/// The hooks of the pool's events that are given a connection, and what they do on it.
#[tokio::test]
async fn hooks_of_the_pool_run_queries_on_its_connections() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let engine: Engine<Postgres> = with(&server.url(), one());
    engine
        .pool()
        .events()
        .connect_async(|wire, _| {
            Box::pin(async move {
                wire.execute("SET application_name = 'hooked'").await?;
                Ok(())
            })
        })
        .checkout_async(|wire, _| {
            Box::pin(async move {
                let one: i32 = query_scalar("SELECT 1").fetch_one(&mut *wire).await?;
                assert_eq!(one, 1);
                Ok(())
            })
        });
    for _ in 0..3 {
        let mut connection = engine.connect().await.unwrap();
        assert_eq!(shown(&mut connection, "application_name").await, "hooked");
    }
    let failing: Engine<Postgres> = with(&server.url(), one());
    failing.pool().events().connect_async(|wire, _| {
        Box::pin(async move {
            wire.execute("SELECT 1/0").await?;
            Ok(())
        })
    });
    let failed = failing.connect().await.unwrap_err().to_string();
    assert!(failed.contains("division by zero"), "{failed}");
}

#[tokio::test]
async fn credentials_may_change_for_each_connection_and_a_hook_may_open_one_itself() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    server.psql("CREATE ROLE guest LOGIN").unwrap();
    let engine: Engine<Postgres> = with(&server.url(), EngineOptions::builder());
    let user = "SELECT current_user::text";
    let before: String = query_scalar(user).fetch_one(&engine).await.unwrap();
    engine.events().do_connect(move |options| {
        assert_eq!(options.get_username(), before, "each time as it was given");
        Box::pin(async {
            *options = options.clone().username("guest");
            Ok(None)
        })
    });
    engine.dispose();
    let guest: String = query_scalar(user).fetch_one(&engine).await.unwrap();
    assert_eq!(guest, "guest");
    engine.events().do_connect(|options| {
        Box::pin(async {
            let mut connection = options.connect().await?;
            connection
                .execute("SET application_name = 'its own'")
                .await?;
            Ok(Some(connection))
        })
    });
    engine.dispose();
    let mut connection = engine.connect().await.unwrap();
    assert_eq!(shown(&mut connection, "application_name").await, "its own");
}

#[tokio::test]
async fn a_hook_that_opens_nothing_says_why_at_once() {
    let engine = memory(EngineOptions::builder());
    engine
        .events()
        .do_connect(|_| Box::pin(async { Err("the vault is shut".into()) }));
    let failed = engine.connect().await.unwrap_err();
    assert!(failed.to_string().contains("the vault is shut"), "{failed}");
    assert!(!matches!(failed, CheckoutError::TimedOut(_)), "{failed}");
}

#[tokio::test]
async fn a_raw_connection_executes_and_what_it_left_open_is_undone() {
    let engine = memory(EngineOptions::builder());
    let told = Arc::new(AtomicUsize::new(0));
    let tell = Arc::clone(&told);
    query("CREATE TABLE t (x INTEGER)")
        .execute(&engine)
        .await
        .unwrap();
    engine.events().before_cursor_execute(move |_| {
        tell.fetch_add(1, Ordering::Relaxed);
    });
    for in_the_drivers_words in [false, true] {
        let mut raw = engine.raw_connection().await.unwrap();
        if in_the_drivers_words {
            raw_sql("BEGIN; INSERT INTO t VALUES (1)")
                .execute(&mut **raw)
                .await
                .unwrap();
        } else {
            query("BEGIN").execute(&mut *raw).await.unwrap();
            query("INSERT INTO t VALUES (1)")
                .execute(&mut *raw)
                .await
                .unwrap();
        }
        drop(raw);
        assert_eq!(told.load(Ordering::Relaxed), 0);
        let mut raw = engine.raw_connection().await.unwrap();
        let rows: i64 = query_scalar("SELECT count(*) FROM t")
            .fetch_one(&mut *raw)
            .await
            .unwrap();
        assert_eq!(rows, 0);
    }
}

#[tokio::test]
async fn what_is_kept_beside_a_connection_is_gone_when_the_connection_is() {
    let engine = memory(EngineOptions::builder());
    let mut connection = engine.connect().await.unwrap();
    connection.info().unwrap().insert(7_u8);
    drop(connection);
    let mut connection = engine.connect().await.unwrap();
    assert_eq!(connection.info().unwrap().get::<u8>(), Some(&7));
    connection.invalidate();
    assert!(connection.info().is_none());
    query("SELECT 1").execute(&mut *connection).await.unwrap();
    assert_eq!(connection.info().unwrap().get::<u8>(), None);
}

#[tokio::test]
async fn dispose_replaces_all_connections_and_close_lends_none_any_more() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite:///{}/a.db", directory.path().display());
    let engine: Engine<Sqlite> = with(&url, EngineOptions::builder());
    let opened = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&opened);
    engine.pool().events().connect(move |_, _| {
        counts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    for (disposes, expected) in [
        (Engine::<Sqlite>::dispose as fn(&_), 2),
        (Engine::abandon, 3),
    ] {
        query("SELECT 1").execute(&engine).await.unwrap();
        disposes(&engine);
        query("SELECT 1").execute(&engine).await.unwrap();
        assert_eq!(opened.load(Ordering::Relaxed), expected);
    }
    let closed = engine.close(Duration::from_secs(10)).await;
    assert!(closed.is_drained(), "{closed:?}");
    assert!(matches!(engine.connect().await, Err(CheckoutError::Closed)));
    let refused = query("SELECT 1").execute(&engine).await.unwrap_err();
    assert!(matches!(refused, Error::PoolClosed), "{refused}");
}

#[tokio::test]
async fn a_pool_for_threads_is_refused_with_the_reason() {
    let options = EngineOptions::builder().poolclass(PoolClass::SingletonThreadPool);
    let refused = create_engine::<Sqlite>("sqlite://", options.build().unwrap()).unwrap_err();
    assert!(matches!(refused, EngineError::Options(_)), "{refused}");
    let refused = refused.to_string();
    assert!(
        refused.contains("SingletonThreadPool") && refused.contains("task"),
        "{refused}"
    );
}

#[tokio::test]
async fn each_other_class_of_pool_lends_connections() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite:///{}/a.db", directory.path().display());
    for class in [
        PoolClass::QueuePool,
        PoolClass::NullPool,
        PoolClass::StaticPool,
        PoolClass::AssertionPool,
    ] {
        let engine: Engine<Sqlite> = with(&url, EngineOptions::builder().poolclass(class));
        for _ in 0..2 {
            query("SELECT 1").execute(&engine).await.unwrap();
        }
        let kept = usize::from(class != PoolClass::NullPool);
        assert_eq!(engine.status().idle, kept, "{class:?}");
    }
}

#[tokio::test]
async fn what_a_text_left_open_is_ended_at_the_return_as_the_option_says() {
    let directory = TempDir::new().unwrap();
    let url = format!("sqlite:///{}/a.db", directory.path().display());
    for (reset, kept) in [(ResetOnReturn::Rollback, 0), (ResetOnReturn::Commit, 1)] {
        let engine: Engine<Sqlite> = with(&url, one().pool_reset_on_return(reset));
        raw_sql("DROP TABLE IF EXISTS t; CREATE TABLE t (x)")
            .execute(&engine)
            .await
            .unwrap();
        let mut connection = engine.connect().await.unwrap();
        query("BEGIN").execute(&mut *connection).await.unwrap();
        query("INSERT INTO t VALUES (1)")
            .execute(&mut *connection)
            .await
            .unwrap();
        drop(connection);
        let rows: i64 = query_scalar("SELECT count(*) FROM t")
            .fetch_one(&engine)
            .await
            .unwrap();
        assert_eq!(rows, kept, "{reset:?}");
    }
}

#[tokio::test]
async fn with_pre_ping_and_recycle_no_user_meets_a_connection_that_is_dead_or_too_old() {
    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let backend = "SELECT pg_backend_pid()";
    let engine: Engine<Postgres> = with(&server.url(), one().pool_pre_ping(true));
    let first: i32 = query_scalar(backend).fetch_one(&engine).await.unwrap();
    server
        .psql(&format!("SELECT pg_terminate_backend({first})"))
        .unwrap();
    let second: i32 = query_scalar(backend).fetch_one(&engine).await.unwrap();
    assert_ne!(first, second);

    let engine: Engine<Postgres> = with(&server.url(), one().pool_recycle(Duration::ZERO));
    let first: i32 = query_scalar(backend).fetch_one(&engine).await.unwrap();
    let second: i32 = query_scalar(backend).fetch_one(&engine).await.unwrap();
    assert_ne!(first, second);
}

#[tokio::test]
async fn an_engine_is_made_of_a_configuration_or_an_environment() {
    let config = [
        ("sqlalchemy.url", "sqlite://"),
        ("sqlalchemy.pool_pre_ping", "true"),
        ("sqlalchemy.isolation_level", "READ UNCOMMITTED"),
        ("other", "thing"),
    ];
    let (url, options) = engine_from_config(config, "sqlalchemy.").unwrap();
    let engine = create_engine::<Sqlite>(url, options).unwrap();
    assert_eq!(level(&engine).await, IsolationLevel::ReadUncommitted);

    let server = PostgreSql::start().expect("this needs PostgreSQL");
    let url = server.url();
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_POOL_SIZE", "3"),
        (
            "DATABASE_CONNECT_ARGS__APPLICATION_NAME",
            "from the environment",
        ),
    ];
    let (url, options) = engine_from_env(variables, "DATABASE_").unwrap();
    let engine = create_engine::<Postgres>(url, options).unwrap();
    assert_eq!(engine.status().size, 3);
    let mut connection = engine.connect().await.unwrap();
    let name = shown(&mut connection, "application_name").await;
    assert_eq!(name, "from the environment");
}

#[tokio::test]
async fn a_pool_can_be_had_without_an_engine() {
    let pool = create_pool_from_url::<Sqlite>("sqlite://", EngineOptions::default()).unwrap();
    let mut wire = pool.checkout().await.unwrap();
    let one: i64 = query_scalar("SELECT 1")
        .fetch_one(&mut *wire)
        .await
        .unwrap();
    assert_eq!(one, 1);
}

#[tokio::test]
async fn who_has_a_connection_is_told_by_the_place_where_it_was_asked_for() {
    let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default()).unwrap();
    let connection = engine.connect().await.unwrap();
    let place = engine.pool().holders()[0].place;
    assert_eq!((place.file(), place.line()), (file!(), line!() - 2));
    drop(connection);

    let transaction = engine.begin().await.unwrap();
    let place = engine.pool().holders()[0].place;
    assert_eq!((place.file(), place.line()), (file!(), line!() - 2));
    drop(transaction);
}
