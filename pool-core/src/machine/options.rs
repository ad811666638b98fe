use core::time::Duration;

use super::class::{Capacity, Limits, PoolClass, ResetOnReturn};

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
    /// Whether a connection whose time is over (`recycle`, `max_idle_time`) is closed where it rests,
    /// and another one opened if `min_idle` wants it. Off: one too old is replaced when it would be
    /// lent, and `min_idle` of them may rest for ever. On, it costs a look at the clock a return.
    pub renew_at_rest: bool,
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
    /// For how long a thread or task waits for a connection that has one of this pool itself; with 0 not at
    /// all. For a pool of one connection, of which it waits for itself. `None`: as long as anybody.
    pub own_patience: Option<Duration>,
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
            renew_at_rest: false,
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
            own_patience: None,
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
        let limits = [
            self.recycle,
            self.max_idle_time,
            self.keepalive,
            self.leak_after,
        ];
        self.pre_ping || self.measure_use || limits.iter().any(Option::is_some)
    }
}
