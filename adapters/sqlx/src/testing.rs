//! What `#[sqlx::test]` calls: SQLx's `testing`, whose tests get the pool of this crate.

use std::{future::Future, time::Duration};

use sqlx::{ConnectOptions as _, Connection as _, migrate::Migrate};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use sqlx::testing::*;

use crate::{
    driver::{ConnectOptionsOf, Driver},
    pool::{Pool, PoolConnection, PoolOptions},
    version::migrate,
};

/// A function that `#[sqlx::test]` calls with a database of its own.
pub trait TestFn {
    /// What the test returns.
    type Output;

    /// Makes the database, with migrations and fixtures, calls the test, and drops the database if the
    /// test did not fail. Blocks for all of it.
    fn run_test(self, args: TestArgs) -> Self::Output;
}

impl<DB, Fut> TestFn for fn(Pool<DB>) -> Fut
where
    DB: TestSupport + Driver,
    DB::Connection: Migrate,
    Fut: Future,
    Fut::Output: TestTermination,
{
    type Output = Fut::Output;

    fn run_test(self, args: TestArgs) -> Self::Output {
        run_with_pool(args, self)
    }
}

impl<DB, Fut> TestFn for fn(PoolConnection<DB>) -> Fut
where
    DB: TestSupport + Driver,
    DB::Connection: Migrate,
    Fut: Future,
    Fut::Output: TestTermination,
{
    type Output = Fut::Output;

    fn run_test(self, args: TestArgs) -> Self::Output {
        run_with_pool(args, |pool: Pool<DB>| async move {
            let connection = pool.acquire().await;
            self(connection.expect("failed to acquire test pool connection")).await
        })
    }
}

impl<DB, Fut> TestFn for fn(PoolOptions<DB>, ConnectOptionsOf<DB>) -> Fut
where
    DB: TestSupport + Driver,
    DB::Connection: Migrate,
    Fut: Future,
    Fut::Output: TestTermination,
{
    type Output = Fut::Output;

    fn run_test(self, args: TestArgs) -> Self::Output {
        run(args, self)
    }
}

impl<Fut: Future> TestFn for fn() -> Fut {
    type Output = Fut::Output;

    fn run_test(self, args: TestArgs) -> Self::Output {
        // SQLx's own, whatever is its kind.
        sqlx::testing::TestFn::run_test(self, args)
    }
}

/// How long a test's pool is waited for, which the test may hold on to.
const PATIENCE: Duration = Duration::from_secs(10);

fn run_with_pool<DB, F, Fut>(args: TestArgs, test: F) -> Fut::Output
where
    DB: TestSupport + Driver,
    DB::Connection: Migrate,
    F: FnOnce(Pool<DB>) -> Fut,
    Fut: Future,
    Fut::Output: TestTermination,
{
    let path = args.test_path;
    run(
        args,
        |options: PoolOptions<DB>, connect_options| async move {
            let pool = options.connect_with(connect_options).await;
            let pool = pool.expect("failed to connect test pool");
            let output = test(pool.clone()).await;
            if !pool.engine().close(PATIENCE).await.is_drained() {
                eprintln!("test {path} held onto Pool after exiting");
            }
            output
        },
    )
}

/// How many connections all tests of a process have at once; as SQLx's. A file counts none.
static CONNECTIONS: Semaphore = Semaphore::const_new(20);

async fn admitted<DB: Driver>(wanted: u32) -> Option<SemaphorePermit<'static>> {
    match DB::NAME {
        "SQLite" => None,
        // It is never closed.
        _ => CONNECTIONS.acquire_many(wanted.min(20)).await.ok(),
    }
}

fn run<DB, F, Fut>(args: TestArgs, test: F) -> Fut::Output
where
    DB: TestSupport + Driver,
    DB::Connection: Migrate,
    F: FnOnce(PoolOptions<DB>, ConnectOptionsOf<DB>) -> Fut,
    Fut: Future,
    Fut::Output: TestTermination,
{
    sqlx::test_block_on(async move {
        let context = DB::test_context(&args).await;
        let context = context.expect("failed to connect to setup test database");
        let options = context.pool_opts;
        let _admitted = admitted::<DB>(options.get_max_connections()).await;
        set_up::<DB>(&context.connect_opts, &args).await;
        let options = PoolOptions::new()
            .max_connections(options.get_max_connections())
            .acquire_timeout(options.get_acquire_timeout())
            .max_lifetime(options.get_max_lifetime())
            .idle_timeout(options.get_idle_timeout());
        let output = test(options, context.connect_opts).await;
        if output.is_success()
            && let Err(error) = DB::cleanup_test(&DB::db_name(&args)).await
        {
            eprintln!("failed to delete database {:?}: {error}", context.db_name);
        }
        output
    })
}

async fn set_up<DB>(options: &ConnectOptionsOf<DB>, args: &TestArgs)
where
    DB: Driver,
    DB::Connection: Migrate,
{
    let connection = options.connect().await;
    let mut connection = connection.expect("failed to connect to test database");
    if let Some(migrator) = args.migrator {
        let migrated = migrate(migrator, &mut connection).await;
        migrated.expect("failed to apply migrations");
    }
    for fixture in args.fixtures {
        let applied = DB::run(&mut connection, fixture.contents.to_owned()).await;
        if let Err(error) = applied {
            panic!("failed to apply test fixture {:?}: {error:?}", fixture.path);
        }
    }
    let closed = connection.close().await;
    closed.expect("failed to close setup connection");
}
