//! What is written of those who waited for a connection.

use std::time::Duration;

use everpool_core::{Wait, future::Pool};
use log::LevelFilter;

use crate::{connector::Connector, driver::Driver};

/// At which levels it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    /// Each wait.
    pub(super) time: LevelFilter,
    /// Each wait that was longer than the threshold.
    pub(super) slow: LevelFilter,
    pub(super) threshold: Duration,
}

/// `tracing` knows its levels when it is compiled.
macro_rules! write_at {
    ($level:expr, $($what:tt)*) => {
        match $level {
            LevelFilter::Off => {}
            LevelFilter::Error => tracing::error!(target: "sqlx::pool::acquire", $($what)*),
            LevelFilter::Warn => tracing::warn!(target: "sqlx::pool::acquire", $($what)*),
            LevelFilter::Info => tracing::info!(target: "sqlx::pool::acquire", $($what)*),
            LevelFilter::Debug => tracing::debug!(target: "sqlx::pool::acquire", $($what)*),
            LevelFilter::Trace => tracing::trace!(target: "sqlx::pool::acquire", $($what)*),
        }
    };
}

impl Levels {
    /// Whoever got a connection at once is not written of: no clock is read for it.
    pub(super) fn install<DB: Driver>(self, pool: &Pool<Connector<DB>>) {
        if self.time == LevelFilter::Off && self.slow == LevelFilter::Off {
            return;
        }
        pool.events().wait(move |wait| {
            if let Wait::Ended { waited, .. } = wait {
                self.write(waited);
            }
        });
    }

    fn write(self, waited: Duration) {
        let waited_secs = waited.as_secs_f64();
        if self.slow != LevelFilter::Off && waited > self.threshold {
            let slow_acquire_threshold_secs = self.threshold.as_secs_f64();
            write_at!(
                self.slow,
                aquired_after_secs = waited_secs,
                slow_acquire_threshold_secs,
                "waited for a connection for longer than the slow threshold"
            );
        } else {
            write_at!(
                self.time,
                aquired_after_secs = waited_secs,
                "waited for a connection"
            );
        }
    }
}
