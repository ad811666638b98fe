use std::time::Duration;

use everpool_core::{PoolClass, ResetOnReturn};

use super::{
    Echo, EngineOptions, OptionError,
    said::Said,
    words::{Class, Flag, Name, Reset, Whole},
};

/// Options that nobody has looked at yet. What is not set has its default.
#[derive(Clone, Debug, Default)]
pub struct EngineOptionsBuilder {
    said: Said,
}

/// The pool.
impl EngineOptionsBuilder {
    /// What becomes of a connection between two users. A `QueuePool`, or for a SQLite database in memory
    /// a `StaticPool`.
    #[must_use]
    pub fn poolclass(mut self, class: PoolClass) -> Self {
        self.said.poolclass = Some(Class(class));
        self
    }

    /// How many connections are kept open when idle; 0, with a `max_overflow` of -1, is no limit. 5.
    #[must_use]
    pub fn pool_size(mut self, connections: u32) -> Self {
        self.said.pool_size = Some(Whole(connections.into()));
        self
    }

    /// How many more may be open under load; -1 is no limit. 10.
    #[must_use]
    pub fn max_overflow(mut self, connections: i64) -> Self {
        self.said.max_overflow = Some(Whole(connections));
        self
    }

    /// How many connections a `NullPool` may have open at once. Any number.
    #[must_use]
    pub fn pool_max_total(mut self, connections: u32) -> Self {
        self.said.pool_max_total = Some(Whole(connections.into()));
        self
    }

    /// The deadline of a checkout. 30 seconds.
    #[must_use]
    pub fn pool_timeout(mut self, timeout: Duration) -> Self {
        self.said.pool_timeout = Some(timeout.into());
        self
    }

    /// The age at which a connection is replaced instead of lent. Never.
    #[must_use]
    pub fn pool_recycle(mut self, age: Duration) -> Self {
        self.said.pool_recycle = Some(age.into());
        self
    }

    /// By how many per cent of `pool_recycle` at most a connection is replaced earlier. 10.
    #[must_use]
    pub fn pool_recycle_jitter(mut self, per_cent: u8) -> Self {
        self.said.pool_recycle_jitter = Some(Whole(per_cent.into()));
        self
    }

    /// Whether an idle connection is asked for a sign of life before it is lent. No.
    #[must_use]
    pub fn pool_pre_ping(mut self, pre_ping: bool) -> Self {
        self.said.pool_pre_ping = Some(Flag(pre_ping));
        self
    }

    /// With `pool_pre_ping`: only a connection that rested for longer is asked. Each is.
    #[must_use]
    pub fn pool_ping_after_idle(mut self, rest: Duration) -> Self {
        self.said.pool_ping_after_idle = Some(rest.into());
        self
    }

    /// Whether the connection returned last is lent first. No.
    #[must_use]
    pub fn pool_use_lifo(mut self, use_lifo: bool) -> Self {
        self.said.pool_use_lifo = Some(Flag(use_lifo));
        self
    }

    /// After which rest a connection is closed. Never.
    #[must_use]
    pub fn pool_max_idle_time(mut self, rest: Duration) -> Self {
        self.said.pool_max_idle_time = Some(rest.into());
        self
    }

    /// How many connections are opened ahead of demand. 0.
    #[must_use]
    pub fn pool_min_idle(mut self, connections: u32) -> Self {
        self.said.pool_min_idle = Some(Whole(connections.into()));
        self
    }

    /// How often a connection that rests is pinged. Never.
    #[must_use]
    pub fn pool_keepalive(mut self, interval: Duration) -> Self {
        self.said.pool_keepalive = Some(interval.into());
        self
    }

    /// What is sent when a connection comes back that may have a transaction open. Rollback.
    #[must_use]
    pub fn pool_reset_on_return(mut self, reset: ResetOnReturn) -> Self {
        self.said.pool_reset_on_return = Some(Reset(reset));
        self
    }

    /// Whether it is sent also when it is proved that nothing is open. No.
    #[must_use]
    pub fn pool_reset_always(mut self, always: bool) -> Self {
        self.said.pool_reset_always = Some(Flag(always));
        self
    }

    /// How long callers wait while no connection can be opened; after it they are told at once. 5
    /// seconds.
    #[must_use]
    pub fn pool_outage_grace(mut self, grace: Duration) -> Self {
        self.said.pool_outage_grace = Some(grace.into());
        self
    }

    /// How long a connect may take. 30 seconds.
    #[must_use]
    pub fn pool_connect_timeout(mut self, timeout: Duration) -> Self {
        self.said.pool_connect_timeout = Some(timeout.into());
        self
    }

    /// How long a ping may take. 5 seconds.
    #[must_use]
    pub fn pool_ping_timeout(mut self, timeout: Duration) -> Self {
        self.said.pool_ping_timeout = Some(timeout.into());
        self
    }

