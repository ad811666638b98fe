use sqlx::Error;

use crate::{as_sqlx::no_connection, callbacks::Callbacks, driver::Driver, engine::CheckoutError};

/// In what an engine that stands for SQLx's pool differs from one of its own.
pub(crate) struct Manner<DB: Driver> {
    /// What is told of a checkout that failed.
    pub(crate) tells: fn(CheckoutError) -> Error,
    pub(crate) callbacks: Callbacks<DB>,
}

/// An engine of its own.
impl<DB: Driver> Default for Manner<DB> {
    fn default() -> Self {
        Self {
            tells: no_connection,
            callbacks: Callbacks::default(),
        }
    }
}
