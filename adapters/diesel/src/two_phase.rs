use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
};

use diesel::{QueryResult, result::Error};
use everpool_engine::{
    Backend,
    events::Event,
    stage::StageError,
    twophase::{Phase, Xid},
};

use crate::{
    connection::Connection,
    driver::Driver,
    error::{bad_option, rolled_back},
    status,
};

/// A two-phase transaction on a [`Connection`]: first prepared, then committed, by this connection or
/// any other that knows its identifier. Rolled back if it is dropped.
///
/// It derefs to the connection, on which statements run until it is prepared. If the connection is
/// lost after that, the transaction stays prepared in the database, with its locks, until somebody
/// ends it: see [`Connection::recover_twophase`].
#[must_use = "a transaction that is dropped is rolled back at once"]
pub struct TwoPhase<'a, C: Driver> {
    connection: &'a mut Connection<C>,
    xid: Xid,
    phase: Phase,
    is_over: bool,
}

impl<C: Driver> Connection<C> {
    /// Begins a two-phase transaction, under an identifier of its own or a random one. PostgreSQL
    /// (with `max_prepared_transactions` above 0), MySQL and MariaDB have them. Blocks.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyInTransaction`]; an identifier that cannot be one; the driver's.
    pub fn begin_twophase<'x>(
        &mut self,
        xid: impl Into<Option<&'x str>>,
    ) -> QueryResult<TwoPhase<'_, C>> {
        let xid = match xid.into() {
            Some(name) => Xid::new(C::BACKEND, name),
            None => Xid::random(C::BACKEND),
        };
        let xid = xid.map_err(bad_option)?;
        if self.in_transaction() {
            return Err(Error::AlreadyInTransaction);
        }
        if self.engine().is_staged() {
            return Err(bad_option(StageError::Twophase));
        }
        self.tell(Event::BeginTwophase(&xid.to_string()));
        self.send(&xid.begin())?;
        status::set_depth(self, 1);
        let _no_scope_is_around_it = self.enter_scope(1);
        Ok(TwoPhase {
            connection: self,
            xid,
            phase: Phase::Begun,
            is_over: false,
        })
    }

    /// The transactions that are prepared in this database and not ended. Those of other transaction
    /// managers, whose identifiers are not of the kind that everpool makes, are left out. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's, or that the database has none.
    pub fn recover_twophase(&mut self) -> QueryResult<Vec<Xid>> {
        self.run(Driver::prepared_transactions, String::new)
    }

    /// Commits a transaction that was prepared, by whomever. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn commit_prepared(&mut self, xid: &Xid) -> QueryResult<()> {
        self.tell(Event::CommitTwophase(&xid.to_string(), true));
        self.send_all(xid.commit(Phase::Prepared))
    }

    /// Rolls back a transaction that was prepared, by whomever. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn rollback_prepared(&mut self, xid: &Xid) -> QueryResult<()> {
        self.tell(Event::RollbackTwophase(&xid.to_string(), true));
        self.send_all(xid.rollback(Phase::Prepared))
    }

    pub(crate) fn send_all(&mut self, statements: Vec<String>) -> QueryResult<()> {
        statements.iter().try_for_each(|sql| self.send(sql))
    }

    /// A statement that no transaction manager is to hear of.
    pub(crate) fn send(&mut self, sql: &str) -> QueryResult<()> {
        self.run(
            |connection| connection.batch_execute(sql),
            || sql.to_owned(),
        )
    }
}

