use std::fmt::{self, Write};

use diesel::{
    connection::{DebugQuery, InstrumentationEvent},
    result::Error,
};
use everpool_core::Fault;
use everpool_engine::reader::Reader;

use crate::{driver::Driver, watch::PARAMETERS};

/// What has been seen of a driver connection, whoever used it: also what went past the `Connection`.
/// It lives as long as the connection, whoever else watches.
pub(crate) struct Seen {
    fault: fn(&Error) -> Fault,
    worst: Fault,
    /// Who has it now has set the size of its statement cache.
    pub(crate) has_cache_size_of_its_user: bool,
    pub(crate) reader: Option<Reader>,
    /// The server said that it does not take a ROLLBACK as a prepared statement.
    #[cfg(feature = "mysql")]
    pub(crate) prepares_no_rollback: bool,
    #[cfg(feature = "postgres")]
    notifications: Vec<diesel::pg::PgNotification>,
}

impl Seen {
    /// Of a new connection.
    pub(crate) fn nothing_yet<C: Driver>() -> Self {
        Self {
            fault: C::fault,
            worst: Fault::Statement,
            has_cache_size_of_its_user: false,
            reader: C::reader(),
            #[cfg(feature = "mysql")]
            prepares_no_rollback: false,
            #[cfg(feature = "postgres")]
            notifications: Vec::new(),
        }
    }

    /// Of a connection that nobody watched for a while.
    pub(crate) fn not_everything<C: Driver>() -> Self {
        let mut seen = Self::nothing_yet::<C>();
        if let Some(reader) = &mut seen.reader {
            reader.distrust();
        }
        seen
    }

    #[inline]
    pub(crate) fn take_note(&mut self, event: &InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                if let Some(reader) = &mut self.reader {
                    reader.sent(&text_of(*query));
                }
            }
            InstrumentationEvent::FinishQuery { error: None, .. } => {
                if let Some(reader) = &mut self.reader {
                    reader.succeeded();
                }
            }
            InstrumentationEvent::FinishQuery {
                error: Some(error), ..
            } => self.failed(error),
            _ => {}
        }
    }

    fn failed(&mut self, error: &Error) {
        self.worst = self.worst.max((self.fault)(error));
        if let Some(reader) = &mut self.reader {
            reader.failed(&error.to_string());
        }
    }

    /// Whether its user has set the size of its statement cache since this was asked last.
    pub(crate) fn take_cache_size_of_its_user(&mut self) -> bool {
        std::mem::take(&mut self.has_cache_size_of_its_user)
    }

    /// The worst fault that was seen since this was asked last.
    pub(crate) fn take_fault(&mut self) -> Fault {
        std::mem::replace(&mut self.worst, Fault::Statement)
    }
}

#[cfg(feature = "postgres")]
impl Seen {
    /// Keeps what a look at the socket has brought along, for whoever listens.
    pub(crate) fn keep_notification(&mut self, notification: diesel::pg::PgNotification) {
        self.notifications.push(notification);
    }

    pub(crate) fn take_notifications(&mut self) -> Vec<diesel::pg::PgNotification> {
        std::mem::take(&mut self.notifications)
    }
}

/// The SQL of a statement. What Diesel shows of a typed query has the values of its parameters behind
/// it; those are neither formatted nor read.
fn text_of(query: &dyn DebugQuery) -> String {
    let mut text = WithoutParameters(String::new());
    // Stopping is the only error.
    let _stopped = write!(text, "{query}");
    text.0
}

struct WithoutParameters(String);

impl Write for WithoutParameters {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if part.starts_with(PARAMETERS) {
            return Err(fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}
