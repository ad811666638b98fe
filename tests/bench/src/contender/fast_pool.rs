//! fast_pool.

use ::fast_pool::{ConnectionGuard, Manager, Pool};

use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, TaskPool},
};

#[derive(Clone, Debug)]
pub(crate) struct FastPool(Pool<Driver>);

impl TaskPool for FastPool {
    type Lease = ConnectionGuard<Driver>;

    /// Its size is two numbers: as for mobc.
    async fn open(size: u32, driver: Driver) -> Self {
        let pool = Pool::new(driver);
        pool.set_max_open(u64::from(size));
        pool.set_max_idle_conns(u64::from(size));
        Self(pool)
    }

    async fn checkout(&self) -> Self::Lease {
        self.0.get().await.expect(NOTHING_FAILS)
    }
}

impl Manager for Driver {
    type Connection = u64;
    type Error = String;

    async fn connect(&self) -> Result<u64, String> {
        Ok(self.open().await)
    }

    async fn check(&self, _: &mut u64) -> Result<(), String> {
        Ok(())
    }
}
