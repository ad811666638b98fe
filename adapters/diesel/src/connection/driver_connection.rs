//! The driver's own connection, for what needs its type.

use std::ops::{Deref, DerefMut};

use diesel::QueryResult;

use super::Connection;
use crate::{connector, driver::Driver, error::not_sent, seen::Seen, tap::Tap};

impl<C: Driver> Connection<C> {
    /// The driver's own connection, for what needs its type: `COPY … TO`, functions of SQLite's, a
    /// function that takes `&mut PgConnection`. Taken from the pool if it was lost; then it blocks.
    ///
    /// A disconnect in what is done with it is noticed at the next use of this `Connection` or at its
    /// return, and a transaction that it leaves open is rolled back at the return.
    ///
    /// # Errors
    ///
    /// That there is none: the pool gave none, or the last was lost in a transaction that is not rolled
    /// back yet.
    pub fn driver_connection(&mut self) -> QueryResult<&mut C> {
        let depth = self.prepare()?;
        let (connection, operation) = self.inner.operate(depth).map_err(not_sent)?;
        operation.finished(None);
        // What was seen so far has been classified.
        Tap::seen(connection).map(Seen::take_fault);
        self.is_lent_out = true;
        let connection = self.inner.current();
        Ok(connection.expect("one was there two lines ago"))
    }

    /// Takes note of what the program did with the driver's connection.
    #[cold]
    pub(super) fn look_back(&mut self) {
        self.is_lent_out = false;
        let Some(connection) = self.inner.current() else {
            return;
        };
        let fault = self
            .engine
            .hooks()
            .spared(connector::fault_seen(connection));
        if fault.is_disconnect()
            && let Ok((_, operation)) = self.inner.operate(0)
        {
            operation.finished(Some(fault));
        }
    }
}

/// The driver's own connection, as [`driver_connection`](Connection::driver_connection) gives it.
///
/// # Panics
///
/// If there is none, where `driver_connection` returns an error.
impl<C: Driver> Deref for Connection<C> {
    type Target = C;

    fn deref(&self) -> &C {
        let connection = self.inner.peek();
        connection.expect("there is no connection until the next statement takes one")
    }
}

/// The driver's own connection, as [`driver_connection`](Connection::driver_connection) gives it.
///
/// # Panics
///
/// If there is none, where `driver_connection` returns an error.
impl<C: Driver> DerefMut for Connection<C> {
    fn deref_mut(&mut self) -> &mut C {
        match self.driver_connection() {
            Ok(connection) => connection,
            Err(error) => panic!("there is no connection: {error}"),
        }
    }
}
