use std::time::Duration;

use everpool_core::{Capacity, Options, PoolClass, ResetOnReturn};
use serde::{Deserialize, Deserializer, de};

use crate::seconds::Seconds;

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
/// From a file, here TOML; durations are seconds or texts like `"5m"`:
///
/// ```
/// # use everpool_engine::EngineOptions;
/// let options: EngineOptions = toml::from_str("pool_pre_ping = true\npool_recycle = 300")?;
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// | option | default | meaning |
/// |---|---|---|
/// | `pool_size` | 5 | connections kept open when idle; 0, with `max_overflow = -1`, is no limit |
/// | `max_overflow` | 10 | more of them under load; -1 is no limit |
/// | `pool_timeout` | 30 s | the deadline of a checkout: queue, connect and ping |
/// | `pool_recycle` | -1 | a connection opened longer ago is replaced; -1 is never |
/// | `pool_pre_ping` | false | ask an idle connection for a sign of life before lending it |
/// | `pool_use_lifo` | false | lend the connection returned last first |
/// | `pool_reset_on_return` | `"rollback"` | or `"commit"`, or `"none"` |
/// | `pool_outage_grace` | 5 s | how long callers wait while nothing can be opened (not in SQLAlchemy) |
#[derive(Clone, Debug, PartialEq)]
pub struct EngineOptions {
    pool: Options,
    pool_timeout: Duration,
}

impl EngineOptions {
    /// Options to be set one by one.
    pub fn builder() -> EngineOptionsBuilder {
        EngineOptionsBuilder::default()
    }

    /// `pool_timeout`.
    pub fn pool_timeout(&self) -> Duration {
        self.pool_timeout
    }

    /// What the pool is told.
    pub fn pool(&self) -> Options {
        self.pool.clone()
    }

    /// These options for a database that lives and dies with its only connection.
    #[must_use]
    pub fn with_one_connection(mut self) -> Self {
        self.pool.class = PoolClass::StaticPool;
        self.pool.recycle = None;
        self
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            pool: Options::default(),
            pool_timeout: Duration::from_secs(30),
        }
    }
}

impl<'de> Deserialize<'de> for EngineOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let builder = EngineOptionsBuilder::deserialize(deserializer)?;
        builder.build().map_err(de::Error::custom)
    }
}

/// Options that nobody has looked at yet. What is not set has its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineOptionsBuilder {
    pool_size: Option<i64>,
    max_overflow: Option<i64>,
    pool_timeout: Option<Seconds>,
    pool_recycle: Option<Seconds>,
    #[serde(default)]
    pool_pre_ping: bool,
    #[serde(default)]
    pool_use_lifo: bool,
    #[serde(default)]
    pool_reset_on_return: Reset,
    pool_outage_grace: Option<Seconds>,
}

impl EngineOptionsBuilder {
    /// How many connections are kept open when idle. 5.
    #[must_use]
    pub fn pool_size(mut self, connections: u32) -> Self {
        self.pool_size = Some(connections.into());
        self
    }

    /// How many more may be open under load; -1 is no limit. 10.
    #[must_use]
    pub fn max_overflow(mut self, connections: i64) -> Self {
        self.max_overflow = Some(connections);
        self
    }

    /// The deadline of a checkout. 30 seconds.
    #[must_use]
    pub fn pool_timeout(mut self, timeout: Duration) -> Self {
        self.pool_timeout = Some(timeout.into());
        self
    }

    /// The age at which a connection is replaced instead of lent. Never.
    #[must_use]
    pub fn pool_recycle(mut self, age: Duration) -> Self {
        self.pool_recycle = Some(age.into());
        self
    }

    /// Whether an idle connection is asked for a sign of life before it is lent. No.
    #[must_use]
    pub fn pool_pre_ping(mut self, pre_ping: bool) -> Self {
        self.pool_pre_ping = pre_ping;
        self
    }

    /// Whether the connection returned last is lent first. No.
    #[must_use]
    pub fn pool_use_lifo(mut self, use_lifo: bool) -> Self {
        self.pool_use_lifo = use_lifo;
        self
    }

