//! The driver's own connection, for what needs its type.

use std::ops::{Deref, DerefMut};

use sqlx::Error;

use super::Connection;
use crate::driver::Driver;

impl<DB: Driver> Connection<DB> {
    /// The driver's own connection, for what needs its type. Taken from the pool if it was lost; then it
    /// waits.
    ///
    /// What is done with it is not seen: a disconnect is noticed at the next statement or at the return,
    /// and a transaction that it leaves open is rolled back at the return.
    ///
    /// # Errors
    ///
    /// That there is none: the pool gave none, or the last was lost in a transaction that is not rolled
    /// back yet.
    pub async fn driver_connection(&mut self) -> Result<&mut DB::Connection, Error> {
        let wire = self.ready().await?;
        Ok(&mut **wire)
    }
}

/// The driver's own connection, as [`driver_connection`](Connection::driver_connection) gives it.
///
/// # Panics
///
/// If there is none, where `driver_connection` takes one or returns an error.
impl<DB: Driver> Deref for Connection<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        let wire = self.inner.peek();
        wire.expect("there is no connection until the next statement takes one")
    }
}

/// The driver's own connection, as [`driver_connection`](Connection::driver_connection) gives it.
///
/// # Panics
///
/// If there is none, where `driver_connection` takes one or returns an error.
impl<DB: Driver> DerefMut for Connection<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.see_depth();
        let wire = self.inner.settled();
        wire.expect("there is no connection until the next statement takes one")
    }
}

/// The driver's own connection, as by [`Deref`].
impl<DB: Driver> AsRef<DB::Connection> for Connection<DB> {
    fn as_ref(&self) -> &DB::Connection {
        self
    }
}

/// The driver's own connection, as by [`DerefMut`].
impl<DB: Driver> AsMut<DB::Connection> for Connection<DB> {
    fn as_mut(&mut self) -> &mut DB::Connection {
        self
    }
}
