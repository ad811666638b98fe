//! From an engine's options to a configuration that says all of it.

use everpool_core::{Capacity, PoolClass};
use serde::{Serialize, Serializer};

use super::{
    EngineOptions,
    said::Said,
    seconds::Seconds,
    words::{Class, Flag, Name, Reset, Whole},
};

/// As a configuration that reads as the same options, with each that the pool's class has, also
/// those that have their default. What is a secret in `connect_args` is left out.
impl Serialize for EngineOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Said::from(self).serialize(serializer)
    }
}

impl From<&EngineOptions> for Said {
    fn from(options: &EngineOptions) -> Self {
        let mut said = Self {
            pool_timeout: Some(options.pool_timeout.into()),
            pool_logging_name: options.pool_logging_name.clone().map(Name),
            logging_name: options.logging_name.clone().map(Name),
            echo_pool: Some(options.echo_pool),
            echo: Some(options.echo),
            hide_parameters: Some(Flag(options.hide_parameters)),
            isolation_level: options.isolation_level.clone().map(Name),
            skip_autocommit_rollback: Some(Flag(options.skip_autocommit_rollback)),
            read_only_is_disconnect: Some(Flag(options.read_only_is_disconnect)),
            query_cache_size: options.query_cache_size.map(whole),
            sqlite_readers: options.sqlite_readers.map(whole),
            execution_options: Some(options.execution_options.clone()),
            connect_args: Some(options.connect_args.clone()),
            ..Self::default()
        };
        said.tell_pool(options);
        said.tell_class(options);
        said
    }
}

impl Said {
    /// What pools of each class have.
    fn tell_pool(&mut self, options: &EngineOptions) {
        let pool = &options.pool;
        self.pool_recycle = Some(pool.recycle.into());
        self.pool_pre_ping = Some(Flag(pool.pre_ping));
        self.pool_reset_on_return = Some(Reset(pool.reset_on_return));
        self.pool_reset_always = Some(Flag(pool.reset_always));
        self.pool_outage_grace = Some(pool.outage_grace.into());
        self.pool_connect_timeout = Some(pool.connect_timeout.into());
        self.pool_ping_timeout = Some(pool.ping_timeout.into());
        self.pool_reset_timeout = Some(pool.reset_timeout.into());
        self.pool_close_timeout = Some(pool.close_timeout.into());
        self.pool_max_waiting = Some(limit(pool.max_waiting));
        self.pool_leak_after = Some(pool.leak_after.into());
        self.pool_measure_use = Some(Flag(pool.measure_use));
    }

    fn tell_class(&mut self, options: &EngineOptions) {
        let pool = &options.pool;
        self.poolclass = options.class_is_said.then_some(Class(pool.class));
        let (size, overflow) = match pool.capacity {
            Capacity::Bounded { size, overflow } => (size, whole(overflow)),
            Capacity::Growing { size } => (size, Whole(-1)),
            Capacity::Unlimited => (0, Whole(-1)),
        };
        match pool.class {
            PoolClass::QueuePool => {
                self.pool_size = Some(whole(size));
                self.max_overflow = Some(overflow);
                self.pool_use_lifo = Some(Flag(pool.use_lifo));
            }
            PoolClass::SingletonThreadPool => self.pool_size = Some(whole(size)),
            PoolClass::NullPool => {
                self.pool_max_total = Some(limit(pool.max_total));
                return;
            }
            _ => {}
        }
        self.pool_recycle_jitter = Some(Whole(pool.recycle_jitter.into()));
        self.pool_ping_after_idle = Some(Seconds::from(pool.ping_after_idle));
        self.pool_max_idle_time = Some(pool.max_idle_time.into());
        self.pool_min_idle = Some(whole(pool.min_idle));
        self.pool_keepalive = Some(pool.keepalive.into());
    }
}

fn whole(number: u32) -> Whole {
    Whole(number.into())
}

fn limit(limit: Option<u32>) -> Whole {
    limit.map_or(Whole(-1), whole)
}
