use serde::{Deserialize, Deserializer, de};

use super::{EngineOptions, config, names::Names};

/// The options of a pool without an engine, read with the short names of SQLAlchemy's
/// `create_pool_from_url` too: `timeout`, `recycle`, `pre_ping`, `use_lifo`, `reset_on_return`; and
/// `echo` and `logging_name` are the pool's.
///
/// ```
/// use everpool_engine::{EngineOptions, PoolOptions};
///
/// let options: PoolOptions = toml::from_str("recycle = 300\npre_ping = true")?;
/// assert!(EngineOptions::from(options).pool().pre_ping);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PoolOptions(EngineOptions);

impl From<EngineOptions> for PoolOptions {
    fn from(options: EngineOptions) -> Self {
        Self(options)
    }
}

impl From<PoolOptions> for EngineOptions {
    fn from(options: PoolOptions) -> Self {
        options.0
    }
}

impl<'de> Deserialize<'de> for PoolOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = config::from_file(deserializer, Names::Pool)?;
        said.build().map(Self).map_err(de::Error::custom)
    }
}
