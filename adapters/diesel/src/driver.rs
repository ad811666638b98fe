use diesel::{
    ConnectionError, QueryResult,
    backend::Backend,
    connection::{AnsiTransactionManager, Connection},
    result::Error,
};
use everpool_core::{ConnectFault, Fault};
use everpool_engine::twophase::{self, Xid};

/// A connection of Diesel's that an engine can be made of: `PgConnection`, `SqliteConnection`.
pub trait Driver:
    Connection<
        TransactionManager = AnsiTransactionManager,
        Backend: Default + Backend<QueryBuilder: Default>,
    > + 'static
{
    /// The database it speaks to.
    const BACKEND: everpool_engine::Backend;

    /// Whose fault an error is, by what it says. No I/O.
    fn fault(error: &Error) -> Fault;

    /// Whether a failed `establish` may succeed soon. No I/O.
    fn connect_fault(error: &ConnectionError) -> ConnectFault;

    /// What the client library knows of the transaction. No I/O.
    fn transaction_status(&mut self) -> TransactionStatus;

    /// The database's answer to [`IsolationLevel::query`](everpool_engine::isolation::IsolationLevel::query).
    /// Blocks.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn isolation_level(&mut self) -> QueryResult<String>;

    /// The two-phase transactions that are prepared in this database. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's, or that the database has none.
    fn prepared_transactions(&mut self) -> QueryResult<Vec<Xid>> {
        match twophase::recover(Self::BACKEND) {
            Ok(_) => Err(Error::QueryBuilderError(
                "this driver cannot list them".into(),
            )),
            Err(error) => Err(Error::QueryBuilderError(Box::new(error))),
        }
    }
}

/// What a client library knows of the transaction on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// None is open.
    Idle,
    /// One may be open.
    MaybeOpen,
    /// One is open, and takes nothing but its end.
    Failed,
    /// The connection is lost.
    Dead,
}

/// The words of a driver's error, for the tables of [`everpool_engine::fault`]. An error that stands
/// for two is the worse of both.
pub(crate) fn worst(error: &Error, by_message: impl Fn(&str) -> Fault + Copy) -> Fault {
    match error {
        Error::DatabaseError(_, information) => by_message(information.message()),
        Error::RollbackErrorOnCommit {
            rollback_error,
            commit_error,
        } => worst(rollback_error, by_message).max(worst(commit_error, by_message)),
        _ => Fault::Statement,
    }
}
