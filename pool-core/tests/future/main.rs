//! The pool as tasks see it, over an async driver that does what the test says. Nothing here sleeps:
//! a test polls, lets the driver go on, or waits for something that must happen.

mod bench;
mod bounds;
mod cancellation;
mod defects;
mod driver;
mod ends;
mod leases;
mod runtimes;
mod soak;
mod stock;
mod waits;
