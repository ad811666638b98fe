use std::{
    fmt, mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use everpool_core::{Fault, Reserved, Tokio};
use everpool_engine::stage::StageError;
use sqlx::Error;

use crate::{
    connector::{Connector, DriverError},
    driver::Driver,
    engine::RawConnection,
    version::Begin,
    wire::Wire,
};

type Place<DB> = Reserved<Connector<DB>, Tokio>;

/// Where a test plays: one connection of an engine's, in a transaction that is never committed. The pool of the
/// test opens no other.
pub(crate) struct Stage<DB: Driver>(Mutex<State<DB>>);

enum State<DB: Driver> {
    /// The connection waits here. → Lent, Over
    Resting(Box<Wire<DB>>, Place<DB>),
    /// The test's pool has it. → Resting, Ending, Over
    Lent(Place<DB>),
    /// So it has, but the test is over. → Over
    Ending(Place<DB>),
    /// It is back where it came from.
    Over,
}

impl<DB: Driver> Stage<DB> {
    /// Begins the transaction.
    pub(crate) async fn begin(
        mut lease: RawConnection<DB>,
        begin: Option<Begin>,
    ) -> Result<Self, Error> {
        // If this is given up, the lease is returned with what is open, and the pool undoes that.
        let begun = lease.begin_stage(begin).await;
        if let Err(error) = begun {
            lease.invalidate(Fault::Connection);
            return Err(error);
        }
        let (wire, place) = lease.take_out();
        Ok(Self(Mutex::new(State::Resting(Box::new(wire), place))))
    }

    fn state(&self) -> MutexGuard<'_, State<DB>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, for the test's pool. Does not wait.
    pub(crate) fn connect(&self) -> Result<Wire<DB>, DriverError> {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Resting(wire, place) => {
                *state = State::Lent(place);
                Ok(*wire)
            }
            other => {
                *state = other;
                Err(StageError::Gone.into())
            }
        }
    }

    /// The test's pool gives it up; whether it is fit to go on with.
    pub(crate) async fn close(&self, wire: Wire<DB>, is_sound: bool) {
        let left = self.leave(wire, is_sound);
        if let Some((wire, place)) = left {
            give_back(wire, place, is_sound).await;
        }
    }

    /// What is to be given back.
    fn leave(&self, wire: Wire<DB>, is_sound: bool) -> Option<(Wire<DB>, Place<DB>)> {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Lent(place) if is_sound => {
                *state = State::Resting(Box::new(wire), place);
                None
            }
            State::Lent(place) | State::Ending(place) => Some((wire, place)),
            State::Resting(..) | State::Over => None,
        }
    }

    /// The test is over. What the pool still has is given back when it comes.
    pub(crate) async fn end(&self) {
        if let Some((wire, place)) = self.ends() {
            give_back(wire, place, true).await;
        }
    }

    /// As [`end`](Self::end), for who cannot wait: the pool does it, or closes the connection.
    pub(crate) fn abandon(&self) {
        if let Some((wire, place)) = self.ends() {
            let mut lease = place.put_back(wire);
            match lease.leave_stage() {
                true => drop(lease),
                false => lease.invalidate(Fault::Connection),
            }
        }
    }

    fn ends(&self) -> Option<(Wire<DB>, Place<DB>)> {
        let mut state = self.state();
        match mem::replace(&mut *state, State::Over) {
            State::Resting(wire, place) => return Some((*wire, place)),
            State::Lent(place) | State::Ending(place) => *state = State::Ending(place),
            State::Over => {}
        }
        None
    }
}

/// To the pool that it was taken from, with nothing of the test.
async fn give_back<DB: Driver>(wire: Wire<DB>, place: Place<DB>, is_sound: bool) {
    // In its place, so that it is closed if this is given up.
    let mut lease = place.put_back(wire);
    match is_sound && lease.end_stage().await.is_ok() {
        true => drop(lease),
        false => lease.invalidate(Fault::Connection),
    }
}

impl<DB: Driver> Drop for Stage<DB> {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl<DB: Driver> fmt::Debug for Stage<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").finish_non_exhaustive()
    }
}
