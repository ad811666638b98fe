//! The connection pool of everpool.
//!
//! A pool decides: who is next, which connection is fit, when to open another. None of that needs a
//! thread, a clock or a driver, so it is a value: [`machine::Machine`], which builds without the
//! standard library and can be tried on every short story. What waits is beside it, behind the
//! default feature `std`: [`blocking::Pool`] for threads and [`future::Pool`] for tasks, which may be
//! the same pool.
//!
//! Most programs use an adapter crate (`everpool-diesel`) instead of this one.
#![cfg_attr(
    feature = "std",
    doc = r#"
```
use everpool_core::{Connector, ConnectFault, Fault, Residue, ResetOnReturn, blocking::Pool};
use everpool_core::machine::Options;

/// A driver whose connections are numbers.
struct Counter(std::sync::atomic::AtomicU32);

impl Connector for Counter {
    type Connection = u32;
    type Error = std::io::Error;

    async fn connect(&self) -> std::io::Result<u32> {
        Ok(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
    async fn ping(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
    async fn reset(&self, _: &mut u32, _: ResetOnReturn) -> std::io::Result<()> { Ok(()) }
    async fn close(&self, _: u32) {}
    fn residue(&self, _: &mut u32) -> Residue { Residue::Clean }
    fn fault(&self, _: &std::io::Error, _: &mut u32) -> Fault { Fault::Server }
    fn connect_fault(&self, _: &std::io::Error) -> ConnectFault { ConnectFault::Permanent }
}

let pool = Pool::new(Counter(0.into()), Options::default())?;
let first = *pool.checkout()?;
let again = *pool.checkout()?;
assert_eq!(first, again, "the connection came back and was lent again");
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod machine;

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "std")]
mod checkout;
#[cfg(feature = "std")]
mod clock;
#[cfg(feature = "std")]
mod connector;
#[cfg(feature = "std")]
mod crew;
#[cfg(feature = "std")]
mod detached;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod family;
#[cfg(feature = "std")]
mod first;
#[cfg(feature = "std")]
mod fork;
#[cfg(feature = "std")]
pub mod future;
#[cfg(feature = "std")]
mod handle;
#[cfg(feature = "std")]
mod held;
#[cfg(feature = "std")]
mod home;
#[cfg(feature = "std")]
mod hook;
#[cfg(feature = "std")]
mod info;
#[cfg(feature = "std")]
mod job;
#[cfg(feature = "std")]
mod lease;
#[cfg(feature = "std")]
mod listeners;
#[cfg(feature = "std")]
mod now;
#[cfg(feature = "std")]
mod panics;
#[cfg(feature = "std")]
mod park;
#[cfg(feature = "std")]
mod runtime;
#[cfg(feature = "std")]
mod shared;
#[cfg(feature = "std")]
mod sync;
#[cfg(all(feature = "std", feature = "tokio"))]
mod tokio;
#[cfg(feature = "std")]
mod work;

pub use machine::{
    Capacity, Cause, ConnectFault, Fault, Generation, Histogram, Holder, Options, OptionsError,
    Phase, PoolClass, ResetOnReturn, Residue, SlotId, Snapshot, Status,
};

#[cfg(feature = "std")]
pub use {
    connector::Connector,
    crew::Threads,
    detached::Detached,
    error::{CheckoutError, ConnectError, ConnectFailure, HeldBy, TimedOut},
    handle::{Closed, Handle},
    hook::{BoxError, BoxFuture, HookError, Record, ResetState},
    info::Info,
    listeners::{Events, Wait},
    runtime::{Runtime, Work},
};

#[cfg(all(feature = "std", feature = "tokio"))]
pub use tokio::Tokio;
