//! A session whose transactions can be prepared.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::{QueryResult, result::Error};
use everpool_engine::twophase::{Phase, Xid, XidError};
use everpool_session::{
    blocking::{self, GlobalTransaction},
    stack::{Control, Method},
};

use super::{Session, SessionError, SessionMaker};
use crate::{driver::Driver, error::bad_option};

/// The name of a two-phase transaction of a session.
pub(super) struct Name {
    xid: Xid,
    /// Which of the session's transactions has it, as soon as one is begun.
    transaction: Option<u64>,
}

impl<C: Driver> SessionMaker<C> {
    /// A session that is a branch of a transaction over several databases. After that one's end, its transactions
    /// are ordinary two-phase transactions. Does not block.
    ///
    /// # Errors
    ///
    /// The name is none for this database; or it has no two-phase transactions.
    #[track_caller]
    pub fn branch_of(&self, global: &mut GlobalTransaction) -> Result<Session<C>, XidError> {
        let xid = global.branch(C::BACKEND)?;
        let mut maker = self.clone();
        maker.settings.twophase = true;
        let mut session = maker.session();
        session.name = Some(Name {
            xid,
            transaction: None,
        });
        Ok(session)
    }
}

impl<C: Driver> Session<C> {
    /// Ends the first phase of a two-phase transaction: from now on the database can commit it whatever happens,
    /// and nothing runs in it. Then comes [`commit`](Self::commit) or [`rollback`](Self::rollback); a session that is
    /// dropped before is rolled back. For several databases see
    /// [`GlobalTransaction`]. Blocks for what is sent.
    ///
    /// If it is left ([`invalidate`](Self::invalidate)), or its end fails, it stays prepared on the database, with its
    /// locks, until it is ended by its [`xid`](Self::xid): see
    /// [`Engine::recover_twophase`](crate::Engine::recover_twophase).
    ///
    /// # Errors
    ///
    /// - [`NotTwoPhase`](everpool_session::StateError::NotTwoPhase) without
    ///   [`twophase`](everpool_session::SessionOptions::twophase).
    /// - [`InDoubt`](everpool_session::SessionError::InDoubt) if the connection was lost at PREPARE.
    /// - All others as those of [`commit`](Self::commit), before which this may come.
    pub fn prepare(&mut self) -> Result<(), SessionError> {
        blocking::end(self, Method::Prepare)
    }

    /// The name of its two-phase transaction, as soon as it is begun on the database.
    pub fn xid(&self) -> Option<&Xid> {
        let now = self.stack.transaction().map(|transaction| transaction.id());
        let name = self.name.as_ref()?;
        let is_this = name.transaction.is_none() || name.transaction == now;
        is_this.then_some(&name.xid)
    }

    /// What is sent of a two-phase transaction.
    pub(super) fn send_phase(&mut self, control: Control) -> QueryResult<()> {
        if control == Control::Begin {
            self.find_name().map_err(bad_option)?;
        }
        let phase = match self.stack.is_prepared() {
            true => Phase::Prepared,
            false => Phase::Begun,
        };
        let Self {
            connection, name, ..
        } = self;
        let xid = &name.as_ref().ok_or(Error::NotInTransaction)?.xid;
        match control {
            Control::Begin => connection.begin_xid(xid),
            Control::Prepare => connection.prepare_xid(xid),
            Control::Commit => connection.commit_xid(xid, phase),
            Control::Rollback => connection.rollback_xid(xid, phase),
            savepoint => connection.send_control(savepoint),
        }
    }

    /// In a destructor, in which nobody can be told, and nothing may panic. What fails stays prepared.
    pub(super) fn undo_phases(&mut self) {
        let may_be_prepared = self.stack.may_be_prepared();
        let is_undone = self.stack.is_undecided() && {
            let undo = || blocking::end(self, Method::Close);
            matches!(catch_unwind(AssertUnwindSafe(undo)), Ok(Ok(_)))
        };
        if let Some(name) = &self.name
            && may_be_prepared
            && !is_undone
        {
            blocking::left_prepared(&name.xid);
        }
    }

    /// A transaction that has no name yet gets one.
    fn find_name(&mut self) -> Result<(), XidError> {
        let transaction = self.stack.transaction().map(|transaction| transaction.id());
        let xid = match self.xid() {
            Some(xid) => xid.clone(),
            None => Xid::random(C::BACKEND)?,
        };
        self.name = Some(Name { xid, transaction });
        Ok(())
    }
}
