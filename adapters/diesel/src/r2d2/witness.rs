use diesel::{
    connection::{Connection, DynInstrumentation, Instrumentation, InstrumentationEvent},
    result::Error,
};
use everpool_core::Fault;

use crate::driver::{Driver, TransactionStatus};

/// Stands in the instrumentation slot of a driver connection, remembers the worst error that passes,
/// and passes on what it is told. So it sees the errors of a program that uses the driver's connection
/// by `Deref`.
pub(super) struct Witness {
    user: DynInstrumentation,
    fault_of: fn(&Error) -> Fault,
    seen: Fault,
    /// What happens now is not the program's doing.
    muted: bool,
}

impl Witness {
    /// Called on a new connection, before anybody else gets it.
    pub(super) fn install<C: Driver>(connection: &mut C) {
        connection.set_instrumentation(Self {
            user: DynInstrumentation::default_instrumentation(),
            fault_of: C::fault,
            seen: Fault::Statement,
            muted: false,
        });
    }

    /// The witness of a connection, unless the program put something else in its place.
    pub(super) fn of<C: Connection>(connection: &mut C) -> Option<&mut Self> {
        connection.instrumentation().downcast_mut()
    }

    pub(super) fn user(&mut self) -> &mut DynInstrumentation {
        &mut self.user
    }

    /// Whose fault was the worst that went wrong on a connection, by what was seen and by what the
    /// client library knows. No I/O. Without a witness the library is not asked, because the program
    /// would see the question.
    pub(super) fn report<C: Driver>(connection: &mut C) -> Fault {
        let Some(witness) = Self::of(connection) else {
            return Fault::Statement;
        };
        let seen = witness.seen;
        if seen.is_disconnect() {
            return seen;
        }
        witness.muted = true;
        let status = connection.transaction_status();
        if let Some(witness) = Self::of(connection) {
            witness.muted = false;
        }
        match status {
            TransactionStatus::Dead => Fault::Server,
            _ => Fault::Statement,
        }
    }
}

impl Instrumentation for Witness {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if self.muted {
            return;
        }
        if let InstrumentationEvent::FinishQuery {
            error: Some(error), ..
        } = &event
        {
            self.seen = self.seen.max((self.fault_of)(error));
        }
        self.user.on_connection_event(event);
    }
}
