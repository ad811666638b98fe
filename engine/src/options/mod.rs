mod args;
mod build;
mod builder;
mod class;
mod config;
mod entry;
mod error;
mod names;
mod pool;
mod readers;
mod refusal;
mod said;
mod sample;
mod seconds;
mod value;
mod words;

use std::time::Duration;

use everpool_core::{Options, PoolClass};
use serde::{Deserialize, Deserializer, de};

use names::Names;

pub use args::{ConnectArgs, ExecutionOptions};
pub use builder::EngineOptionsBuilder;
pub use entry::{engine_from_config, engine_from_env, pool_from_config};
pub use error::OptionError;
pub use pool::PoolOptions;
pub use readers::Pools;
pub use words::Echo;

const POOL_TIMEOUT: Duration = Duration::from_secs(30);

/// The options of an engine, with the names, defaults and meaning of the arguments of SQLAlchemy's
/// `create_engine`. A value of this type is valid.
///
/// In code:
///
/// ```
/// use everpool_engine::EngineOptions;
/// use std::time::Duration;
///
/// let options = EngineOptions::builder()
///     .pool_size(20)
///     .max_overflow(0)
///     .pool_pre_ping(true)
///     .pool_recycle(Duration::from_secs(300))
///     .build()?;
/// # Ok::<(), everpool_engine::OptionError>(())
/// ```
///
/// From a file, here TOML:
///
/// ```
/// # use everpool_engine::EngineOptions;
/// let options: EngineOptions = toml::from_str("pool_pre_ping = true\npool_recycle = '5m'")?;
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// [`engine_from_config`] and [`engine_from_env`] read them together with the URL.
///
/// # The options
///
/// Durations are seconds, or texts like `"5m"`; numbers and booleans may be texts too, and null is the
/// default unless the table says otherwise. What does not fit the `poolclass` is refused, and so is an
/// unknown name.
///
/// | option | default | meaning |
/// |---|---|---|
/// | `poolclass` | `"QueuePool"` | or `AsyncAdaptedQueuePool`, which is the same, `NullPool`, `StaticPool`, `SingletonThreadPool`, `AssertionPool`; of a SQLite database in memory the default is `StaticPool` |
/// | `pool_size` | 5 | connections kept open when idle; 0, with `max_overflow = -1`, is no limit; of a `SingletonThreadPool`, threads whose connections are kept |
/// | `max_overflow` | 10 | more of them under load; -1 is no limit |
/// | `pool_timeout` | 30 | the deadline of a checkout: queue, connect and ping; null is for ever |
/// | `pool_recycle` | -1 | a connection opened longer ago is replaced; -1 is never |
/// | `pool_pre_ping` | false | ask an idle connection for a sign of life before lending it |
/// | `pool_use_lifo` | false | lend the connection returned last first |
/// | `pool_reset_on_return` | `"rollback"` | or `"commit"`, or `"none"`; also true, false and null |
/// | `pool_logging_name` | none | distinguishes the pool in logs |
/// | `echo_pool` | false | log what becomes of connections; `"debug"`: each checkout and return too |
/// | `logging_name` | none | distinguishes the engine in logs |
/// | `echo` | false | log what is sent; `"debug"`: what is answered too |
/// | `hide_parameters` | false | neither logs nor errors show the values of parameters |
/// | `isolation_level` | the database's | of each connection; which there are, the database says |
/// | `skip_autocommit_rollback` | false | send no ROLLBACK on a connection in autocommit |
/// | `query_cache_size` | the driver's | prepared statements kept for each connection; 0 is none |
/// | `execution_options` | none | a table: `isolation_level`, `logging_token`, the program's own |
/// | `connect_args` | none | a table of what the driver is told beside and instead of the URL |
///
/// SQLAlchemy does not have these:
///
/// | option | default | meaning |
/// |---|---|---|
/// | `pool_max_total` | -1 | how many connections a `NullPool` may have open; -1 is any number |
/// | `pool_recycle_jitter` | 10 | replace up to so many per cent earlier, not all at once |
/// | `pool_ping_after_idle` | -1 | with `pool_pre_ping`, ask only what rested for longer; -1 is all, but for what was just used and can be looked at instead |
/// | `pool_max_idle_time` | -1 | close what rests for longer; -1 is never |
/// | `pool_min_idle` | 0 | connections opened ahead of demand |
/// | `pool_keepalive` | -1 | ping what rests this often; -1 is never |
/// | `pool_reset_always` | false | reset on return also what provably has nothing open |
/// | `pool_outage_grace` | 5 | how long callers wait while nothing can be opened |
/// | `pool_connect_timeout` | 30 | how long a connect may take |
/// | `pool_ping_timeout` | 5 | how long a ping may take |
/// | `pool_reset_timeout` | 5 | how long the reset on return may take |
/// | `pool_close_timeout` | 5 | how long closing a connection may take |
/// | `pool_max_waiting` | -1 | how many callers may wait; -1 is any number |
/// | `pool_leak_after` | -1 | report what is out for longer, with the place of its checkout |
/// | `pool_measure_use` | false | measure for how long connections are used |
/// | `sqlite_readers` | 0 | for a SQLite file: one connection that writes, in transactions that begin with `BEGIN IMMEDIATE`, and so many beside it that read; 0 is connections that do either |
/// | `read_only_is_disconnect` | false | "read-only" is the answer of a server that was failed over |
///
/// Other pools' names are taken too: `max_connections` and `max_size` (`pool_size`, with a
/// `max_overflow` of 0), `acquire_timeout` and `connection_timeout` (`pool_timeout`), `max_lifetime`
/// (`pool_recycle`), `idle_timeout` (`pool_max_idle_time`), `min_connections` and `min_idle`
/// (`pool_min_idle`), `test_before_acquire` and `test_on_check_out` (`pool_pre_ping`),
/// `statement_cache_capacity` (`query_cache_size`).
#[derive(Clone, Debug, PartialEq)]
pub struct EngineOptions {
    pool: Options,
    /// Otherwise a database in memory has its own.
    class_is_said: bool,
    pool_timeout: Duration,
    pool_logging_name: Option<String>,
    logging_name: Option<String>,
    echo_pool: Echo,
    echo: Echo,
    hide_parameters: bool,
    isolation_level: Option<String>,
    skip_autocommit_rollback: bool,
    read_only_is_disconnect: bool,
    query_cache_size: Option<u32>,
    /// Not zero.
    sqlite_readers: Option<u32>,
    execution_options: ExecutionOptions,
    connect_args: ConnectArgs,
}

