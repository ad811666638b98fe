use std::{fmt, time::Duration};

use everpool_core::{Capacity, Fault, Options, ResetOnReturn};

use crate::{
    CustomizeConnection, HandleError, HandleEvent, LoggingErrorHandler, NopConnectionCustomizer,
    NopEventHandler,
};

pub(crate) type FaultOf<C, E> = Box<dyn Fn(&E, &mut C) -> Fault + Send + Sync>;

/// What a builder was told, and a pool goes by.
pub(crate) struct Config<C, E> {
    pub(crate) max_size: u32,
    pub(crate) min_idle: Option<u32>,
    pub(crate) test_on_check_out: bool,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) connection_timeout: Duration,
    pub(crate) error_handler: Box<dyn HandleError<E>>,
    pub(crate) event_handler: Box<dyn HandleEvent>,
    /// Somebody was given to listen to events.
    pub(crate) is_watched: bool,
    pub(crate) connection_customizer: Box<dyn CustomizeConnection<C, E>>,
    pub(crate) fault_of: FaultOf<C, E>,
}

impl<C, E: std::error::Error> Default for Config<C, E> {
    fn default() -> Self {
        Self {
            max_size: 10,
            min_idle: None,
            test_on_check_out: true,
            max_lifetime: Some(Duration::from_secs(30 * 60)),
            idle_timeout: Some(Duration::from_secs(10 * 60)),
            connection_timeout: Duration::from_secs(30),
            error_handler: Box::new(LoggingErrorHandler),
            event_handler: Box::new(NopEventHandler),
            is_watched: false,
            connection_customizer: Box::new(NopConnectionCustomizer),
            fault_of: Box::new(|_, _| Fault::Connection),
        }
    }
}

impl<C, E> Config<C, E> {
    /// The same in the words of everpool.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::default();
        options.capacity = Capacity::Bounded {
            size: self.max_size,
            overflow: 0,
        };
        options.min_idle = self.min_idle.unwrap_or(self.max_size);
        options.use_lifo = true;
        options.pre_ping = self.test_on_check_out;
        options.recycle = self.max_lifetime;
        options.max_idle_time = self.idle_timeout;
        options.renew_at_rest = true;
        // A manager knows of no transaction; what it does not want back it calls broken.
        options.reset_on_return = ResetOnReturn::Nothing;
        // Whoever waits in r2d2 waits to the end of its time.
        options.outage_grace = Duration::MAX;
        options.connect_timeout = options.connect_timeout.max(self.connection_timeout);
        options
    }

    pub(crate) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("max_size", &self.max_size)
            .field("min_idle", &self.min_idle)
            .field("test_on_check_out", &self.test_on_check_out)
            .field("max_lifetime", &self.max_lifetime)
            .field("idle_timeout", &self.idle_timeout)
            .field("connection_timeout", &self.connection_timeout)
            .field("error_handler", &self.error_handler)
            .field("event_handler", &self.event_handler)
            .field("connection_customizer", &self.connection_customizer)
            .finish()
    }
}

impl<C, E> fmt::Debug for Config<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug("Config", f)
    }
}