    /// How long the reset on return may take. 5 seconds.
    #[must_use]
    pub fn pool_reset_timeout(mut self, timeout: Duration) -> Self {
        self.said.pool_reset_timeout = Some(timeout.into());
        self
    }

    /// How long closing a connection may take. 5 seconds.
    #[must_use]
    pub fn pool_close_timeout(mut self, timeout: Duration) -> Self {
        self.said.pool_close_timeout = Some(timeout.into());
        self
    }

    /// How many callers may wait; whoever comes then is refused at once. Any number.
    #[must_use]
    pub fn pool_max_waiting(mut self, callers: u32) -> Self {
        self.said.pool_max_waiting = Some(Whole(callers.into()));
        self
    }

    /// After which time a connection that is out is reported. Never.
    #[must_use]
    pub fn pool_leak_after(mut self, time: Duration) -> Self {
        self.said.pool_leak_after = Some(time.into());
        self
    }

    /// Whether the pool measures for how long connections are used. No.
    #[must_use]
    pub fn pool_measure_use(mut self, measure: bool) -> Self {
        self.said.pool_measure_use = Some(Flag(measure));
        self
    }
}

/// The engine.
impl EngineOptionsBuilder {
    /// What distinguishes the pool in logs.
    #[must_use]
    pub fn pool_logging_name(mut self, name: impl Into<String>) -> Self {
        self.said.pool_logging_name = Some(Name(name.into()));
        self
    }

    /// Whether, or how much, of the pool is logged: `true`, `false`, [`Echo::Debug`]. No.
    #[must_use]
    pub fn echo_pool(mut self, echo: impl Into<Echo>) -> Self {
        self.said.echo_pool = Some(echo.into());
        self
    }

    /// What distinguishes the engine in logs.
    #[must_use]
    pub fn logging_name(mut self, name: impl Into<String>) -> Self {
        self.said.logging_name = Some(Name(name.into()));
        self
    }

    /// Whether, or how much, of what is sent is logged: `true`, `false`, [`Echo::Debug`]. No.
    #[must_use]
    pub fn echo(mut self, echo: impl Into<Echo>) -> Self {
        self.said.echo = Some(echo.into());
        self
    }

    /// Whether the values of parameters are kept out of logs and errors. No.
    #[must_use]
    pub fn hide_parameters(mut self, hide: bool) -> Self {
        self.said.hide_parameters = Some(Flag(hide));
        self
    }

    /// The isolation level of each connection, such as `"REPEATABLE READ"`. The database's default.
    #[must_use]
    pub fn isolation_level(mut self, level: impl Into<String>) -> Self {
        self.said.isolation_level = Some(Name(level.into()));
        self
    }

    /// Whether no ROLLBACK is sent on a connection in autocommit. No.
    #[must_use]
    pub fn skip_autocommit_rollback(mut self, skip: bool) -> Self {
        self.said.skip_autocommit_rollback = Some(Flag(skip));
        self
    }

    /// Whether "read-only" is the answer of a server that was failed over. No.
    #[must_use]
    pub fn read_only_is_disconnect(mut self, is_disconnect: bool) -> Self {
        self.said.read_only_is_disconnect = Some(Flag(is_disconnect));
        self
    }

    /// How many prepared statements are kept for each connection; 0 is none. As the driver has it.
    #[must_use]
    pub fn query_cache_size(mut self, statements: u32) -> Self {
        self.said.query_cache_size = Some(Whole(statements.into()));
        self
    }

    /// For a SQLite file: one connection that writes, in transactions that begin with `BEGIN IMMEDIATE`,
    /// and so many beside it that read, behind `Engine::read_only`. 0: connections that do either.
    #[must_use]
    pub fn sqlite_readers(mut self, connections: u32) -> Self {
        self.said.sqlite_readers = Some(Whole(connections.into()));
        self
    }

    /// What holds for all connections of the engine: `isolation_level`, `logging_token`, the program's
    /// own. Replaces those set before.
    #[must_use]
    pub fn execution_options<K: Into<String>, V: Into<String>>(
        mut self,
        options: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.said.execution_options = Some(options.into_iter().collect());
        self
    }

    /// What the driver is told beside the URL, and instead of what the URL says. Replaces those set
    /// before.
    #[must_use]
    pub fn connect_args<K: Into<String>, V: Into<String>>(
        mut self,
        args: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.said.connect_args = Some(args.into_iter().collect());
        self
    }

    /// Looks at all of it.
    ///
    /// # Errors
    ///
    /// Names the option, its value, and what would be right.
    pub fn build(self) -> Result<EngineOptions, OptionError> {
        self.said.build()
    }
}
