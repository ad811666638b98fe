use core::{fmt, panic::Location};

use super::time::Time;

/// Who asks for a connection: the place in the code, and the thread or task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Borrower {
    /// Where the checkout was called.
    pub place: &'static Location<'static>,
    /// The thread or task; 0 is nobody known. No two that live at the same time have the same.
    pub owner: usize,
}

impl Borrower {
    /// The code that calls this, on behalf of nobody known.
    #[track_caller]
    pub fn here() -> Self {
        Self {
            place: Location::caller(),
            owner: 0,
        }
    }
}

/// Who has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who asked for it.
    pub borrower: Borrower,
    /// When it was lent; `NEVER` if nobody looked at the clock.
    pub(super) since: Time,
    pub(super) number: u64,
}

impl Holder {
    /// Checkouts are numbered: whoever has the lowest number holds its connection for the longest
    /// time.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was lent, if the pool looked at the clock: options that limit or measure a connection's
    /// age, rest or use make it do so.
    pub fn since(&self) -> Option<Time> {
        (self.since != Time::NEVER).then_some(self.since)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checked out at {}", self.borrower.place)
    }
}
