use alloc::{format, string::String};
use core::{fmt, str::FromStr, time::Duration};

/// What a pool was told to be. The names and defaults are those of SQLAlchemy's pools and
/// `create_engine` where it has them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// `poolclass`; [`PoolClass::QueuePool`].
    pub class: PoolClass,
    /// `pool_size` and `max_overflow` of a `QueuePool`; 5 and 10.
    pub capacity: Capacity,
    /// How many connections a `NullPool` may have open at once. `None`: any number.
    pub max_total: Option<u32>,
    /// `pool_use_lifo`: whether the connection returned last is lent first. Off: all are used in
    /// turn. On: those not needed rest, and a server that closes resting ones can shrink the pool.
    pub use_lifo: bool,
    /// `pool_pre_ping`: whether a connection that was idle is asked for a sign of life before it is
    /// lent. Off.
    pub pre_ping: bool,
    /// `pool_ping_after_idle`: with `pre_ping`, only a connection that rested for longer than this
    /// is pinged. `None`: each is.
    ///
    /// How long it rested is counted from the last moment the pool knew of when it came back, which
    /// is not before it was lent; so it may be pinged although it came back later than this ago.
    pub ping_after_idle: Option<Duration>,
    /// `pool_recycle`: a connection older than this, counted from its opening, is replaced instead
    /// of lent. `None`: it may grow old.
    pub recycle: Option<Duration>,
    /// By how many per cent of `recycle` at most a connection is replaced earlier, so that those
    /// opened together are not replaced together. 0 to 100; 10.
    pub recycle_jitter: u8,
    /// `pool_max_idle_time`: a connection that rests for longer is closed, unless `min_idle` keeps
    /// it. `None`: it may rest.
    pub max_idle_time: Option<Duration>,
    /// `pool_min_idle`: how many connections the pool tries to have at rest, opening them ahead of
    /// demand. At most the pool's size; 0.
    pub min_idle: u32,
    /// `pool_keepalive`: a connection that rests is pinged this often. `None`: it is left alone.
    pub keepalive: Option<Duration>,
    /// `pool_reset_on_return`: what is sent when a connection comes back that may have a
    /// transaction open. Rollback.
    pub reset_on_return: ResetOnReturn,
    /// `pool_reset_always`: send it also when it is proved that nothing is open, as SQLAlchemy
    /// does. Off.
    pub reset_always: bool,
    /// `pool_outage_grace`: for how long callers wait while nothing can be opened. After it they
    /// are told at once. 5 seconds.
    pub outage_grace: Duration,
    /// For how long a connect may take. After it the pool counts it as failed, and its place is free
    /// for another. 30 seconds.
    pub connect_timeout: Duration,
    /// For how long a ping may take. After it the server counts as gone. 5 seconds.
    pub ping_timeout: Duration,
    /// For how long the reset on return may take. After it the connection counts as lost. 5 seconds.
    pub reset_timeout: Duration,
    /// For how long closing a connection may take. After it its place is free all the same. 5
    /// seconds.
    pub close_timeout: Duration,
    /// How many callers may wait for connections that others have. Whoever comes then is refused at
    /// once. `None`: any number.
    pub max_waiting: Option<u32>,
    /// A connection that is out for longer is reported, with the place of its checkout. `None`: no
    /// report.
    pub leak_after: Option<Duration>,
    /// Whether the pool measures for how long connections are used. Off: it costs two looks at the
    /// clock a checkout.
    pub measure_use: bool,
    /// What the spacing of connect attempts in an outage is jittered with, and ages are. With 0 each
    /// pool takes one of its own, so that processes do not knock together.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        const FIVE_SECONDS: Duration = Duration::from_secs(5);
        Self {
            class: PoolClass::QueuePool,
            capacity: Capacity::Bounded {
                size: 5,
                overflow: 10,
            },
            max_total: None,
            use_lifo: false,
            pre_ping: false,
            ping_after_idle: None,
            recycle: None,
            recycle_jitter: 10,
            max_idle_time: None,
            min_idle: 0,
            keepalive: None,
            reset_on_return: ResetOnReturn::Rollback,
            reset_always: false,
            outage_grace: FIVE_SECONDS,
            connect_timeout: Duration::from_secs(30),
            ping_timeout: FIVE_SECONDS,
            reset_timeout: FIVE_SECONDS,
            close_timeout: FIVE_SECONDS,
            max_waiting: None,
            leak_after: None,
            measure_use: false,
            seed: 0,
        }
    }
}

