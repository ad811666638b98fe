//! mobc.

use std::convert::Infallible;

use ::mobc::{Connection, Manager, Pool, async_trait};

use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, TaskPool},
};

#[derive(Clone)]
pub(crate) struct Mobc(Pool<Driver>);

impl TaskPool for Mobc {
    type Lease = Connection<Driver>;

    /// Its size is two numbers. By default it keeps two of its connections and closes the others
    /// when they come back; no other contender does, so both are set.
    async fn open(size: u32, driver: Driver) -> Self {
        let size = u64::from(size);
        Self(Pool::builder().max_open(size).max_idle(size).build(driver))
    }

    async fn checkout(&self) -> Self::Lease {
        self.0.get().await.expect(NOTHING_FAILS)
    }
}

#[async_trait]
impl Manager for Driver {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(self.open().await)
    }

    async fn check(&self, connection: u64) -> Result<u64, Infallible> {
        Ok(connection)
    }
}
