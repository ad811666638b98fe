use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, TransactionManager, TransactionManagerStatus},
    result::Error,
};
use everpool_session::{
    SessionError, StateError, blocking,
    stack::{LevelId, Method},
};

use super::Session;
use crate::{driver::Driver, error::session_refused, status};

/// What `transaction(…)` means in a [`Session`]: a savepoint of its own, as
/// [`begin_nested`](Session::begin_nested) makes it. To Diesel, the session's transaction is always open.
#[derive(Clone, Copy, Debug)]
pub struct SessionTransactions;

impl<C: Driver> TransactionManager<Session<C>> for SessionTransactions {
    type TransactionStateData = AnsiTransactionManager;

    fn begin_transaction(session: &mut Session<C>) -> QueryResult<()> {
        let begun = blocking::begin_nested(session);
        begun.map(drop).map_err(session_refused)
    }

    fn rollback_transaction(session: &mut Session<C>) -> QueryResult<()> {
        end(session, Method::Rollback)
    }

    fn commit_transaction(session: &mut Session<C>) -> QueryResult<()> {
        end(session, Method::Commit)
    }

    fn transaction_manager_status_mut(session: &mut Session<C>) -> &mut TransactionManagerStatus {
        session.show();
        AnsiTransactionManager::transaction_manager_status_mut(&mut session.shown)
    }

    fn transaction<F, R, E>(session: &mut Session<C>, work: F) -> Result<R, E>
    where
        F: FnOnce(&mut Session<C>) -> Result<R, E>,
        E: From<Error>,
    {
        let mut nested = session.begin_nested().map_err(session_refused)?;
        match work(&mut nested) {
            Ok(done) => {
                nested.commit().map_err(session_refused)?;
                Ok(done)
            }
            Err(error) => match nested.rollback() {
                Ok(()) | Err(SessionError::State(StateError::Closed)) => Err(error),
                Err(rollback) => Err(session_refused(rollback).into()),
            },
        }
    }
}

/// The innermost savepoint. The session's own transaction is not Diesel's to end.
fn end<C: Driver>(session: &mut Session<C>, method: Method) -> QueryResult<()> {
    let innermost: Option<LevelId> = session.stack.innermost_nested();
    let level = innermost.ok_or(Error::NotInTransaction)?;
    blocking::end_level(session, level, method).map_err(session_refused)
}

impl<C: Driver> Session<C> {
    /// Has Diesel see as many levels as there are, one of them always.
    pub(super) fn show(&mut self) {
        let depth = u32::try_from(self.stack.depth()).unwrap_or(u32::MAX);
        status::set_depth(&mut self.shown, depth.max(1));
    }
}