impl Options {
    /// How many connections are kept, and how many there may be.
    pub(super) fn limits(&self) -> Limits {
        match self.class {
            PoolClass::QueuePool => self.capacity.limits(),
            PoolClass::NullPool => Limits {
                kept: 0,
                most: self.max_total.map_or(usize::MAX, |most| most as usize),
            },
            PoolClass::StaticPool | PoolClass::AssertionPool | PoolClass::SingletonThreadPool => {
                Limits { kept: 1, most: 1 }
            }
        }
    }

    /// When a connection at rest needs attention.
    pub(super) fn rest_limit(&self) -> Option<Duration> {
        self.max_idle_time.into_iter().chain(self.keepalive).min()
    }

    /// From which rest on a connection is pinged.
    pub(super) fn ping_after(&self) -> Option<Duration> {
        let longer = |rest: Duration| rest.saturating_add(Duration::from_nanos(1));
        let least = self.ping_after_idle.map_or(Duration::ZERO, longer);
        self.pre_ping.then_some(least)
    }

    /// Whether ages, rests or uses are limited or measured.
    pub(super) fn need_time(&self) -> bool {
        let pings_by_age = self.pre_ping && self.ping_after_idle.is_some();
        let limits = [
            self.recycle,
            self.max_idle_time,
            self.keepalive,
            self.leak_after,
        ];
        pings_by_age || self.measure_use || limits.iter().any(Option::is_some)
    }

    /// Nothing, if a pool can be like this.
    ///
    /// # Errors
    ///
    /// The first option that is out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        let Limits { kept, most } = self.limits();
        let min_idle = self.min_idle as usize;
        let jitter = self.recycle_jitter;
        let fails = |option, is_bad: bool, value: String, remedy| {
            is_bad.then_some(OptionsError {
                option,
                value,
                remedy,
            })
        };
        let capacity = fails(
            "pool_size",
            most == 0 && self.class == PoolClass::QueuePool,
            String::from("0 with max_overflow = 0"),
            "a pool without any connection lends none; at least one of them must be positive",
        );
        let max_total = fails(
            "max_total",
            most == 0 && self.class == PoolClass::NullPool,
            String::from("0"),
            "must be positive, or absent for no limit",
        );
        let min_idle = fails(
            "pool_min_idle",
            min_idle > kept,
            format!("{min_idle}"),
            "must be 0 to the number of connections that the pool keeps, its pool_size",
        );
        let jitter = fails(
            "pool_recycle_jitter",
            jitter > 100,
            format!("{jitter}"),
            "must be 0 to 100 per cent",
        );
        let fault = capacity.or(max_total).or(min_idle).or(jitter);
        fault.or_else(|| self.zero()).map_or(Ok(()), Err)
    }

    /// A duration that must not be zero, and is.
    fn zero(&self) -> Option<OptionsError> {
        let durations = [
            ("pool_connect_timeout", Some(self.connect_timeout)),
            ("pool_ping_timeout", Some(self.ping_timeout)),
            ("pool_reset_timeout", Some(self.reset_timeout)),
            ("pool_close_timeout", Some(self.close_timeout)),
            ("pool_keepalive", self.keepalive),
            ("pool_max_idle_time", self.max_idle_time),
            ("pool_leak_after", self.leak_after),
        ];
        let mut zeros = durations
            .into_iter()
            .filter(|(_, duration)| *duration == Some(Duration::ZERO));
        zeros.next().map(|(option, _)| OptionsError {
            option,
            value: String::from("0"),
            remedy: "must be longer than zero",
        })
    }
}

/// An option that no pool can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionsError {
    option: &'static str,
    value: String,
    remedy: &'static str,
}

