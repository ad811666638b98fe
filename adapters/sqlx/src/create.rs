use std::convert::Infallible;

use everpool_core::{OptionsError, future::Pool};
use everpool_engine::{
    EngineOptions, OptionError, PoolOptions, Pools, Url, UrlError, isolation::CharacteristicsError,
};
use sqlx::Error;

use crate::{
    connector::Connector,
    driver::{ConnectOptionsOf, Driver},
    engine::Engine,
    manner::Manner,
    url::connect_options,
};

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The URL does not say where the database is.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// SQLx takes no such value for an argument of the URL or of `connect_args`.
    #[error(transparent)]
    ConnectOptions(Error),
    /// SQLx has no such argument of a URL or of `connect_args`, or not with this value.
    #[error("SQLx has no use for the connect argument `{name}`: {remedy}")]
    Argument {
        /// Its name, if it looks like one.
        name: String,
        /// What there is instead.
        remedy: String,
    },
    /// The URL has several hosts.
    #[error(
        "SQLx connects to one host, and the URL has {0}; name one, or choose one for each connection \
         in a hook of do_connect"
    )]
    Hosts(usize),
    /// A MySQL URL has no user.
    #[error(
        "the mysql URL has no user, and SQLx would log in as root; write mysql://user@host/database"
    )]
    NoUser,
    /// The pool cannot be as the options say.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option that this database, or what is made here, cannot have.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// An execution option, or the isolation level, is none of this database.
    #[error(transparent)]
    Characteristics(#[from] CharacteristicsError),
}

/// What is a URL already is one.
impl From<Infallible> for EngineError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// An engine for the database at `url`, a text or a [`Url`]. Never connects: the first checkout does.
///
/// A SQLite database in memory lives and dies with its connection, so its engine has exactly one,
/// whatever `pool_size` says, and users wait in line for it. No error counts as its loss, unless a
/// handler of `handle_error` says so. Neither a ping nor a reset is given up: a statement that was, and
/// runs on, keeps the others waiting. A SQLite file that is not there is made.
///
/// `connect_args` go over the URL's arguments; [`connect_options`] tells which there are. Whatever a URL
/// does not say is as SQLx has it: foreign keys of SQLite are checked, and statements logged at the level
/// `DEBUG` to `sqlx::query`, beside what the option `echo` writes to `everpool::engine`.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query_scalar};

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let options = EngineOptions::builder().pool_pre_ping(true).build()?;
let engine = create_engine::<Sqlite>("sqlite:///:memory:", options)?;
let one: i64 = query_scalar("SELECT 1").fetch_one(&engine).await?;
assert_eq!(one, 1);
# Ok(())
# }
```
"#
)]
///
/// `Any` finds its drivers only after `sqlx::any::install_default_drivers()`.
///
/// `query_cache_size` is SQLx's `statement_cache_capacity`, and with 0 PostgreSQL's statements have no
/// names. A PgBouncer in transaction mode keeps named ones from version 1.21 on. Before that it needs 0;
/// and because SQLx prepares a statement in one round trip and executes it in the next, which outside of
/// a transaction may meet another server connection, only statements in a transaction or a session may
/// have arguments there, and the others go through `raw_sql`.
///
/// # Errors
///
/// Those of [`connect_options`]; [`EngineError::Url`] also if the URL cannot have the `connect_args`.
/// [`EngineError::Options`] and [`EngineError::Characteristics`] if the pool or the database does not
/// have what the options ask for.
pub fn create_engine<DB: Driver>(
    url: impl TryInto<Url, Error: Into<EngineError>>,
    options: EngineOptions,
) -> Result<Engine<DB>, EngineError> {
    let url: Url = url.try_into().map_err(Into::into)?;
    let url = url.with_connect_args(options.connect_args())?;
    let connect_options = connect_options::<DB>(url.clone())?;
    let pools = options.pools(&url)?;
    Engine::new(Some(url), &connect_options, &pools, Manner::default())
}

/// An engine whose connections are opened with SQLx's own options. Never connects.
///
/// # Errors
///
/// Options that cannot be; and `connect_args`, because SQLx's options say it all.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
use everpool_sqlx::{EngineOptions, Sqlite, create_engine_with, query, sqlite::SqliteConnectOptions};
let options = SqliteConnectOptions::new().in_memory(true).pragma("cache_size", "4000");
let engine = create_engine_with::<Sqlite>(options, EngineOptions::default())?;
query("CREATE TABLE t (x INTEGER)").execute(&engine).await?;
# Ok(())
# }
```
"#
)]
pub fn create_engine_with<DB: Driver>(
    connect_options: ConnectOptionsOf<DB>,
    options: EngineOptions,
) -> Result<Engine<DB>, EngineError> {
    if let Some((name, _)) = options.connect_args().iter().next() {
        let name = name.to_owned();
        let remedy =
            "the options of SQLx's that were given stand for them; set it there".to_owned();
        return Err(EngineError::Argument { name, remedy });
    }
    let options = PoolOptions::from(options).alone()?;
    let pools = match DB::is_memory(&connect_options) {
        true => Pools::one(options.with_one_connection()),
        false => Pools::one(options),
    };
    Engine::new(None, &connect_options, &pools, Manner::default())
}

/// A pool for the database at `url`, without an engine. Never connects.
///
/// # Errors
///
/// Those of [`create_engine`]; and `sqlite_readers` is refused, because it makes two pools.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
use everpool_sqlx::{EngineOptions, Sqlite, create_pool_from_url, query};

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let pool = create_pool_from_url::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut wire = pool.checkout().await?;
query("CREATE TABLE t (x INTEGER)").execute(&mut *wire).await?;
# Ok(())
# }
```
"#
)]
pub fn create_pool_from_url<DB: Driver>(
    url: impl TryInto<Url, Error: Into<EngineError>>,
    options: impl Into<PoolOptions>,
) -> Result<Pool<Connector<DB>>, EngineError> {
    let options: PoolOptions = options.into();
    create_engine(url, options.alone()?).map(|engine| engine.pool().clone())
}
