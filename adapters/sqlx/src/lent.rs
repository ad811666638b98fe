use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use crate::{connection::Connection, driver::Driver};

/// A [`Connection`] that was taken from a pool, to which it returns when this is dropped. A transaction
/// that is still open is rolled back first, in the background: the drop neither waits nor needs a
/// runtime.
pub struct PoolConnection<DB: Driver>(Connection<DB>);

impl<DB: Driver> PoolConnection<DB> {
    pub(crate) fn new(connection: Connection<DB>) -> Self {
        Self(connection)
    }
}

impl<DB: Driver> Deref for PoolConnection<DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        &self.0
    }
}

impl<DB: Driver> DerefMut for PoolConnection<DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        &mut self.0
    }
}

impl<DB: Driver> fmt::Debug for PoolConnection<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
