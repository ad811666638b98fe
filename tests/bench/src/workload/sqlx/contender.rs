//! Who runs statements. They are called by static dispatch, so that no box is measured with them but SQLx's.

use std::{future::Future, hint::black_box};

use ::sqlx::{Connection, Database, Error, Executor, IntoArguments, Pool, pool::PoolOptions};
use everpool_core::BoxFuture;
use everpool_sqlx::{Driver, Engine, EngineOptions, PoolConnection, Session, create_engine};

pub(super) type Answer = Result<(), Error>;

const NOT_MEASURED: &str = "this is not measured";

pub(super) trait Contender: Send {
    /// `SELECT 1`.
    fn query(&mut self) -> impl Future<Output = Answer> + Send;

    /// BEGIN, `SELECT 1`, COMMIT.
    fn transaction(&mut self) -> impl Future<Output = Answer> + Send {
        async { panic!("{NOT_MEASURED}") }
    }

    /// A checkout and a return.
    fn checkout(&mut self) -> impl Future<Output = Answer> + Send {
        async { panic!("{NOT_MEASURED}") }
    }
}

/// The engine is asked for each deed.
pub(super) struct ByEngine<DB: Driver>(pub(super) Engine<DB>);
/// A connection is taken for each query.
pub(super) struct ByConnect<DB: Driver>(pub(super) Engine<DB>);
/// A session is begun for each transaction.
pub(super) struct BySession<DB: Driver>(pub(super) Engine<DB>);
/// One connection of the engine's for all.
pub(super) struct Kept<DB: Driver>(pub(super) PoolConnection<DB>);
/// SQLx's own pool.
pub(super) struct ByPool<DB: Database>(pub(super) Pool<DB>);
/// One connection of SQLx's for all.
pub(super) struct Held<C>(pub(super) C);

pub(super) fn engine<DB: Driver>(url: &str, pre_ping: bool) -> Engine<DB> {
    let options = EngineOptions::builder().pool_pre_ping(pre_ping).build();
    let options = options.expect("the options are right");
    create_engine(url, options).expect("the URL is right")
}

pub(super) fn pool<DB: Database>(url: &str, tests: bool) -> Pool<DB> {
    let options = PoolOptions::new().test_before_acquire(tests);
    options.connect_lazy(url).expect("the URL is right")
}

/// No async function, because the compiler cannot see that a task may have it.
fn select<'e, E>(executor: E) -> BoxFuture<'e, Result<<E::Database as Database>::Row, Error>>
where
    E: Executor<'e, Database: Database<Arguments: IntoArguments<E::Database>>> + 'e,
{
    executor.fetch_one(::sqlx::query("SELECT 1"))
}

impl<DB: Driver<Arguments: IntoArguments<DB>>> Contender for ByEngine<DB> {
    async fn query(&mut self) -> Answer {
        select(&self.0).await.map(drop)
    }

    async fn transaction(&mut self) -> Answer {
        let mut transaction = self.0.begin().await?;
        select(&mut *transaction).await?;
        transaction.commit().await
    }

    async fn checkout(&mut self) -> Answer {
        black_box(connect(&self.0).await);
        Ok(())
    }
}

impl<DB: Driver<Arguments: IntoArguments<DB>>> Contender for ByConnect<DB> {
    async fn query(&mut self) -> Answer {
        let mut connection = connect(&self.0).await;
        select(&mut *connection).await.map(drop)
    }
}

pub(super) async fn connect<DB: Driver>(engine: &Engine<DB>) -> PoolConnection<DB> {
    engine.connect().await.expect("the server accepts")
}

impl<DB: Driver<Arguments: IntoArguments<DB>>> Contender for BySession<DB> {
    async fn query(&mut self) -> Answer {
        panic!("{NOT_MEASURED}")
    }

    async fn transaction(&mut self) -> Answer {
        let mut session = Session::begin(&self.0).await.expect("nothing is sent");
        select(&mut session).await?;
        session.commit().await.expect("the server answers");
        Ok(())
    }
}

impl<DB: Driver<Arguments: IntoArguments<DB>>> Contender for Kept<DB> {
    async fn query(&mut self) -> Answer {
        select(&mut *self.0).await.map(drop)
    }
}

impl<DB> Contender for ByPool<DB>
where
    DB: Database<Arguments: IntoArguments<DB>>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn query(&mut self) -> Answer {
        select(&self.0).await.map(drop)
    }

    async fn transaction(&mut self) -> Answer {
        let mut transaction = self.0.begin().await?;
        select(&mut *transaction).await?;
        transaction.commit().await
    }

    async fn checkout(&mut self) -> Answer {
        black_box(self.0.acquire().await?);
        Ok(())
    }
}

impl<C> Contender for Held<C>
where
    C: Connection<Database: Database<Arguments: IntoArguments<C::Database>>>,
    for<'c> &'c mut C: Executor<'c, Database = C::Database>,
{
    async fn query(&mut self) -> Answer {
        select(&mut self.0).await.map(drop)
    }

    async fn transaction(&mut self) -> Answer {
        let mut transaction = self.0.begin().await?;
        select(&mut *transaction).await?;
        transaction.commit().await
    }
}
