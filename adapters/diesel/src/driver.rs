use std::time::Duration;

use diesel::{
    ConnectionError, QueryResult,
    backend::Backend,
    connection::{AnsiTransactionManager, Connection},
    result::Error,
};
use everpool_core::{ConnectFault, Fault, ResetOnReturn};
use everpool_engine::{
    reader::Reader,
    twophase::{self, Xid},
};
use everpool_session::{Outcome, TransactionId};

/// A connection of Diesel's that an engine can be made of: `PgConnection`, `MysqlConnection`,
/// `SqliteConnection`.
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

    /// What the client library knows of the transaction, or what was read along. No I/O.
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

    /// Which transaction the server is in. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's, or that the database does not tell.
    fn transaction_id(&mut self) -> QueryResult<TransactionId> {
        Err(no_transaction_ids())
    }

    /// What became of the transaction with this number. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's, or that the database does not tell.
    fn outcome(&mut self, _number: u64) -> QueryResult<Outcome> {
        Err(no_transaction_ids())
    }

    /// What reads along on a connection whose client library does not tell.
    fn reader() -> Option<Reader> {
        None
    }

    /// Called on a new connection, before anybody uses it. May block.
    ///
    /// # Errors
    ///
    /// The driver's; the connection is closed then.
    fn greet(&mut self) -> QueryResult<()> {
        Ok(())
    }

    /// Sets how long a statement waits while others have the database locked; called on each connection
    /// that the engine opens where [`Url::busy_timeout`](everpool_engine::Url::busy_timeout) has one.
    /// Without I/O.
    ///
    /// # Errors
    ///
    /// The driver's; the connection is closed then.
    fn set_busy_timeout(&mut self, _timeout: Duration) -> QueryResult<()> {
        Ok(())
    }

    /// Gives a SQLite file the journal mode WAL; called on new connections to a file with readers. See
    /// [`wal`](everpool_engine::wal). Blocks.
    ///
    /// # Errors
    ///
    /// The driver's, or that the file cannot have it; the connection is closed then.
    fn set_journal_mode_wal(&mut self) -> QueryResult<()> {
        Err(Error::QueryBuilderError(
            "this driver has no journal mode".into(),
        ))
    }

    /// Asks the server for a sign of life. Blocks for a round trip.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn ping(&mut self) -> QueryResult<()> {
        self.batch_execute("SELECT 1")
    }

    /// Whether the server has hung up, as far as that can be known without asking it; `None` if it cannot.
    /// A server or a network that has gone silent is not noticed. Does not block.
    fn is_alive(&mut self) -> Option<bool> {
        None
    }

    /// Ends the transaction that may be open. Blocks for a round trip.
    ///
    /// # Errors
    ///
    /// The driver's; the connection is closed then.
    fn reset(&mut self, how: ResetOnReturn) -> QueryResult<()> {
        self.batch_execute(ending(how))
    }

    /// The COMMIT and ROLLBACK of Diesel's transaction manager in this database's words; any other text
    /// as it is.
    fn wording(query: &str) -> &str {
        query
    }
}

fn no_transaction_ids() -> Error {
    Error::QueryBuilderError("only PostgreSQL tells what became of a transaction".into())
}

/// The statement of a reset.
pub(crate) fn ending(how: ResetOnReturn) -> &'static str {
    match how {
        ResetOnReturn::Commit => "COMMIT",
        ResetOnReturn::Rollback | ResetOnReturn::Nothing => "ROLLBACK",
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
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
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
