use std::fmt;

use super::{ManageConnection, known};

/// A manager, whose connections are watched for disconnects if they are of Diesel's drivers.
pub struct Watched<M>(pub(super) M);

impl<M: ManageConnection> ManageConnection for Watched<M> {
    type Connection = M::Connection;
    type Error = M::Error;

    fn connect(&self) -> Result<M::Connection, M::Error> {
        let mut connection = self.0.connect()?;
        known::watch(&mut connection);
        Ok(connection)
    }

    fn is_valid(&self, conn: &mut M::Connection) -> Result<(), M::Error> {
        self.0.is_valid(conn)
    }

    fn has_broken(&self, conn: &mut M::Connection) -> bool {
        self.0.has_broken(conn)
    }
}

impl<M: fmt::Debug> fmt::Debug for Watched<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
