//! everpool's pool for threads.

use std::marker::PhantomData;

use everpool_core::blocking::{Lease, Pool};

use super::{IN_RANGE, Told};
use crate::{
    driver::Driver,
    pool::{NOTHING_FAILS, ThreadPool},
};

#[derive(Clone, Debug)]
pub(crate) struct Blocking<T>(Pool<Driver>, PhantomData<T>);

impl<T: Told> ThreadPool for Blocking<T> {
    type Lease = Lease<Driver>;

    fn open(size: u32, driver: Driver) -> Self {
        let pool = Pool::new(driver, T::options(size));
        Self(pool.expect(IN_RANGE), PhantomData)
    }

    fn checkout(&self) -> Lease<Driver> {
        self.0.checkout().expect(NOTHING_FAILS)
    }
}
