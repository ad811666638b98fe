use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use diesel::QueryResult;
use everpool_core::{Fault, Reserved, Threads};
use everpool_engine::stage::{self, StageError};

use crate::{
    connector::{Connector, DriverError},
    driver::{Driver, TransactionStatus},
    engine::RawConnection,
    status,
    tap::Tap,
};

type Place<C> = Reserved<Connector<C>, Threads>;

/// Where a test plays: one connection of an engine's, in a transaction that is never committed. The pool of the
/// test opens no other.
pub(crate) struct Stage<C: Driver>(Mutex<State<C>>);

enum State<C: Driver> {
    /// The connection waits here. → Lent, Over
    Resting(C, Place<C>),
    /// The test's pool has it. → Resting, Ending, Over
    Lent(Place<C>),
    /// So it has, but the test is over. → Over
    Ending(Place<C>),
    /// It is back where it came from.
    Over,
}

impl<C: Driver> Stage<C> {
    /// Begins the transaction. Blocks.
    pub(crate) fn begin(mut lease: RawConnection<C>, begin: &str) -> QueryResult<Self> {
        let begun = lease.batch_execute(&stage::begin(C::BACKEND, begin));
        if let Err(error) = begun {
            lease.invalidate(Fault::Connection);
            return Err(error);
        }
        let (mut connection, place) = lease.take_out();
        // To who takes the driver's connection, a transaction is open.
        status::set_depth(&mut connection, 1);
        Ok(Self(Mutex::new(State::Resting(connection, place))))
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, for the test's pool. Does not block.
    pub(crate) fn connect(&self) -> Result<C, DriverError> {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Resting(connection, place) => {
                *state = State::Lent(place);
                Ok(connection)
            }
            other => {
                *state = other;
                Err(StageError::Gone.into())
            }
        }
    }

    /// The test's pool gives it up. What was done since it was last settled is undone: nobody knows in the middle
    /// of what it was given up. Blocks.
    pub(crate) fn close(&self, mut connection: C) {
        let is_sound = connection.batch_execute(stage::UNDO).is_ok();
        status::set_depth(&mut connection, 1);
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Lent(place) if is_sound => *state = State::Resting(connection, place),
            State::Lent(place) | State::Ending(place) => {
                drop(state);
                give_back(connection, place);
            }
            State::Resting(..) | State::Over => {}
        }
    }

    /// The test is over. What the pool still has is given back when it comes. Blocks.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Resting(connection, place) => {
                drop(state);
                give_back(connection, place);
            }
            State::Lent(place) | State::Ending(place) => *state = State::Ending(place),
            State::Over => {}
        }
    }
}

/// Counts as committed what was done, unless something is open or has failed: that is undone. Blocks.
pub(crate) fn settle<C: Driver>(connection: &mut C) -> QueryResult<()> {
    let is_unsound = connection.transaction_status() == TransactionStatus::Failed
        || status::depth(connection) != Some(1);
    connection.batch_execute(match is_unsound {
        true => stage::UNDO,
        false => stage::MARK,
    })?;
    status::set_depth(connection, 1);
    Ok(())
}

/// To the pool that it was taken from, with nothing of the test.
fn give_back<C: Driver>(mut connection: C, place: Place<C>) {
    let undone = connection.batch_execute(stage::end(C::BACKEND));
    status::set_depth(&mut connection, 0);
    if let Some(seen) = Tap::seen(&mut connection) {
        seen.reader = C::reader();
    }
    let lease = place.put_back(connection);
    match undone {
        Ok(()) => drop(lease),
        Err(error) => lease.invalidate_because(Fault::Connection, error),
    }
}

impl<C: Driver> Drop for Stage<C> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<C: Driver> fmt::Debug for Stage<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").finish_non_exhaustive()
    }
}