impl EngineOptions {
    /// Options to be set one by one.
    pub fn builder() -> EngineOptionsBuilder {
        EngineOptionsBuilder::default()
    }

    /// What the pool is told; with `sqlite_readers`, see [`pools`](Self::pools).
    pub fn pool(&self) -> Options {
        self.pool.clone()
    }

    /// `pool_timeout`; [`Duration::MAX`] is for ever.
    pub fn pool_timeout(&self) -> Duration {
        self.pool_timeout
    }

    /// `pool_logging_name`
    pub fn pool_logging_name(&self) -> Option<&str> {
        self.pool_logging_name.as_deref()
    }

    /// `logging_name`
    pub fn logging_name(&self) -> Option<&str> {
        self.logging_name.as_deref()
    }

    /// `echo_pool`
    pub fn echo_pool(&self) -> Echo {
        self.echo_pool
    }

    /// `echo`
    pub fn echo(&self) -> Echo {
        self.echo
    }

    /// `hide_parameters`
    pub fn hide_parameters(&self) -> bool {
        self.hide_parameters
    }

    /// `isolation_level`, as it was written; which there are, the database says.
    pub fn isolation_level(&self) -> Option<&str> {
        self.isolation_level.as_deref()
    }

    /// `skip_autocommit_rollback`
    pub fn skip_autocommit_rollback(&self) -> bool {
        self.skip_autocommit_rollback
    }

    /// `read_only_is_disconnect`
    pub fn read_only_is_disconnect(&self) -> bool {
        self.read_only_is_disconnect
    }

    /// `query_cache_size`; `None` is the driver's own.
    pub fn query_cache_size(&self) -> Option<u32> {
        self.query_cache_size
    }

    /// `sqlite_readers`; `None` if the connections that write also read.
    pub fn sqlite_readers(&self) -> Option<u32> {
        self.sqlite_readers
    }

    /// `execution_options`
    pub fn execution_options(&self) -> &ExecutionOptions {
        &self.execution_options
    }

    /// `connect_args`
    pub fn connect_args(&self) -> &ConnectArgs {
        &self.connect_args
    }

    /// These options with a pool that was told so in other words, and its `pool_timeout`. Its class
    /// counts as chosen. What no pool can be is refused when it is made.
    #[must_use]
    pub fn with_pool(mut self, pool: Options, pool_timeout: Duration) -> Self {
        self.class_is_said = true;
        self.pool = pool;
        self.pool_timeout = pool_timeout;
        self
    }

    /// These options for a database that lives and dies with its only connection: unless a
    /// `poolclass` was chosen, a `StaticPool`, which never replaces that connection on its own. A ping and
    /// a reset may take as long as they take, because to give up would cost the database.
    #[must_use]
    pub fn with_one_connection(mut self) -> Self {
        if !self.class_is_said {
            self.class_is_said = true;
            self.pool.class = PoolClass::StaticPool;
        }
        if matches!(
            self.pool.class,
            PoolClass::StaticPool | PoolClass::AssertionPool
        ) {
            self.pool.recycle = None;
            self.pool.max_idle_time = None;
            self.pool.ping_timeout = Duration::MAX;
            self.pool.reset_timeout = Duration::MAX;
            self.pool.min_idle = self.pool.min_idle.min(1);
        }
        self
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            pool: Options::default(),
            class_is_said: false,
            pool_timeout: POOL_TIMEOUT,
            pool_logging_name: None,
            logging_name: None,
            echo_pool: Echo::Off,
            echo: Echo::Off,
            hide_parameters: false,
            isolation_level: None,
            skip_autocommit_rollback: false,
            read_only_is_disconnect: false,
            query_cache_size: None,
            sqlite_readers: None,
            execution_options: ExecutionOptions::default(),
            connect_args: ConnectArgs::default(),
        }
    }
}

impl<'de> Deserialize<'de> for EngineOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = config::from_file(deserializer, Names::Engine)?;
        said.build().map_err(de::Error::custom)
    }
}
