//! bb8.

use std::convert::Infallible;

use ::bb8::{ManageConnection, Pool, PooledConnection};

use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, TaskPool},
};

#[derive(Clone, Debug)]
pub(crate) struct Bb8(Pool<Driver>);

impl TaskPool for Bb8 {
    type Lease = PooledConnection<'static, Driver>;

    async fn open(size: u32, driver: Driver) -> Self {
        let pool = Pool::builder().max_size(size).build(driver).await;
        Self(pool.expect(NOTHING_FAILS))
    }

    async fn checkout(&self) -> Self::Lease {
        self.0.get_owned().await.expect(NOTHING_FAILS)
    }
}

impl ManageConnection for Driver {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(self.open().await)
    }

    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}
