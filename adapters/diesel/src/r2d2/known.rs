//! A pool keeps connections of any type; about those of Diesel's drivers more is known.

use std::any::Any;

use everpool_core::Fault;

use super::witness::Witness;
use crate::driver::Driver;

pub(super) trait Known {
    fn watch(&mut self);
    fn report(&mut self) -> Fault;
}

impl<C: Driver> Known for C {
    fn watch(&mut self) {
        Witness::install(self);
    }

    fn report(&mut self) -> Fault {
        Witness::report(self)
    }
}

/// Called on a new connection.
pub(super) fn watch(connection: &mut dyn Any) {
    if let Some(known) = known(connection) {
        known.watch();
    }
}

/// Whose fault was the worst that went wrong on a connection. No I/O.
pub(super) fn report(connection: &mut dyn Any) -> Fault {
    known(connection).map_or(Fault::Statement, Known::report)
}

fn known(connection: &mut dyn Any) -> Option<&mut dyn Known> {
    #[cfg(feature = "postgres")]
    if connection.is::<diesel::PgConnection>() {
        return as_known::<diesel::PgConnection>(connection);
    }
    #[cfg(feature = "sqlite")]
    if connection.is::<diesel::SqliteConnection>() {
        return as_known::<diesel::SqliteConnection>(connection);
    }
    #[cfg(feature = "mysql")]
    if connection.is::<diesel::MysqlConnection>() {
        return as_known::<diesel::MysqlConnection>(connection);
    }
    let _unknown = connection;
    None
}

#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
fn as_known<C: Driver>(connection: &mut dyn Any) -> Option<&mut dyn Known> {
    let known = connection.downcast_mut::<C>();
    known.map(|known| known as _)
}