    /// What is sent when a connection comes back that may have a transaction open. Rollback.
    #[must_use]
    pub fn pool_reset_on_return(mut self, reset: ResetOnReturn) -> Self {
        self.pool_reset_on_return = Reset(reset);
        self
    }

    /// How long callers wait while no connection can be opened; after it they are told at once. 5
    /// seconds.
    #[must_use]
    pub fn pool_outage_grace(mut self, grace: Duration) -> Self {
        self.pool_outage_grace = Some(grace.into());
        self
    }

    /// Looks at all of it.
    ///
    /// # Errors
    ///
    /// Names the option, its value, and what would be right.
    pub fn build(self) -> Result<EngineOptions, OptionError> {
        let mut options = EngineOptions::default();
        if let Some(timeout) = self.pool_timeout {
            options.pool_timeout = positive("pool_timeout", timeout)?;
        }
        if let Some(grace) = self.pool_outage_grace {
            options.pool.outage_grace = positive("pool_outage_grace", grace)?;
        }
        if let Some(age) = self.pool_recycle.filter(|age| *age != Seconds(-1.0)) {
            options.pool.recycle = Some(positive("pool_recycle", age)?);
        }
        options.pool.capacity = self.capacity()?;
        options.pool.pre_ping = self.pool_pre_ping;
        options.pool.use_lifo = self.pool_use_lifo;
        options.pool.reset_on_return = self.pool_reset_on_return.0;
        Ok(options)
    }

    fn capacity(&self) -> Result<Capacity, OptionError> {
        let (size, overflow) = (self.pool_size.unwrap_or(5), self.max_overflow.unwrap_or(10));
        let refuse = |option, value: i64, remedy| Err(OptionError::new(option, value, remedy));
        match (u32::try_from(size), u32::try_from(overflow)) {
            (Err(_), _) => refuse("pool_size", size, "must be a number from 0 to 4294967295"),
            (Ok(0), _) if overflow != -1 => refuse(
                "pool_size",
                0,
                "means no limit, which goes with max_overflow = -1 only; set that too, or a size of 1 or more",
            ),
            (Ok(0), _) => Ok(Capacity::Unlimited),
            (Ok(size), _) if overflow == -1 => Ok(Capacity::Growing { size }),
            (Ok(_), Err(_)) => refuse(
                "max_overflow",
                overflow,
                "must be a number from 0 to 4294967295, or -1 for no limit",
            ),
            (Ok(size), Ok(overflow)) => Ok(Capacity::Bounded { size, overflow }),
        }
    }
}

fn positive(option: &'static str, seconds: Seconds) -> Result<Duration, OptionError> {
    let remedy = match option {
        "pool_recycle" => "must be a number of seconds from 0, or -1 for never",
        _ => "must be a number of seconds from 0",
    };
    seconds
        .duration()
        .ok_or_else(|| OptionError::new(option, seconds, remedy))
}

/// An option has a value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} = {value}: {option} {remedy}")]
pub struct OptionError {
    option: &'static str,
    value: String,
    remedy: &'static str,
}

impl OptionError {
    fn new(option: &'static str, value: impl ToString, remedy: &'static str) -> Self {
        Self {
            option,
            value: value.to_string(),
            remedy,
        }
    }
}

/// `pool_reset_on_return` as configuration has it.
#[derive(Clone, Copy, Debug, Default)]
struct Reset(ResetOnReturn);

impl<'de> Deserialize<'de> for Reset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reset = match String::deserialize(deserializer)?.as_str() {
            "rollback" => ResetOnReturn::Rollback,
            "commit" => ResetOnReturn::Commit,
            "none" => ResetOnReturn::Nothing,
            other => {
                return Err(de::Error::custom(OptionError::new(
                    "pool_reset_on_return",
                    format!("{other:?}"),
                    "must be \"rollback\", \"commit\" or \"none\"",
                )));
            }
        };
        Ok(Self(reset))
    }
}
