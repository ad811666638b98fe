//! everpool: what its two faces are told.

mod blocking;
mod future;

use std::{convert::Infallible, time::Duration};

use everpool_core::{
    ConnectFault, Connector, Fault, Options, ResetOnReturn, Residue, machine::Capacity,
};

pub(crate) use self::blocking::Blocking;
pub(crate) use self::future::Future;
use crate::driver::Driver;

const IN_RANGE: &str = "the options are in their range";

/// Which options a pool of everpool's is opened with.
pub(crate) trait Told: Clone + Send + Sync + 'static {
    fn options(size: u32) -> Options;
}

/// The defaults.
#[derive(Clone, Debug)]
pub(crate) struct Plain;

impl Told for Plain {
    fn options(size: u32) -> Options {
        let mut options = Options::default();
        options.capacity = Capacity::Bounded { size, overflow: 0 };
        options
    }
}

const HOUR: Duration = Duration::from_secs(3600);

/// Whatever makes a checkout look at the clock; nothing gets old enough to be replaced or pinged.
#[derive(Clone, Debug)]
pub(crate) struct Aging;

impl Told for Aging {
    fn options(size: u32) -> Options {
        let mut options = Plain::options(size);
        options.recycle = Some(HOUR);
        options.max_idle_time = Some(HOUR);
        options.pre_ping = true;
        options.ping_after_idle = Some(HOUR);
        options
    }
}

impl Connector for Driver {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(self.open().await)
    }

    async fn ping(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    async fn reset(&self, _: &mut u64, _: ResetOnReturn) -> Result<(), Infallible> {
        Ok(())
    }

    async fn close(&self, _: u64) {}

    fn residue(&self, _: &mut u64) -> Residue {
        Residue::Clean
    }

    fn fault(&self, error: &Infallible, _: &mut u64) -> Fault {
        match *error {}
    }

    fn connect_fault(&self, error: &Infallible) -> ConnectFault {
        match *error {}
    }
}
