//! deadpool's managed pool.

use std::convert::Infallible;

use ::deadpool::managed::{Manager, Metrics, Object, Pool, RecycleResult};

use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, TaskPool},
};

#[derive(Clone, Debug)]
pub(crate) struct Deadpool(Pool<Driver>);

impl TaskPool for Deadpool {
    type Lease = Object<Driver>;

    async fn open(size: u32, driver: Driver) -> Self {
        Self(
            Pool::builder(driver)
                .max_size(size as usize)
                .build()
                .expect(NOTHING_FAILS),
        )
    }

    async fn checkout(&self) -> Self::Lease {
        self.0.get().await.expect(NOTHING_FAILS)
    }
}

impl Manager for Driver {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(self.open().await)
    }

    async fn recycle(&self, _: &mut u64, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}
