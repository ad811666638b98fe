use std::sync::Arc;

use super::{Participant, Transactional};
use crate::{
    Listeners,
    stack::{Moment, SessionTransaction},
};

/// Registers a session's listeners, under the names of SQLAlchemy's `SessionEvents`.
///
/// They run in the thread of the session, in the order of their registration, and are told of savepoints,
/// too: [`SessionTransaction::is_nested`]. Those that are given the session may use it; what ends the
/// transaction that they are told of is refused.
#[derive(Debug)]
pub struct SessionEvents<'a, S: Transactional>(&'a mut Listeners<Participant<S>>);

impl<'a, S: Transactional> SessionEvents<'a, S> {
    /// Registers there.
    pub fn new(listeners: &'a mut Listeners<Participant<S>>) -> Self {
        Self(listeners)
    }

    /// A level was begun; nothing was sent for it yet.
    pub fn after_transaction_create(
        &mut self,
        listener: impl Fn(&SessionTransaction) + Send + Sync + 'static,
    ) -> &mut Self {
        self.observe(Moment::AfterTransactionCreate, listener)
    }

    /// BEGIN or SAVEPOINT was answered. For what every transaction is to have: `SET LOCAL …`. What the
    /// listener does is part of that level. If it fails, the transaction takes nothing but a rollback.
    pub fn after_begin(
        &mut self,
        listener: impl Fn(&mut S, &SessionTransaction) -> Result<(), S::Error> + Send + Sync + 'static,
    ) -> &mut Self {
        self.participate(Moment::AfterBegin, listener)
    }

    /// A level is to be committed. If the listener fails it is not, and stays open.
    pub fn before_commit(
        &mut self,
        listener: impl Fn(&mut S, &SessionTransaction) -> Result<(), S::Error> + Send + Sync + 'static,
    ) -> &mut Self {
        self.participate(Moment::BeforeCommit, listener)
    }

    /// A level was committed; a savepoint is with the rest.
    pub fn after_commit(
        &mut self,
        listener: impl Fn(&SessionTransaction) + Send + Sync + 'static,
    ) -> &mut Self {
        self.observe(Moment::AfterCommit, listener)
    }

    /// A level was rolled back on the database.
    pub fn after_rollback(
        &mut self,
        listener: impl Fn(&SessionTransaction) + Send + Sync + 'static,
    ) -> &mut Self {
        self.observe(Moment::AfterRollback, listener)
    }

    /// A level is over, whatever became of it.
    pub fn after_transaction_end(
        &mut self,
        listener: impl Fn(&SessionTransaction) + Send + Sync + 'static,
    ) -> &mut Self {
        self.observe(Moment::AfterTransactionEnd, listener)
    }

    /// A level was rolled back, and the session can be used again: in the level around it, or for the next
    /// transaction.
    pub fn after_soft_rollback(
        &mut self,
        listener: impl Fn(&mut S, &SessionTransaction) -> Result<(), S::Error> + Send + Sync + 'static,
    ) -> &mut Self {
        self.participate(Moment::AfterSoftRollback, listener)
    }

    fn observe(
        &mut self,
        moment: Moment,
        listener: impl Fn(&SessionTransaction) + Send + Sync + 'static,
    ) -> &mut Self {
        self.0.observe(moment, listener);
        self
    }

    fn participate(
        &mut self,
        moment: Moment,
        listener: impl Fn(&mut S, &SessionTransaction) -> Result<(), S::Error> + Send + Sync + 'static,
    ) -> &mut Self {
        self.0.participate(moment, Arc::new(listener));
        self
    }
}
