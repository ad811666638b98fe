//! SQLx's own pool, for third parties that take no other.

use std::{
    future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use everpool_engine::stage::StageError;
use sqlx::Error;
use sqlx_core::transaction::TransactionManager;

use crate::{as_sqlx::bad_option, driver::Driver, engine::Engine};

pub use sqlx::pool::{Pool, PoolConnection, PoolConnectionMetadata, PoolOptions};

/// SQLx's own pool under the rules of this crate, as far as its callbacks reach: for a library that takes
/// an `sqlx::Pool` and no other.
///
/// A connection that has rested for a second is asked for a sign of life, for at most as long again; once
/// one is silent or dead, all that were opened before are closed at their turn and not asked one by one.
/// What comes back is rolled back and asked for an echo, for at most 5 seconds, and closed if it gives
/// none. The errors of statements are not seen: the pool learns of a dead server by the first test that
/// fails.
///
/// It takes the place of `before_acquire`, `after_release` and `test_before_acquire` of `options`.
///
/// ```
/// # #[cfg(feature = "_sqlite")] {
/// use everpool_sqlx::{Sqlite, native};
///
/// let options = native::PoolOptions::<Sqlite>::new().max_connections(5);
/// let options = native::guarded(options);
/// assert_eq!(options.get_max_connections(), 5);
/// # }
/// ```
pub fn guarded<DB: Driver>(options: PoolOptions<DB>) -> PoolOptions<DB> {
    let silence = Arc::new(Silence::default());
    options
        .test_before_acquire(false)
        .before_acquire(move |connection, metadata| {
            let silence = Arc::clone(&silence);
            let opened = Instant::now().checked_sub(metadata.age);
            Box::pin(async move {
                if silence.is_since(opened) {
                    return Ok(false);
                }
                if metadata.idle_for < RESTED {
                    return Ok(true);
                }
                let ping = sqlx::Connection::ping(connection);
                let answer = in_time(RESTED, ping).await;
                if answer.is_err() {
                    silence.begins();
                }
                answer.map(|()| true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                in_time(CLEANING, clean::<DB>(connection)).await?;
                Ok(true)
            })
        })
}

/// What rested for longer is asked for a sign of life, and has as long to give it.
const RESTED: Duration = Duration::from_secs(1);
const CLEANING: Duration = Duration::from_secs(5);

async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.unwrap_or_else(|late| Err(Error::Io(late.into())))
}

/// When a connection was last found silent.
#[derive(Default)]
struct Silence(Mutex<Option<Instant>>);

impl Silence {
    fn begins(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_since(&self, opened: Option<Instant>) -> bool {
        let silence = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silence.is_some() && opened <= silence
    }
}

/// Ends what is open, and sees whether the connection is in step with its server.
async fn clean<DB: Driver>(connection: &mut DB::Connection) -> Result<(), Error> {
    while DB::TransactionManager::get_transaction_depth(connection) > 0 {
        DB::TransactionManager::rollback(connection).await?;
    }
    roll_back::<DB>(connection).await?;
    let asked = i64::from(std::process::id() & 0x7fff);
    match DB::number(connection, format!("SELECT {asked}")).await? == asked {
        true => Ok(()),
        false => Err(Error::Protocol(OUT_OF_STEP.to_owned())),
    }
}

const OUT_OF_STEP: &str = "the connection is out of step with its server";

/// PostgreSQL warns of a ROLLBACK without a transaction, and SQLite fails.
async fn roll_back<DB: Driver>(connection: &mut DB::Connection) -> Result<(), Error> {
    let plain = "ROLLBACK".to_owned();
    match DB::NAME {
        "PostgreSQL" => match DB::run(connection, "BEGIN; ROLLBACK".to_owned()).await {
            // A transaction has failed, and takes nothing but its end.
            Err(Error::Database(_)) => DB::run(connection, plain).await,
            answer => answer,
        },
        _ => match DB::run(connection, plain).await {
            Err(Error::Database(error))
                if error.message().ends_with("no transaction is active") =>
            {
                Ok(())
            }
            answer => answer,
        },
    }
}

/// A pool of SQLx's that opens one connection for one use, in the place of one of the engine's, which is
/// held back as long.
pub(crate) async fn stand_in<DB: Driver>(engine: Engine<DB>) -> Result<Pool<DB>, Error> {
    if engine.is_staged() {
        return Err(bad_option(StageError::Elsewhere));
    }
    let lent = engine.lend().await?;
    // Where the engine has found a database, if it has replicas.
    let connect_options = lent.engine().connect_options();
    let place = Mutex::new(lent);
    let options = PoolOptions::<DB>::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(engine.pool_timeout())
        .after_release(move |_, _| {
            // It goes with this pool, which goes with its connection.
            let _held_back = &place;
            Box::pin(future::ready(Ok(false)))
        });
    Ok(options.connect_lazy_with(connect_options))
}
