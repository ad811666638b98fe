//! From what was said to what an engine can be.

use std::time::Duration;

use everpool_core::{Capacity, Options};

use super::{
    EngineOptions, OptionError, class, readers, said::Said, seconds::Seconds, words::Whole,
};

const NUMBER: &str = "must be a number from 0 to 4294967295";

impl Said {
    pub(super) fn build(self) -> Result<EngineOptions, OptionError> {
        class::check(&self)?;
        let sqlite_readers = self.sqlite_readers()?;
        let pool = self.pool(sqlite_readers)?;
        let on = |flag: Option<super::words::Flag>| flag.is_some_and(|flag| flag.0);
        let name = |name: Option<super::words::Name>| name.map(|name| name.0);
        Ok(EngineOptions {
            pool,
            class_is_said: self.poolclass.is_some(),
            pool_timeout: self.pool_timeout()?,
            query_cache_size: self.query_cache_size()?,
            sqlite_readers,
            hide_parameters: on(self.hide_parameters),
            skip_autocommit_rollback: on(self.skip_autocommit_rollback),
            read_only_is_disconnect: on(self.read_only_is_disconnect),
            echo: self.echo.unwrap_or_default(),
            echo_pool: self.echo_pool.unwrap_or_default(),
            logging_name: name(self.logging_name),
            pool_logging_name: name(self.pool_logging_name),
            isolation_level: name(self.isolation_level),
            execution_options: self.execution_options.unwrap_or_default(),
            connect_args: self.connect_args.unwrap_or_default(),
        })
    }

    fn sqlite_readers(&self) -> Result<Option<u32>, OptionError> {
        let readers = self
            .sqlite_readers
            .map(|readers| number("sqlite_readers", readers));
        let readers = readers.transpose()?.filter(|readers| *readers > 0);
        if readers.is_some() {
            readers::check(self)?;
        }
        Ok(readers)
    }

    /// Beside readers, the writer's.
    fn pool(&self, readers: Option<u32>) -> Result<Options, OptionError> {
        let mut pool = Options::default();
        pool.class = self.poolclass.map_or(pool.class, |class| class.0);
        pool.capacity =
            readers.map_or_else(|| self.capacity(), |size| Ok(readers::capacity(size)))?;
        pool.max_total = limit("pool_max_total", self.pool_max_total)?;
        pool.max_waiting = limit("pool_max_waiting", self.pool_max_waiting)?;
        if let Some(idle) = self.pool_min_idle {
            pool.min_idle = number("pool_min_idle", idle)?;
        }
        if let Some(jitter) = self.pool_recycle_jitter {
            pool.recycle_jitter = percentage("pool_recycle_jitter", jitter)?;
        }
        self.set_flags(&mut pool);
        self.set_limits(&mut pool)?;
        self.set_timeouts(&mut pool)?;
        pool.check()?;
        if readers.is_some() {
            pool.capacity = readers::capacity(1);
        }
        Ok(pool)
    }

    fn set_flags(&self, pool: &mut Options) {
        let flags = [
            (&mut pool.pre_ping, self.pool_pre_ping),
            (&mut pool.use_lifo, self.pool_use_lifo),
            (&mut pool.reset_always, self.pool_reset_always),
            (&mut pool.measure_use, self.pool_measure_use),
        ];
        for (flag, said) in flags {
            *flag = said.map_or(*flag, |said| said.0);
        }
        if let Some(reset) = self.pool_reset_on_return {
            pool.reset_on_return = reset.0;
        }
    }

    fn set_limits(&self, pool: &mut Options) -> Result<(), OptionError> {
        let limits = [
            ("pool_recycle", &mut pool.recycle, self.pool_recycle),
            (
                "pool_ping_after_idle",
                &mut pool.ping_after_idle,
                self.pool_ping_after_idle,
            ),
            (
                "pool_max_idle_time",
                &mut pool.max_idle_time,
                self.pool_max_idle_time,
            ),
            ("pool_keepalive", &mut pool.keepalive, self.pool_keepalive),
            (
                "pool_leak_after",
                &mut pool.leak_after,
                self.pool_leak_after,
            ),
        ];
        for (option, limit, said) in limits {
            if let Some(seconds) = said.filter(|seconds| *seconds != Seconds::NEVER) {
                *limit = Some(duration(
                    option,
                    seconds,
                    "must be a number of seconds from 0, or -1 for never",
                )?);
            }
        }
        Ok(())
    }

