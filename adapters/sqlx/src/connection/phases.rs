//! What a session sends of its two-phase transaction. SQLx counts none of it, and so not its savepoints either.

use everpool_engine::{
    Backend,
    events::Event,
    stage::StageError,
    twophase::{Phase, Xid},
};
use everpool_session::stack::{Control, Standing};
use sqlx::Error;

use super::Connection;
use crate::{
    as_sqlx::{bad_option, no_phases, not_in_transaction, rolled_back},
    driver::Driver,
    wire::savepoint,
};

impl<DB: Driver> Connection<DB> {
    /// What is sent of the transaction `xid`, which has come to this phase.
    pub(crate) async fn send_phase(
        &mut self,
        control: Control,
        xid: &Xid,
        phase: Phase,
    ) -> Result<(), Error> {
        match control {
            Control::Begin => self.begin_xid(xid).await,
            Control::Prepare => self.prepare_xid(xid).await,
            Control::Commit => self.commit_xid(xid, phase).await,
            Control::Rollback => self.rollback_xid(xid, phase).await,
            _ if self.invalidated() => self.lost_savepoint(control),
            savepoint => self.send_savepoint(savepoint).await,
        }
    }

    async fn begin_xid(&mut self, xid: &Xid) -> Result<(), Error> {
        self.ready().await?;
        if self.omitted.is_some() {
            return Err(no_phases());
        }
        if self.engine.is_staged() {
            return Err(bad_option(StageError::Twophase));
        }
        self.tell(Event::BeginTwophase(&xid.to_string()));
        self.send(&xid.begin()).await?;
        self.twophase = 1;
        Ok(())
    }

    /// If it fails, it is rolled back. PostgreSQL itself answers by a rollback and no error if a statement has
    /// failed.
    async fn prepare_xid(&mut self, xid: &Xid) -> Result<(), Error> {
        self.refuse_aborted(xid).await?;
        self.tell(Event::PrepareTwophase(&xid.to_string()));
        let prepared = self.send_all(xid.prepare()).await;
        if prepared.is_err() && xid.backend() == Backend::Mysql && !self.invalidated() {
            // It is over then. If not, it is with the connection, which is closed on its return.
            let _: Result<(), Error> = self.send_all(xid.rollback(Phase::Prepared)).await;
        }
        self.leaves_xid(xid, prepared)
    }

    /// What the database would answer by a rollback and no error.
    async fn refuse_aborted(&mut self, xid: &Xid) -> Result<(), Error> {
        self.look_for_failures().await?;
        if self.standing(1) == Standing::Aborted {
            self.rollback_xid(xid, Phase::Begun).await?;
            return Err(rolled_back());
        }
        Ok(())
    }

    async fn commit_xid(&mut self, xid: &Xid, phase: Phase) -> Result<(), Error> {
        let is_prepared = phase == Phase::Prepared;
        if !is_prepared {
            self.refuse_aborted(xid).await?;
        }
        self.tell(Event::CommitTwophase(&xid.to_string(), is_prepared));
        let committed = self.send_all(xid.commit(phase)).await;
        self.leaves_xid(xid, committed)
    }

    /// What was not prepared is gone with its connection.
    async fn rollback_xid(&mut self, xid: &Xid, phase: Phase) -> Result<(), Error> {
        let is_prepared = phase == Phase::Prepared;
        if !is_prepared && (self.invalidated() || self.standing(0) == Standing::Ended) {
            return self.leaves_xid(xid, Ok(()));
        }
        self.tell(Event::RollbackTwophase(&xid.to_string(), is_prepared));
        let rolled_back = self.send_all(xid.rollback(phase)).await;
        self.leaves_xid(xid, rolled_back)
    }

    /// The connection is in no transaction any more.
    fn leaves_xid(&mut self, xid: &Xid, answer: Result<(), Error>) -> Result<(), Error> {
        // After an error in XA it is not known what the server's session still takes.
        if answer.is_err() && xid.backend() == Backend::Mysql {
            self.inner.invalidate_soft();
        }
        self.leave_twophase();
        answer
    }

    async fn send_savepoint(&mut self, control: Control) -> Result<(), Error> {
        let (number, words, left) = match control {
            Control::Savepoint(number) => (number as usize, "SAVEPOINT", 1),
            Control::Release(number) => (number as usize, "RELEASE SAVEPOINT", 0),
            Control::RollbackTo(number) => (number as usize, "ROLLBACK TO SAVEPOINT", 0),
            _ => return Err(not_in_transaction()),
        };
        let name = savepoint(number);
        self.tell(match control {
            Control::Savepoint(_) => Event::Savepoint(&name),
            Control::Release(_) => Event::ReleaseSavepoint(&name),
            _ => Event::RollbackSavepoint(&name),
        });
        self.send(&format!("{words} {name}")).await?;
        self.twophase = number + left;
        Ok(())
    }

    /// What was done in it is undone with the connection; anything else is not to be had.
    fn lost_savepoint(&mut self, control: Control) -> Result<(), Error> {
        match control {
            Control::RollbackTo(number) => {
                self.depth = number as usize;
                Ok(())
            }
            _ => Err(not_in_transaction()),
        }
    }

    /// In a destructor, which cannot wait: the pool rolls it back. What was cut off in the middle is left alone.
    /// Whether anything is rolled back.
    pub(crate) fn abandon_xid(&mut self, xid: &Xid, phase: Phase) -> bool {
        let is_left = !self.invalidated() && self.leave_to_the_pool(xid.rollback(phase));
        self.leave_twophase();
        is_left
    }
}
