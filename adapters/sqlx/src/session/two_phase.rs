//! A session whose transactions can be prepared.

use everpool_engine::twophase::{Phase, Xid, XidError};
use everpool_session::{
    blocking,
    future::{self, GlobalTransaction},
    stack::{Control, Method},
};
use sqlx::Error;

use super::{Session, SessionError, SessionMaker};
use crate::{
    as_sqlx::{bad_option, not_in_transaction},
    driver::Driver,
};

/// The name of a two-phase transaction of a session.
pub(super) struct Name {
    xid: Xid,
    /// Which of the session's transactions has it, as soon as one is begun.
    transaction: Option<u64>,
}

impl<DB: Driver> SessionMaker<DB> {
    /// A session that is a branch of a transaction over several databases. After that one's end, its transactions
    /// are ordinary two-phase transactions. Does not wait.
    ///
    /// # Errors
    ///
    /// The name is none for this database; or it has no two-phase transactions.
    pub fn branch_of(&self, global: &mut GlobalTransaction) -> Result<Session<DB>, XidError> {
        let xid = global.branch(self.engine().backend())?;
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

impl<DB: Driver> Session<DB> {
    /// Ends the first phase of a two-phase transaction: from now on the database can commit it whatever happens,
    /// and nothing runs in it. Then comes [`commit`](Self::commit) or [`rollback`](Self::rollback); a session that is
    /// dropped before is rolled back by the pool, if its connection is not lost. For several databases see
    /// [`GlobalTransaction`]. Waits for what is sent.
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
    pub async fn prepare(&mut self) -> Result<(), SessionError> {
        future::end(self, Method::Prepare).await
    }

    /// The name of its two-phase transaction, as soon as it is begun on the database.
    pub fn xid(&self) -> Option<&Xid> {
        let now = self.stack.transaction().map(|transaction| transaction.id());
        let name = self.name.as_ref()?;
        let is_this = name.transaction.is_none() || name.transaction == now;
        is_this.then_some(&name.xid)
    }

    /// What is sent of a two-phase transaction.
    pub(super) async fn send_phase(&mut self, control: Control) -> Result<(), Error> {
        if control == Control::Begin {
            self.find_name().map_err(bad_option)?;
        }
        let phase = self.phase();
        let Self {
            connection, name, ..
        } = self;
        let name = name.as_ref().ok_or_else(not_in_transaction)?;
        connection.send_phase(control, &name.xid, phase).await
    }

    fn phase(&self) -> Phase {
        match self.stack.is_prepared() {
            true => Phase::Prepared,
            false => Phase::Begun,
        }
    }

    /// In a destructor, which cannot wait. What fails stays prepared.
    pub(super) fn undo_phases(&mut self) {
        let phase = self.phase();
        let Some(Name { xid, .. }) = &self.name else {
            return;
        };
        let is_undone = self.stack.is_undecided() && self.connection.abandon_xid(xid, phase);
        if !is_undone && self.stack.may_be_prepared() {
            blocking::left_prepared(xid);
        }
    }

    /// A transaction that has no name yet gets one.
    fn find_name(&mut self) -> Result<(), XidError> {
        let transaction = self.stack.transaction().map(|transaction| transaction.id());
        let xid = match self.xid() {
            Some(xid) => xid.clone(),
            None => Xid::random(self.engine().backend())?,
        };
        self.name = Some(Name { xid, transaction });
        Ok(())
    }
}
