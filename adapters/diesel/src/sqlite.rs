use diesel::{ConnectionError, SqliteConnection, connection::SimpleConnection, result::Error};
use everpool_core::{ConnectFault, Fault};
use everpool_engine::{Backend, fault::sqlite};

use crate::{
    driver::{Driver, TransactionStatus, worst},
    status,
};

impl Driver for SqliteConnection {
    const BACKEND: Backend = Backend::Sqlite;

    fn fault(error: &Error) -> Fault {
        worst(error, sqlite::by_message)
    }

    /// A file that cannot be opened will not be there a moment later.
    fn connect_fault(_: &ConnectionError) -> ConnectFault {
        ConnectFault::Permanent
    }

    fn transaction_status(&mut self) -> TransactionStatus {
        status::probe(self, |connection| {
            let failed = connection.batch_execute("\0");
            debug_assert!(failed.is_err(), "a text with a NUL byte was executed");
        })
    }
}
