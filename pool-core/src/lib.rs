#![cfg_attr(feature = "std", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "std"),
    doc = "The connection pool of everpool as a value; see [`machine::Machine`]."
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
mod events;
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
mod mark;
#[cfg(feature = "std")]
mod nests;
#[cfg(feature = "std")]
mod now;
#[cfg(feature = "std")]
mod panics;
#[cfg(feature = "std")]
mod park;
#[cfg(feature = "std")]
mod reserved;
#[cfg(feature = "std")]
mod runtime;
#[cfg(feature = "std")]
mod shared;
#[cfg(feature = "std")]
mod start;
#[cfg(feature = "std")]
mod stock;
#[cfg(feature = "std")]
mod sync;
#[cfg(all(feature = "std", feature = "tokio"))]
mod tokio;
#[cfg(feature = "std")]
mod way;
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
    events::Events,
    handle::{Closed, Handle},
    hook::{BoxError, BoxFuture, HookError, Record, ResetState},
    info::Info,
    listeners::Wait,
    reserved::Reserved,
    runtime::{Runtime, Work},
};

#[cfg(all(feature = "std", feature = "tokio"))]
pub use tokio::Tokio;