impl OptionsError {
    #[cfg(feature = "std")]
    pub(crate) fn not_for_tasks(class: PoolClass) -> Self {
        Self {
            option: "poolclass",
            value: format!("{class}"),
            remedy: "cannot be used with tasks, which move between threads; QueuePool, NullPool, \
                     StaticPool and AssertionPool can",
        }
    }

    /// The option's name in configuration.
    pub fn option(&self) -> &'static str {
        self.option
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            option,
            value,
            remedy,
        } = self;
        write!(f, "{option} = {value}: {remedy}")
    }
}

impl core::error::Error for OptionsError {}

/// SQLAlchemy's `poolclass`: what becomes of a connection between two users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolClass {
    /// Up to `pool_size` connections rest for the next user, and users wait in line.
    #[default]
    QueuePool,
    /// None rests: each checkout opens one, and its return closes it.
    NullPool,
    /// There is one connection for all, who use it one after another.
    StaticPool,
    /// Each thread has its own connection. For [`crate::blocking`] only: [`crate::machine::Machine`]
    /// is then the pool of one thread.
    SingletonThreadPool,
    /// There is one connection, and a second checkout at the same time is an error that names the
    /// place of the first.
    AssertionPool,
}

impl PoolClass {
    /// Whether a second checkout at the same time is an error.
    pub(super) fn lends_once(self) -> bool {
        matches!(self, Self::AssertionPool | Self::SingletonThreadPool)
    }

    const NAMES: [(&'static str, Self); 6] = [
        ("QueuePool", Self::QueuePool),
        ("AsyncAdaptedQueuePool", Self::QueuePool),
        ("NullPool", Self::NullPool),
        ("StaticPool", Self::StaticPool),
        ("SingletonThreadPool", Self::SingletonThreadPool),
        ("AssertionPool", Self::AssertionPool),
    ];
}

/// SQLAlchemy's name of the class.
impl fmt::Display for PoolClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Self::NAMES.iter();
        let name = names.find_map(|(name, class)| (class == self).then_some(*name));
        f.write_str(name.expect("each class has a name"))
    }
}

/// By SQLAlchemy's name, with or without its module; `AsyncAdaptedQueuePool` is a `QueuePool`.
impl FromStr for PoolClass {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, OptionsError> {
        let name = text.rsplit('.').next().unwrap_or(text);
        let mut classes = Self::NAMES.iter();
        let class = classes.find_map(|(known, class)| (*known == name).then_some(*class));
        class.ok_or_else(|| OptionsError {
            option: "poolclass",
            value: format!("{text:?}"),
            remedy: "must be QueuePool, AsyncAdaptedQueuePool, NullPool, StaticPool, \
                     SingletonThreadPool or AssertionPool",
        })
    }
}

/// How many connections a `QueuePool` keeps, and how many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// `size` are kept open when idle; up to `overflow` more are opened under load and closed when
    /// they come back to a pool that has enough.
    Bounded {
        /// `pool_size`
        size: u32,
        /// `max_overflow`
        overflow: u32,
    },
    /// `size` are kept open when idle, and there is no limit under load (`max_overflow = -1`).
    Growing {
        /// `pool_size`
        size: u32,
    },
    /// No limit, and all are kept (`pool_size = 0`, `max_overflow = -1`).
    Unlimited,
}

impl Capacity {
    fn limits(self) -> Limits {
        let (kept, most) = match self {
            Self::Bounded { size, overflow } => (size as usize, size as usize + overflow as usize),
            Self::Growing { size } => (size as usize, usize::MAX),
            Self::Unlimited => (usize::MAX, usize::MAX),
        };
        Limits { kept, most }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// How many connections may rest.
    pub(super) kept: usize,
    /// How many slots may be occupied.
    pub(super) most: usize,
}

/// What is sent when a connection comes back that may have a transaction open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetOnReturn {
    /// ROLLBACK: what was not committed never happened.
    #[default]
    Rollback,
    /// COMMIT.
    Commit,
    /// Nothing: the next user gets the connection as it was left.
    Nothing,
}
