//! What a session sends of its two-phase transaction.

use diesel::{QueryResult, result::Error};
use everpool_engine::{
    Backend,
    events::Event,
    stage::StageError,
    twophase::{Phase, Xid},
};
use everpool_session::stack::Standing;

use super::Connection;
use crate::{
    driver::Driver,
    error::{bad_option, no_phases},
    status,
};

impl<C: Driver> Connection<C> {
    pub(crate) fn begin_xid(&mut self, xid: &Xid) -> QueryResult<()> {
        if self.omits_begin {
            return Err(no_phases());
        }
        if self.is_staged {
            return Err(bad_option(StageError::Twophase));
        }
        self.tell(Event::BeginTwophase(&xid.to_string()));
        self.send(&xid.begin())?;
        status::set_depth(self, 1);
        Ok(())
    }

    /// If it fails, it is rolled back.
    pub(crate) fn prepare_xid(&mut self, xid: &Xid) -> QueryResult<()> {
        self.tell(Event::PrepareTwophase(&xid.to_string()));
        let prepared = self.send_all(xid.prepare());
        if prepared.is_err() && C::BACKEND == Backend::Mysql && !self.invalidated() {
            // It is over then. If not, it is with the connection, which is closed on its return.
            let _: QueryResult<()> = self.send_all(xid.rollback(Phase::Prepared));
        }
        self.leaves_xid(prepared)
    }

    pub(crate) fn commit_xid(&mut self, xid: &Xid, phase: Phase) -> QueryResult<()> {
        let is_prepared = phase == Phase::Prepared;
        self.tell(Event::CommitTwophase(&xid.to_string(), is_prepared));
        let committed = self.send_all(xid.commit(phase));
        self.leaves_xid(committed)
    }

    /// What was not prepared is gone with its connection.
    pub(crate) fn rollback_xid(&mut self, xid: &Xid, phase: Phase) -> QueryResult<()> {
        let is_prepared = phase == Phase::Prepared;
        if !is_prepared && (self.invalidated() || self.standing(0) == Standing::Ended) {
            return self.leaves_xid(Ok(()));
        }
        self.tell(Event::RollbackTwophase(&xid.to_string(), is_prepared));
        let rolled_back = self.send_all(xid.rollback(phase));
        self.leaves_xid(rolled_back)
    }

    /// The connection is in no transaction any more.
    fn leaves_xid(&mut self, answer: Result<(), Error>) -> QueryResult<()> {
        // After an error in XA it is not known what the server's session still takes.
        if answer.is_err() && C::BACKEND == Backend::Mysql {
            self.inner.invalidate_soft();
        }
        status::set_depth(self, 0);
        answer
    }
}
