//! A transaction in which a test plays.

use everpool_engine::{Backend, stage};

use super::{Answer, Wire};
use crate::{driver::Driver, version::Begin};

impl<DB: Driver> Wire<DB> {
    /// Whether a test plays on it, and what is sent next could not be undone alone.
    #[inline]
    pub(crate) fn is_unmarked(&self) -> bool {
        self.floor > 0 && !self.flags.is_marked()
    }

    /// Begins the transaction of a test, which the driver counts, and this does not from then on.
    pub(crate) async fn begin_stage(&mut self, begin: Option<Begin>) -> Answer<()> {
        if self.flags.backend() == Backend::Mysql {
            self.run(stage::NO_AUTOCOMMIT.to_owned()).await?;
        }
        self.begin(begin).await?;
        self.run(stage::SET.to_owned()).await?;
        self.floor = 1;
        Ok(())
    }

    /// Counts as committed what was done, unless it was `cut` or has failed: that is undone. That a statement has
    /// failed on the driver's own connection is seen by this alone.
    pub(crate) async fn mark(&mut self, cut: bool) -> Answer<()> {
        let is_sound = !cut && !self.flags.is_aborted();
        let marked = match is_sound {
            true => {
                self.flags.starts_to_mark();
                self.run(stage::MARK.to_owned()).await
            }
            false => Ok(()),
        };
        if !is_sound || self.flags.is_aborted() {
            self.undo(cut).await?;
        } else {
            marked?;
        }
        self.flags.marks();
        Ok(())
    }

    /// SQLite does not go on with a text that was `cut`, so the savepoint may be gone and not yet set again. If the
    /// transaction is open, it is set here.
    async fn undo(&mut self, cut: bool) -> Answer<()> {
        let was_marking = cut && self.flags.is_marking() && self.is_sqlite();
        let undone = self.run(stage::UNDO.to_owned()).await;
        if undone.is_ok() || !was_marking {
            return undone;
        }
        self.look_whether_open().await?;
        match self.flags.has_ended() {
            true => undone,
            false => self.run(stage::SET.to_owned()).await,
        }
    }

    /// Leaves it to its pool to undo all of the test; whether that is enough.
    pub(crate) fn leave_stage(&mut self) -> bool {
        self.floor = 0;
        self.flags.backend() != Backend::Mysql
    }

    /// Undoes all of the test.
    pub(crate) async fn end_stage(&mut self) -> Answer<()> {
        self.floor = 0;
        while self.depth() > 0 {
            self.rollback().await?;
        }
        if self.flags.backend() == Backend::Mysql {
            self.run(stage::AUTOCOMMIT.to_owned()).await?;
            self.flags.is_trusted(true);
            self.run("ROLLBACK AND NO CHAIN".to_owned()).await?;
        }
        Ok(())
    }
}
