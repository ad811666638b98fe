//! Which options the pools of a class have.

use everpool_core::PoolClass;

use super::{OptionError, said::Said};

/// Refuses what would have no effect, as SQLAlchemy does.
pub(super) fn check(said: &Said) -> Result<(), OptionError> {
    let class = said
        .poolclass
        .map_or_else(PoolClass::default, |class| class.0);
    let misfit = asked(said)
        .into_iter()
        .find(|(_, is_said, classes)| *is_said && !classes.have(class));
    misfit.map_or(Ok(()), |(option, _, classes)| {
        let classes = classes.names();
        Err(OptionError::Misfit {
            option,
            class,
            classes,
        })
    })
}

/// The options that not all have, and whether they were asked for.
fn asked(said: &Said) -> [(&'static str, bool, Classes); 9] {
    use Classes::{Keeping, Null, Queue, Sized};
    [
        ("pool_size", said.pool_size.is_some(), Sized),
        ("max_overflow", said.max_overflow.is_some(), Queue),
        ("pool_use_lifo", said.pool_use_lifo.is_some(), Queue),
        ("pool_max_total", said.pool_max_total.is_some(), Null),
        ("pool_min_idle", said.pool_min_idle.is_some(), Keeping),
        (
            "pool_max_idle_time",
            said.pool_max_idle_time.is_some(),
            Keeping,
        ),
        ("pool_keepalive", said.pool_keepalive.is_some(), Keeping),
        (
            "pool_ping_after_idle",
            said.pool_ping_after_idle.is_some(),
            Keeping,
        ),
        (
            "pool_recycle_jitter",
            said.pool_recycle_jitter.is_some(),
            Keeping,
        ),
    ]
}

#[derive(Clone, Copy)]
enum Classes {
    Queue,
    Null,
    /// Those with a number of connections.
    Sized,
    /// Those in which connections rest.
    Keeping,
}

impl Classes {
    fn have(self, class: PoolClass) -> bool {
        match self {
            Self::Queue => class == PoolClass::QueuePool,
            Self::Null => class == PoolClass::NullPool,
            Self::Sized => {
                matches!(class, PoolClass::QueuePool | PoolClass::SingletonThreadPool)
            }
            Self::Keeping => class != PoolClass::NullPool,
        }
    }

    fn names(self) -> &'static str {
        match self {
            Self::Queue => "a QueuePool",
            Self::Null => "a NullPool",
            Self::Sized => "a QueuePool or SingletonThreadPool",
            Self::Keeping => "a pool that keeps connections",
        }
    }
}
