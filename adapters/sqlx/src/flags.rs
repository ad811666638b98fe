use everpool_engine::{Backend, reader::Reader};
use sqlx::Error;

use crate::classify;

/// What is known of a driver's connection without asking it. This file alone changes it.
#[derive(Debug)]
pub(crate) struct Flags {
    backend: Backend,
    progress: Progress,
    reader: Reader,
    /// The program has had the driver's own connection, and nobody knows what it did.
    is_lent_out: bool,
    /// The driver has rollbacks of levels of transaction to send before anything else.
    abandoned: Option<Abandoned>,
    own_end: OwnEnd,
    /// Nothing was sent since what was done in a test counts as committed.
    is_marked: bool,
    /// That it does was sent, and perhaps not answered.
    is_marking: bool,
    noted: Noted,
}

/// Whether the database has ended the transaction by itself, as SQLite does with some errors (`OR ROLLBACK`, a
/// full disk), while the driver counts its levels on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnEnd {
    /// → Possible
    No,
    /// There was an error, and nobody has asked. → No, Seen
    Possible,
    /// What follows is in another transaction, which takes nothing but a rollback. → No, with the next one
    Seen,
}

/// What was seen of statements since somebody asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noted {
    /// One met a conflict with another transaction.
    pub(crate) is_conflict: bool,
    /// One of the program's own ends transactions.
    pub(crate) is_end: bool,
}

/// The last of the rollbacks that wait to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abandoned {
    /// How many levels are left then.
    pub(crate) left: usize,
    /// What is sent.
    pub(crate) sql: &'static str,
}

/// How far the last operation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// To its end. → Sent
    Resting,
    /// It is under way, or was given up in the middle. → Resting, BetweenRows
    Sent,
    /// A row was answered, and the next one not asked for. → Sent; → Resting by reading the rest
    BetweenRows,
}

