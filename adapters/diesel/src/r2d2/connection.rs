use diesel::{
    QueryResult,
    backend::Backend,
    connection::{AnsiTransactionManager, Connection, TransactionManager},
    query_builder::{AstPass, QueryFragment, QueryId},
    result::Error,
};
use everpool_core::Fault;

use crate::driver::Driver;

/// A connection that a pool can keep: it can be asked for a sign of life.
///
/// Implement it for a connection of your own, such as an enum with `#[derive(MultiConnection)]`.
pub trait R2D2Connection: Connection {
    /// Asks the server for a sign of life. Blocks for a round trip.
    ///
    /// # Errors
    ///
    /// The driver's.
    fn ping(&mut self) -> QueryResult<()>;

    /// Whether it is not to be lent again. Asked when it is returned; must not block. Never, unless
    /// implemented.
    fn is_broken(&mut self) -> bool {
        false
    }

    /// Whose fault an error is, by what it says (Diesel's trait has nothing like this). With
    /// [`Fault::Server`] the pool replaces all connections of this one's generation. No I/O. The
    /// statement's, unless implemented.
    fn fault_of(error: &Error) -> Fault {
        let _nothing_is_known = error;
        Fault::Statement
    }
}

impl<C: Driver> R2D2Connection for C {
    fn ping(&mut self) -> QueryResult<()> {
        self.execute_returning_count(&One).map(drop)
    }

    /// With a transaction open that Diesel knows of, unless it is a test's, it is not lent again.
    fn is_broken(&mut self) -> bool {
        AnsiTransactionManager::is_broken_transaction_manager(self)
    }

    fn fault_of(error: &Error) -> Fault {
        C::fault(error)
    }
}

/// The cheapest question. With a `QueryId`, it is prepared once.
#[derive(QueryId)]
struct One;

impl<DB: Backend> QueryFragment<DB> for One {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql("SELECT 1");
        Ok(())
    }
}