    fn set_timeouts(&self, pool: &mut Options) -> Result<(), OptionError> {
        let timeouts = [
            (
                "pool_outage_grace",
                &mut pool.outage_grace,
                self.pool_outage_grace,
            ),
            (
                "pool_connect_timeout",
                &mut pool.connect_timeout,
                self.pool_connect_timeout,
            ),
            (
                "pool_ping_timeout",
                &mut pool.ping_timeout,
                self.pool_ping_timeout,
            ),
            (
                "pool_reset_timeout",
                &mut pool.reset_timeout,
                self.pool_reset_timeout,
            ),
            (
                "pool_close_timeout",
                &mut pool.close_timeout,
                self.pool_close_timeout,
            ),
        ];
        for (option, timeout, said) in timeouts {
            if let Some(seconds) = said {
                *timeout = positive(option, seconds)?;
            }
        }
        Ok(())
    }

    fn pool_timeout(&self) -> Result<Duration, OptionError> {
        let seconds = self
            .pool_timeout
            .map(|timeout| positive("pool_timeout", timeout));
        seconds.unwrap_or(Ok(super::POOL_TIMEOUT))
    }

    fn query_cache_size(&self) -> Result<Option<u32>, OptionError> {
        let size = self
            .query_cache_size
            .map(|size| number("query_cache_size", size));
        size.transpose()
    }

    fn capacity(&self) -> Result<Capacity, OptionError> {
        let size = self.pool_size.map_or(5, |size| size.0);
        let overflow = self.max_overflow.map_or(10, |overflow| overflow.0);
        match (u32::try_from(size), u32::try_from(overflow)) {
            (Err(_), _) => Err(OptionError::wrong("pool_size", size, NUMBER)),
            (Ok(0), _) if overflow != -1 => Err(OptionError::wrong(
                "pool_size",
                0,
                "means no limit, which goes with max_overflow = -1 only; set that too, or a size of 1 or more",
            )),
            (Ok(0), _) => Ok(Capacity::Unlimited),
            (Ok(size), _) if overflow == -1 => Ok(Capacity::Growing { size }),
            (Ok(_), Err(_)) => Err(OptionError::wrong(
                "max_overflow",
                overflow,
                "must be a number from 0 to 4294967295, or -1 for no limit",
            )),
            (Ok(size), Ok(overflow)) => Ok(Capacity::Bounded { size, overflow }),
        }
    }
}

fn number(option: &str, Whole(said): Whole) -> Result<u32, OptionError> {
    u32::try_from(said).map_err(|_| OptionError::wrong(option, said, NUMBER))
}

fn percentage(option: &str, Whole(said): Whole) -> Result<u8, OptionError> {
    let percentage = u8::try_from(said).ok().filter(|number| *number <= 100);
    percentage.ok_or_else(|| OptionError::wrong(option, said, "must be 0 to 100 per cent"))
}

/// -1 is none.
fn limit(option: &str, said: Option<Whole>) -> Result<Option<u32>, OptionError> {
    const REMEDY: &str = "must be a number from 1 to 4294967295, or -1 for no limit";
    let Some(Whole(said)) = said.filter(|Whole(said)| *said != -1) else {
        return Ok(None);
    };
    let limit = u32::try_from(said).ok().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| OptionError::wrong(option, said, REMEDY));
    limit.map(Some)
}

fn positive(option: &str, seconds: Seconds) -> Result<Duration, OptionError> {
    duration(option, seconds, "must be a number of seconds from 0")
}

fn duration(option: &str, seconds: Seconds, remedy: &str) -> Result<Duration, OptionError> {
    let duration = seconds.duration();
    duration.ok_or_else(|| OptionError::wrong(option, seconds, remedy))
}
