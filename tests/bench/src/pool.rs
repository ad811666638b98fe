//! What a pool must offer to be measured. Both traits are used by static dispatch only, so that no
//! box and no virtual call is measured with the pool.

use std::future::Future;

use crate::driver::Driver;

/// A pool for threads. A clone is another handle to the same pool.
pub(crate) trait ThreadPool: Clone + Send + Sync + 'static {
    type Lease: Send;

    /// With its default options, but for its size.
    fn open(size: u32, driver: Driver) -> Self;

    /// Blocks until there is a connection; it is returned when the lease is dropped.
    fn checkout(&self) -> Self::Lease;
}

/// A pool for tasks. A clone is another handle to the same pool.
pub(crate) trait TaskPool: Clone + Send + Sync + 'static {
    type Lease: Send;

    /// With its default options, but for its size. Called inside a runtime.
    fn open(size: u32, driver: Driver) -> impl Future<Output = Self> + Send;

    /// Waits until there is a connection; it is returned when the lease is dropped.
    fn checkout(&self) -> impl Future<Output = Self::Lease> + Send;
}

/// Why a checkout may be expected to succeed: no connect fails, and no round is as long as any
/// pool's timeout.
pub(crate) const NOTHING_FAILS: &str = "no connect fails and no wait is as long as a timeout";
