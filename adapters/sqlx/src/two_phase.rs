use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
};

use everpool_engine::{
    Backend,
    events::Event,
    twophase::{Phase, Xid},
};
use everpool_session::stack::Standing;
use sqlx::Error;

use crate::{
    as_sqlx::{not_in_transaction, rolled_back},
    connection::Connection,
    driver::Driver,
};

/// A two-phase transaction on a [`Connection`]: first prepared, then committed, by this connection or
/// any other that knows its identifier. If it is dropped, the pool rolls it back before it lends the
/// connection again, and the [`Connection`] takes another.
///
/// It derefs to the connection, on which statements run until it is prepared; it has no savepoints. If
/// the connection is lost after that, or the future of [`prepare`](Self::prepare) or
/// [`commit`](Self::commit) dropped in the middle, the transaction may stay prepared in the database,
/// with its locks, until somebody ends it: see [`Connection::recover_twophase`].
///
/// ```no_run
/// # #[cfg(feature = "postgres")] {
/// # async fn transfer() -> Result<(), Box<dyn std::error::Error>> {
/// use everpool_sqlx::{EngineOptions, Postgres, create_engine, query};
///
/// let options = EngineOptions::default();
/// let engine = create_engine::<Postgres>("postgresql://scott@localhost/shop", options)?;
/// let mut connection = engine.connect().await?;
/// let mut transfer = connection.begin_twophase("transfer-7").await?;
/// query("UPDATE accounts SET balance = balance - 10 WHERE id = 1").execute(&mut *transfer).await?;
/// transfer.prepare().await?;
/// // Here the other database prepares its part.
/// transfer.commit().await?;
/// # Ok(())
/// # }
/// # }
/// ```
#[must_use = "a transaction that is dropped is rolled back"]
pub struct TwoPhase<'c, DB: Driver> {
    connection: &'c mut Connection<DB>,
    xid: Xid,
    phase: Phase,
    is_over: bool,
}

impl<'c, DB: Driver> TwoPhase<'c, DB> {
    /// The one that was just begun.
    pub(crate) fn new(connection: &'c mut Connection<DB>, xid: Xid) -> Self {
        let _no_scope_is_around_it = connection.enter_scope(1);
        Self {
            connection,
            xid,
            phase: Phase::Begun,
            is_over: false,
        }
    }

    /// The identifier, by which it is known once it is prepared.
    pub fn xid(&self) -> &Xid {
        &self.xid
    }

    /// Ends the first phase: from now on the database can commit it whatever happens, and no statement
    /// runs in it.
    ///
    /// # Errors
    ///
    /// The driver's; then it is rolled back. So it is if a statement had failed and the server would
    /// answer by a rollback and no error. Also that it was ended before.
    pub async fn prepare(&mut self) -> Result<(), Error> {
        if self.phase == Phase::Prepared {
            return Ok(());
        }
        if self.is_over {
            return Err(not_in_transaction());
        }
        let prepared = self.end_first_phase().await;
        if prepared.is_ok() {
            self.phase = Phase::Prepared;
            self.connection.leave_twophase();
        } else if self.roll_back().await.is_err() {
            self.connection.invalidate();
        }
        prepared
    }

    async fn end_first_phase(&mut self) -> Result<(), Error> {
        if self.is_aborted() {
            return Err(rolled_back());
        }
        let xid = self.xid.to_string();
        self.connection.tell(Event::PrepareTwophase(&xid));
        self.connection.send_all(self.xid.prepare()).await
    }

    /// Commits it; in one phase, if it was not prepared.
    ///
    /// # Errors
    ///
    /// The driver's. If the connection was lost, a transaction that was prepared may still be so. If a
    /// statement had failed and the server would answer by a rollback and no error, it is rolled back,
    /// and that is the error. Also that it was ended before, by a [`prepare`](Self::prepare) that
    /// failed.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.is_over {
            return Err(not_in_transaction());
        }
        if self.is_aborted() {
            self.roll_back().await?;
            return Err(rolled_back());
        }
        let xid = self.xid.to_string();
        let is_prepared = self.phase == Phase::Prepared;
        self.connection.leave_scope(0);
        self.connection
            .tell(Event::CommitTwophase(&xid, is_prepared));
        let committed = self.connection.send_all(self.xid.commit(self.phase)).await;
        self.ended(committed)
    }

    /// Undoes it. If the connection was lost there is nothing to undo, unless it was prepared: then
    /// another connection is taken for it. Nor is there if it was ended before.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub async fn rollback(mut self) -> Result<(), Error> {
        self.roll_back().await
    }

    async fn roll_back(&mut self) -> Result<(), Error> {
        let is_lost = self.phase == Phase::Begun && self.connection.invalidated();
        if self.is_over || is_lost {
            return self.ended(Ok(()));
        }
        self.tell_rollback();
        self.connection.leave_scope(0);
        let rolled_back = self
            .connection
            .send_all(self.xid.rollback(self.phase))
            .await;
        self.ended(rolled_back)
    }

    fn tell_rollback(&mut self) {
        let xid = self.xid.to_string();
        let is_prepared = self.phase == Phase::Prepared;
        self.connection
            .tell(Event::RollbackTwophase(&xid, is_prepared));
    }

    fn is_aborted(&mut self) -> bool {
        self.phase == Phase::Begun && self.connection.standing(1) == Standing::Aborted
    }

    fn ended(&mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        self.is_over = true;
        self.connection.leave_scope(0);
        // After an error in XA it is not known what the session still takes.
        if outcome.is_err() && self.xid.backend() == Backend::Mysql {
            self.connection.invalidate();
        }
        self.connection.leave_twophase();
        outcome
    }

    /// A destructor cannot wait, so the pool ends it. What was cut off in the middle may have been
    /// committed or prepared, and is not touched again.
    fn abandon(&mut self) {
        let is_known = !self.connection.invalidated();
        if is_known {
            // A listener that panics costs the connection, and nobody hears of it.
            let _panicked = catch_unwind(AssertUnwindSafe(|| self.tell_rollback()));
            let rollback = self.xid.rollback(self.phase);
            let _is_left = self.connection.leave_to_the_pool(rollback);
        }
        // There is nothing that can have failed.
        let _ended = self.ended(Ok(()));
    }
}

impl<DB: Driver> Drop for TwoPhase<'_, DB> {
    fn drop(&mut self) {
        if !self.is_over {
            self.abandon();
        }
    }
}

impl<DB: Driver> Deref for TwoPhase<'_, DB> {
    type Target = Connection<DB>;

    fn deref(&self) -> &Connection<DB> {
        self.connection
    }
}

impl<DB: Driver> DerefMut for TwoPhase<'_, DB> {
    fn deref_mut(&mut self) -> &mut Connection<DB> {
        self.connection
    }
}

impl<DB: Driver> fmt::Debug for TwoPhase<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoPhase")
            .field("xid", &self.xid)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
