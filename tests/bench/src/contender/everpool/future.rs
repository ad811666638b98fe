//! everpool's pool for tasks.

use std::marker::PhantomData;

use everpool_core::{
    Tokio,
    future::{Lease, Pool},
};

use super::{IN_RANGE, Told};
use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, TaskPool},
};

#[derive(Clone, Debug)]
pub(crate) struct Future<T>(Pool<Driver>, PhantomData<T>);

impl<T: Told> TaskPool for Future<T> {
    type Lease = Lease<Driver, Tokio>;

    async fn open(size: u32, driver: Driver) -> Self {
        let pool = Pool::new(driver, T::options(size));
        Self(pool.expect(IN_RANGE), PhantomData)
    }

    async fn checkout(&self) -> Lease<Driver, Tokio> {
        self.0.checkout().await.expect(NOTHING_FAILS)
    }
}
