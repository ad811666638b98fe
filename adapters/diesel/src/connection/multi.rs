//! What `#[derive(MultiConnection)]` asks of the connections in an enum.

use std::any::Any;

#[cfg(feature = "diesel-r2d2")]
use diesel::QueryResult;
use diesel::{connection::MultiConnectionHelper, sql_types::TypeMetadata};

use super::Connection;
use crate::{driver::Driver, session::Session};

type Lookup<C> = <<C as diesel::Connection>::Backend as TypeMetadata>::MetadataLookup;

impl<C: Driver + MultiConnectionHelper> MultiConnectionHelper for Connection<C> {
    fn to_any<'a>(lookup: &mut Lookup<Self>) -> &mut (dyn Any + 'a) {
        C::to_any(lookup)
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut Lookup<Self>> {
        C::from_any(lookup)
    }
}

impl<C: Driver + MultiConnectionHelper> MultiConnectionHelper for Session<C> {
    fn to_any<'a>(lookup: &mut Lookup<Self>) -> &mut (dyn Any + 'a) {
        C::to_any(lookup)
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut Lookup<Self>> {
        C::from_any(lookup)
    }
}

/// The derive asks for this where Diesel has its feature `r2d2`.
#[cfg(feature = "diesel-r2d2")]
impl<C: Driver> diesel::r2d2::R2D2Connection for Connection<C> {
    fn ping(&mut self) -> QueryResult<()> {
        self.run(Driver::ping, String::new)
    }
}

/// The derive asks for this where Diesel has its feature `r2d2`.
#[cfg(feature = "diesel-r2d2")]
impl<C: Driver> diesel::r2d2::R2D2Connection for Session<C> {
    fn ping(&mut self) -> QueryResult<()> {
        Driver::ping(self.driver_connection()?)
    }
}
