use core::time::Duration;

/// What a pool was told to be. The names and defaults are those of SQLAlchemy's `QueuePool` and
/// `create_engine` where it has them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// `pool_size` and `max_overflow`; 5 and 10.
    pub capacity: Capacity,
    /// `pool_use_lifo`: whether the connection returned last is lent first. Off: all are used in
    /// turn. On: those not needed rest, and a server that closes resting ones can shrink the pool.
    pub use_lifo: bool,
    /// `pool_pre_ping`: whether a connection that was idle is asked for a sign of life before it is
    /// lent. Off.
    pub pre_ping: bool,
    /// `pool_recycle`: a connection older than this, counted from its opening, is replaced instead
    /// of lent. `None`: it may grow old.
    pub recycle: Option<Duration>,
    /// `pool_reset_on_return`: what is sent when a connection comes back that may have a
    /// transaction open. Rollback.
    pub reset_on_return: ResetOnReturn,
    /// `pool_outage_grace`: for how long callers wait while nothing can be opened. After it they
    /// are told at once. 5 seconds.
    pub outage_grace: Duration,
    /// What the spacing of connect attempts in an outage is jittered with. Give each process its
    /// own, so that they do not knock together.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capacity: Capacity::Bounded {
                size: 5,
                overflow: 10,
            },
            use_lifo: false,
            pre_ping: false,
            recycle: None,
            reset_on_return: ResetOnReturn::Rollback,
            outage_grace: Duration::from_secs(5),
            seed: 0,
        }
    }
}

/// How many connections a pool keeps, and how many it may have.
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
    /// How many idle connections are kept.
    pub(super) fn kept(self) -> usize {
        match self {
            Self::Bounded { size, .. } | Self::Growing { size } => size as usize,
            Self::Unlimited => usize::MAX,
        }
    }

    /// How many slots there may be at once.
    pub(super) fn most(self) -> usize {
        match self {
            Self::Bounded { size, overflow } => size as usize + overflow as usize,
            Self::Growing { .. } | Self::Unlimited => usize::MAX,
        }
    }
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
