use alloc::format;
use core::{fmt, str::FromStr};

use super::check::OptionsError;

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
    pub(super) fn limits(self) -> Limits {
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
