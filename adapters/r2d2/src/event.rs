//! What happens in a pool, told to a [`HandleEvent`].

use std::{fmt, time::Duration};

/// Is told what happens in a pool. Each method does nothing unless it is implemented. They are called
/// without any lock of the pool, in the thread in which it happens.
pub trait HandleEvent: fmt::Debug + Send + Sync {
    /// A connection was opened; nobody had it yet.
    fn handle_acquire(&self, event: AcquireEvent) {
        let _nobody_listens = event;
    }

    /// A connection has left the pool and is about to be closed.
    fn handle_release(&self, event: ReleaseEvent) {
        let _nobody_listens = event;
    }

    /// A connection was taken by `get` or `get_timeout`.
    fn handle_checkout(&self, event: CheckoutEvent) {
        let _nobody_listens = event;
    }

    /// A caller's time was up.
    fn handle_timeout(&self, event: TimeoutEvent) {
        let _nobody_listens = event;
    }

    /// A connection came back, broken or not.
    fn handle_checkin(&self, event: CheckinEvent) {
        let _nobody_listens = event;
    }
}

/// Listens to nothing. With this, the pool's default, no clock is read for an event.
#[derive(Clone, Copy, Debug)]
pub struct NopEventHandler;

impl HandleEvent for NopEventHandler {}

/// A connection was opened.
#[derive(Debug)]
pub struct AcquireEvent {
    pub(crate) id: u64,
}

impl AcquireEvent {
    /// Which connection. No other has had this number, in any pool of this process.
    pub fn connection_id(&self) -> u64 {
        self.id
    }
}

/// A connection has left the pool.
#[derive(Debug)]
pub struct ReleaseEvent {
    pub(crate) id: u64,
    pub(crate) age: Duration,
}

impl ReleaseEvent {
    /// Which connection.
    pub fn connection_id(&self) -> u64 {
        self.id
    }

    /// How long ago it was opened.
    pub fn age(&self) -> Duration {
        self.age
    }
}

/// A connection was taken.
#[derive(Debug)]
pub struct CheckoutEvent {
    pub(crate) id: u64,
    pub(crate) duration: Duration,
}

impl CheckoutEvent {
    /// Which connection.
    pub fn connection_id(&self) -> u64 {
        self.id
    }

    /// How long that took.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

/// A caller's time was up.
#[derive(Debug)]
pub struct TimeoutEvent {
    pub(crate) timeout: Duration,
}

impl TimeoutEvent {
    /// How long it was to wait.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// A connection came back.
#[derive(Debug)]
pub struct CheckinEvent {
    pub(crate) id: u64,
    pub(crate) duration: Duration,
}

impl CheckinEvent {
    /// Which connection.
    pub fn connection_id(&self) -> u64 {
        self.id
    }

    /// For how long it was out.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}
