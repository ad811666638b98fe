use alloc::{format, string::String};
use core::{fmt, time::Duration};

use super::{
    class::{Limits, PoolClass},
    options::Options,
};

impl Options {
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
    pub(super) option: &'static str,
    pub(super) value: String,
    pub(super) remedy: &'static str,
}

impl OptionsError {
    pub(super) fn no_size(class: PoolClass) -> Self {
        Self {
            option: "pool_size",
            value: format!("another one, of a {class}"),
            remedy: "only a QueuePool has a size that can change",
        }
    }

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
