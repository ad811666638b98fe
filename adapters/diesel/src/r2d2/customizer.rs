use diesel::connection::Connection;

use super::{CustomizeConnection, manager::Error};

/// For tests: each connection of the pool is in one transaction from beginning to end, which is never
/// committed. With `max_size(1)`, what one checkout writes the next one sees.
#[derive(Clone, Copy, Debug)]
pub struct TestCustomizer;

impl<C: Connection> CustomizeConnection<C, Error> for TestCustomizer {
    fn on_acquire(&self, conn: &mut C) -> Result<(), Error> {
        Ok(conn.begin_test_transaction()?)
    }
}
