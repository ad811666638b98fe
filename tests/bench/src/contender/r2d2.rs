//! r2d2.

use std::convert::Infallible;

use ::r2d2::{ManageConnection, Pool, PooledConnection};

use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, ThreadPool},
};

#[derive(Clone, Debug)]
pub(crate) struct R2d2(Pool<Driver>);

impl ThreadPool for R2d2 {
    type Lease = PooledConnection<Driver>;

    fn open(size: u32, driver: Driver) -> Self {
        Self(
            Pool::builder()
                .max_size(size)
                .build(driver)
                .expect(NOTHING_FAILS),
        )
    }

    fn checkout(&self) -> Self::Lease {
        self.0.get().expect(NOTHING_FAILS)
    }
}

impl ManageConnection for Driver {
    type Connection = u64;
    type Error = Infallible;

    fn connect(&self) -> Result<u64, Infallible> {
        Ok(self.open_at_once())
    }

    fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}