impl<C: Driver> TwoPhase<'_, C> {
    /// The identifier, by which it is known once it is prepared.
    pub fn xid(&self) -> &Xid {
        &self.xid
    }

    /// Ends the first phase: from now on the database can commit it whatever happens, and no statement
    /// runs in it. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's; then it is rolled back. So it is if a statement had failed and the server would
    /// answer by a rollback and no error. [`Error::NotInTransaction`] if it was ended before.
    pub fn prepare(&mut self) -> QueryResult<()> {
        if self.phase == Phase::Prepared {
            return Ok(());
        }
        if self.is_ended() {
            return Err(Error::NotInTransaction);
        }
        let prepared = self.end_first_phase();
        if prepared.is_ok() {
            self.phase = Phase::Prepared;
            status::set_depth(self.connection, 0);
        } else {
            self.abandon();
        }
        prepared
    }

    fn end_first_phase(&mut self) -> QueryResult<()> {
        if self.is_aborted() {
            return Err(rolled_back());
        }
        let xid = self.xid.to_string();
        self.connection.tell(Event::PrepareTwophase(&xid));
        self.connection.send_all(self.xid.prepare())
    }

    /// Commits it; in one phase, if it was not prepared. Blocks.
    ///
    /// # Errors
    ///
    /// The driver's. If the connection was lost, a transaction that was prepared may still be so. If a
    /// statement had failed and the server would answer by a rollback and no error, it is rolled back,
    /// and that is the error. [`Error::NotInTransaction`] if it was ended before, by a
    /// [`prepare`](Self::prepare) that failed or past this.
    pub fn commit(mut self) -> QueryResult<()> {
        let is_ended = self.is_ended();
        self.leave();
        if is_ended {
            return Err(Error::NotInTransaction);
        }
        if self.is_aborted() {
            return self.undo().and_then(|()| Err(rolled_back()));
        }
        let xid = self.xid.to_string();
        let is_prepared = self.phase == Phase::Prepared;
        self.connection
            .tell(Event::CommitTwophase(&xid, is_prepared));
        let committed = self.connection.send_all(self.xid.commit(self.phase));
        self.ended(committed)
    }

    /// Undoes it. Blocks. If the connection was lost there is nothing to undo, unless it was prepared:
    /// then another connection is taken for it. Nor is there if it was ended before.
    ///
    /// # Errors
    ///
    /// The driver's.
    pub fn rollback(mut self) -> QueryResult<()> {
        self.roll_back()
    }

    fn roll_back(&mut self) -> QueryResult<()> {
        let is_ended = self.is_ended();
        self.leave();
        let is_lost = self.phase == Phase::Begun && self.connection.invalidated();
        match is_ended || is_lost {
            true => self.ended(Ok(())),
            false => self.undo(),
        }
    }

    fn undo(&mut self) -> QueryResult<()> {
        let xid = self.xid.to_string();
        let is_prepared = self.phase == Phase::Prepared;
        self.connection
            .tell(Event::RollbackTwophase(&xid, is_prepared));
        let rolled_back = self.connection.send_all(self.xid.rollback(self.phase));
        self.ended(rolled_back)
    }

    /// Nothing is left to end: it was rolled back, or the program has ended it past this.
    fn is_ended(&mut self) -> bool {
        self.is_over || (self.phase == Phase::Begun && self.connection.levels() == 0)
    }

    fn is_aborted(&mut self) -> bool {
        self.connection.is_aborted()
    }

    /// Without a word of what goes wrong; then the connection is given up. One that is lost is not
    /// replaced for this.
    fn abandon(&mut self) {
        let rolled_back = catch_unwind(AssertUnwindSafe(|| match self.connection.invalidated() {
            true => self.ended(Ok(())),
            false => self.roll_back(),
        }));
        self.leave();
        if !matches!(rolled_back, Ok(Ok(()))) {
            self.connection.invalidate();
            status::set_depth(self.connection, 0);
        }
    }

    fn ended(&mut self, outcome: QueryResult<()>) -> QueryResult<()> {
        // After an error in XA it is not known what the session still takes.
        if outcome.is_err() && C::BACKEND == Backend::Mysql {
            self.connection.invalidate();
        }
        status::set_depth(self.connection, 0);
        outcome
    }

    fn leave(&mut self) {
        self.is_over = true;
        self.connection.leave_scope(0);
    }
}

impl<C: Driver> Drop for TwoPhase<'_, C> {
    fn drop(&mut self) {
        if !self.is_over {
            self.abandon();
        }
    }
}

impl<C: Driver> Deref for TwoPhase<'_, C> {
    type Target = Connection<C>;

    fn deref(&self) -> &Connection<C> {
        self.connection
    }
}

impl<C: Driver> DerefMut for TwoPhase<'_, C> {
    fn deref_mut(&mut self) -> &mut Connection<C> {
        self.connection
    }
}

impl<C: Driver> fmt::Debug for TwoPhase<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoPhase")
            .field("xid", &self.xid)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