impl Flags {
    pub(crate) fn new(backend: Backend) -> Self {
        Self {
            backend,
            progress: Progress::Resting,
            reader: Reader::new(backend),
            is_lent_out: false,
            abandoned: None,
            own_end: OwnEnd::No,
            noted: Noted::default(),
            is_marked: false,
            is_marking: false,
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether an operation is under way, or was given up in the middle.
    pub(crate) fn is_cut(&self) -> bool {
        self.progress == Progress::Sent
    }

    /// Whether something is to be read, or to be sent, before the next statement.
    #[inline]
    pub(crate) fn is_behind(&self) -> bool {
        self.progress != Progress::Resting || self.abandoned.is_some() || self.may_have_ended()
    }

    /// Whether the database is to be asked if the transaction is still open.
    pub(crate) fn may_have_ended(&self) -> bool {
        self.own_end == OwnEnd::Possible && self.reader.may_be_open()
    }

    /// Whether the database has ended the transaction whose levels the driver counts.
    pub(crate) fn has_ended(&self) -> bool {
        self.own_end == OwnEnd::Seen
    }

    pub(crate) fn is_lent_out(&self) -> bool {
        self.is_lent_out
    }

    pub(crate) fn abandoned(&self) -> Option<Abandoned> {
        self.abandoned
    }

    /// Whether a transaction may be open that a statement's text began.
    pub(crate) fn may_be_open(&self) -> bool {
        self.reader.may_be_open()
    }

    /// Whether the database would answer a COMMIT by a rollback and no error.
    pub(crate) fn is_aborted(&self) -> bool {
        self.reader.is_undone()
    }

    /// Whether everything was answered, and read along.
    #[inline]
    pub(crate) fn is_in_order(&self) -> bool {
        !self.is_behind() && !self.is_lent_out
    }

    /// A statement is about to be sent.
    #[inline]
    pub(crate) fn sends(&mut self, sql: &str) {
        self.progress = Progress::Sent;
        self.is_marked = false;
        self.reader.sent(sql);
    }

    /// The same, of one of the program's.
    #[inline]
    pub(crate) fn passes(&mut self, sql: &str) {
        self.sends(sql);
        self.noted.is_end |= self.reader.is_ending();
    }

    pub(crate) fn take_noted(&mut self) -> Noted {
        std::mem::take(&mut self.noted)
    }

    /// The next part of an answer is asked for, or something that is no statement.
    #[inline]
    pub(crate) fn asks(&mut self) {
        self.progress = Progress::Sent;
    }

    /// A row came.
    #[inline]
    pub(crate) fn row(&mut self) {
        self.progress = Progress::BetweenRows;
    }

    /// The whole answer came.
    #[inline]
    pub(crate) fn succeeded(&mut self) {
        self.rests();
        self.reader.succeeded();
    }

    /// The answer was an error.
    #[cold]
    pub(crate) fn failed(&mut self, error: &Error) {
        self.rests();
        if self.backend == Backend::Sqlite && self.own_end == OwnEnd::No {
            self.own_end = OwnEnd::Possible;
        }
        self.noted.is_conflict |= classify::is_conflict(error);
        match error.as_database_error() {
            Some(error) => self.reader.failed(error.message()),
            None => self.reader.given_up(),
        }
    }

    /// Whether the last statement succeeds will not be known, whatever comes next.
    pub(crate) fn gives_up(&mut self) {
        self.reader.given_up();
    }

    /// The database was asked whether the transaction is still open.
    pub(crate) fn seen(&mut self, is_open: bool) {
        self.progress = Progress::Resting;
        self.own_end = if is_open { OwnEnd::No } else { OwnEnd::Seen };
    }

    fn rests(&mut self) {
        self.progress = Progress::Resting;
        self.abandoned = None;
    }

    /// The driver will send a rollback before anything else.
    pub(crate) fn abandons(&mut self, abandoned: Abandoned) {
        self.did(abandoned);
        self.abandoned = Some(abandoned);
    }

    /// It was sent, and answered.
    pub(crate) fn did(&mut self, abandoned: Abandoned) {
        self.reader.sent(abandoned.sql);
        self.reader.succeeded();
    }

    /// A two-phase transaction, which the driver's transaction manager knows nothing of, is over.
    pub(crate) fn twophase_ended(&mut self) {
        if self.is_aborted() {
            self.reader.missed();
        }
    }

    /// The program gets the driver's own connection.
    pub(crate) fn lent_out(&mut self) {
        self.is_lent_out = true;
        self.is_marked = false;
        if self.backend == Backend::Mysql {
            self.reader.distrust();
        }
    }

    /// The server answered a query of this crate's, whatever was done with the driver's own connection.
    pub(crate) fn echoed(&mut self) {
        if self.is_aborted() && self.backend == Backend::Postgresql {
            self.reader.missed();
        }
    }

    /// The server was asked whether its words mean what they meant at first.
    pub(crate) fn is_trusted(&mut self, is_as_at_first: bool) {
        if is_as_at_first {
            self.reader.trust();
        }
    }

    /// What is open stays open, and what was done with the driver's own connection was not read.
    pub(crate) fn left_open(&mut self) {
        if self.is_lent_out {
            self.reader.missed();
        }
    }

    /// The connection is in step and at rest.
    pub(crate) fn put_in_order(&mut self) {
        self.rests();
        self.is_lent_out = false;
        self.own_end = OwnEnd::No;
    }

    /// It is to count as committed.
    pub(crate) fn starts_to_mark(&mut self) {
        self.is_marking = true;
    }

    /// Whether nothing was sent after that, and nobody knows how far it came.
    pub(crate) fn is_marking(&self) -> bool {
        self.is_marking
    }

    /// What was done in a test so far counts as committed, or what does not is undone.
    pub(crate) fn marks(&mut self) {
        (self.is_marked, self.is_marking) = (true, false);
    }

    /// Whether what is sent next can be undone alone.
    pub(crate) fn is_marked(&self) -> bool {
        self.is_marked && !self.is_aborted()
    }

    /// What the words mean on this connection is not known.
    pub(crate) fn distrust(&mut self) {
        self.reader.distrust();
    }
}
