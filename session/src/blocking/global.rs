//! Transactions over several databases, for threads.

use std::error::Error;

use everpool_engine::{
    Backend,
    twophase::{Xid, XidError},
};

use super::{Transactional, end};
use crate::{
    SessionError,
    group::{Ballot, Group, GroupError, Record, Turn, Voter},
    stack::Method,
};

/// A session as a branch of a transaction over several databases. Every session is one.
pub trait Branch<E: Error + 'static> {
    /// The name of its part.
    fn xid(&self) -> Option<Xid>;

    /// Whether its part is there on the database.
    fn is_begun(&mut self) -> bool;

    /// Whether it is prepared.
    fn is_prepared(&mut self) -> bool;

    /// It is not rolled back from now on.
    fn decide(&mut self);

    /// Prepares or ends it. Blocks for what is sent.
    ///
    /// # Errors
    ///
    /// Those of a session.
    fn end(&mut self, method: Method) -> Result<(), SessionError<E>>;
}

impl<S: Transactional> Branch<S::Error> for S {
    fn xid(&self) -> Option<Xid> {
        Transactional::xid(self).cloned()
    }

    fn is_begun(&mut self) -> bool {
        self.stack().is_begun()
    }

    fn is_prepared(&mut self) -> bool {
        self.stack().is_prepared()
    }

    fn decide(&mut self) {
        self.stack().decide();
    }

    fn end(&mut self, method: Method) -> Result<(), SessionError<S::Error>> {
        end(self, method)
    }
}

/// A transaction over several databases, in a session for each: all are committed or none.
///
/// An adapter's `SessionMaker::branch_of` makes its sessions, of engines of whatever database that has
/// two-phase transactions. They are used as others are; one without a statement takes no connection. Then
/// [`commit`](Self::commit) prepares all of them, and after that commits all. If it is dropped instead, each
/// session is rolled back when it is dropped.
#[derive(Debug)]
pub struct GlobalTransaction(Group);

impl GlobalTransaction {
    /// One whose name nobody else has. Does not block.
    ///
    /// # Errors
    ///
    /// That there is no randomness to be had.
    pub fn new() -> Result<Self, XidError> {
        Group::random().map(Self)
    }

    /// One of this name, which no other may have that is not over. Its branches are named `name.1`, `name.2`, …
    pub fn named(name: impl Into<String>) -> Self {
        Self(Group::named(name))
    }

    /// Its name, which its branches begin with where they are listed as prepared.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The name of one more branch.
    ///
    /// # Errors
    ///
    /// What is wrong with the name; or that the database has no two-phase transactions.
    pub fn branch(&mut self, backend: Backend) -> Result<Xid, XidError> {
        self.0.branch(backend)
    }

    /// Commits all of its sessions, in this order, or none. Each is prepared first; if one cannot be, all are
    /// rolled back. If only one has anything to commit, it is committed in one phase. Blocks for what is sent.
    ///
    /// Once all are prepared, none is rolled back, whatever becomes of the others: not by the drop of its
    /// session either. Nothing is sent twice. What a crash in between leaves behind is found by [`recover`].
    ///
    /// # Errors
    ///
    /// See [`GroupError`].
    pub fn commit<E: Error + 'static>(
        self,
        sessions: &mut [&mut dyn Branch<E>],
    ) -> Result<(), GroupError<E>> {
        let xids: Vec<_> = sessions.iter().map(|session| session.xid()).collect();
        if !self.0.is_of(&xids) {
            let name = self.0.name().to_owned();
            return Err(GroupError::Sessions { name });
        }
        let (mut ballot, mut record) = (Ballot::new(sessions.len()), Record::new());
        loop {
            let begun: Vec<_> = sessions.iter_mut().map(|one| one.is_begun()).collect();
            let turn = ballot.next(&begun);
            let (branch, method) = match turn {
                Turn::Done => return record.result(),
                Turn::Decide => {
                    sessions.iter_mut().for_each(|session| session.decide());
                    ballot.done(turn, true);
                    continue;
                }
                Turn::Prepare(branch) => (branch, Method::Prepare),
                Turn::Commit(branch) | Turn::CommitAlone(branch) => (branch, Method::Commit),
                Turn::RollBack(branch) => (branch, Method::Rollback),
            };
            let answer = sessions[branch].end(method);
            ballot.done(turn, answer.is_ok());
            let voter = Voter {
                xid: xids[branch].clone(),
                was_begun: begun[branch],
                is_prepared: sessions[branch].is_prepared(),
            };
            record.note(turn, voter, answer);
        }
    }
}

/// An engine whose prepared transactions can be listed and ended.
pub trait Recovers<E> {
    /// What is prepared there. Blocks for a checkout and a query.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    fn recover_twophase(&self) -> Result<Vec<Xid>, E>;

    /// Commits what is prepared there. Blocks for a checkout and what is sent.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    fn commit_prepared(&self, xid: &Xid) -> Result<(), E>;

    /// Rolls back what is prepared there. Blocks for a checkout and what is sent.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    fn rollback_prepared(&self, xid: &Xid) -> Result<(), E>;
}

/// What is prepared on these engines, by the transactions that it belongs to, in the order of their names.
/// Blocks.
///
/// # Errors
///
/// The first engine's that cannot be asked.
pub fn recover<'a, E>(
    engines: &[&'a dyn Recovers<E>],
) -> Result<Vec<PreparedTransaction<'a, E>>, E> {
    let mut found = Vec::new();
    for engine in engines {
        let xids = engine.recover_twophase()?;
        found.extend(xids.into_iter().map(|xid| (*engine, xid)));
    }
    let groups = crate::group::by_name(found).into_iter();
    Ok(groups.map(PreparedTransaction).collect())
}

/// The branches of a transaction that are prepared, and nobody may know any more whether they are to be
/// committed: that is for the operator to decide. If a branch is missing that is known to have been prepared,
/// it was committed or rolled back, and so are these to be.
pub struct PreparedTransaction<'a, E>(Vec<(&'a dyn Recovers<E>, Xid)>);

impl<E> PreparedTransaction<'_, E> {
    /// What all of its branches have in common.
    pub fn name(&self) -> &str {
        self.0.first().map_or("", |(_, xid)| xid.global())
    }

    /// Its branches that are prepared.
    pub fn xids(&self) -> impl Iterator<Item = &Xid> {
        self.0.iter().map(|(_, xid)| xid)
    }

    /// Commits all of them. Blocks.
    ///
    /// # Errors
    ///
    /// The first that fails; the rest of them is prepared still.
    pub fn commit(self) -> Result<(), E> {
        let mut branches = self.0.iter();
        branches.try_for_each(|(engine, xid)| engine.commit_prepared(xid))
    }

    /// Rolls all of them back. Blocks.
    ///
    /// # Errors
    ///
    /// The first that fails; the rest of them is prepared still.
    pub fn rollback(self) -> Result<(), E> {
        let mut branches = self.0.iter();
        branches.try_for_each(|(engine, xid)| engine.rollback_prepared(xid))
    }
}

impl<E> std::fmt::Debug for PreparedTransaction<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.xids()).finish()
    }
}
