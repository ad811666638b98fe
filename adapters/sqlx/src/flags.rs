use everpool_engine::{Backend, reader::Reader};
use sqlx::Error;

/// What is known of a driver's connection without asking it. This file alone changes it.
#[derive(Debug)]
pub(crate) struct Flags {
    backend: Backend,
    progress: Progress,
    reader: Reader,
    /// The program has had the driver's own connection, and nobody knows what it did.
    is_lent_out: bool,
    /// At which level of transaction a statement failed, so that PostgreSQL takes nothing but its end.
    failed_at: Option<usize>,
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
            failed_at: None,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    pub(crate) fn is_lent_out(&self) -> bool {
        self.is_lent_out
    }

    /// Whether a transaction may be open that a statement's text began.
    pub(crate) fn may_be_open(&self) -> bool {
        self.reader.may_be_open()
    }

    /// Whether the database would answer a COMMIT by a rollback and no error.
    pub(crate) fn is_aborted(&self) -> bool {
        self.failed_at.is_some() || self.reader.is_undone()
    }

    /// Whether nothing was left behind, as far as this can tell.
    pub(crate) fn is_clean(&self) -> bool {
        self.progress == Progress::Resting && !self.is_lent_out && !self.may_be_open()
    }

    /// A statement is about to be sent.
    #[inline]
    pub(crate) fn sends(&mut self, sql: &str) {
        self.progress = Progress::Sent;
        self.reader.sent(sql);
    }

    /// The next part of an answer is asked for.
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
        self.progress = Progress::Resting;
        self.reader.succeeded();
    }

    /// The answer was an error; `depth` levels of transaction are open.
    #[cold]
    pub(crate) fn failed(&mut self, error: &Error, depth: usize) {
        self.progress = Progress::Resting;
        let Some(error) = error.as_database_error() else {
            return;
        };
        self.reader.failed(error.message());
        let is_in_transaction = depth > 0 || self.may_be_open();
        if self.backend == Backend::Postgresql && is_in_transaction {
            self.failed_at = self.failed_at.or(Some(depth));
        }
    }

    /// The driver's transaction manager has begun or ended something; `depth` levels are open now.
    pub(crate) fn is_at(&mut self, depth: usize) {
        if self.failed_at.is_some_and(|failed| failed > depth) {
            self.failed_at = None;
        }
    }

    /// A two-phase transaction, which the driver's transaction manager knows nothing of, is over.
    pub(crate) fn twophase_ended(&mut self) {
        self.failed_at = None;
    }

    /// The program gets the driver's own connection.
    pub(crate) fn lent_out(&mut self) {
        self.is_lent_out = true;
    }

    /// Nothing is open any more, and the connection in step.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            reader: std::mem::replace(&mut self.reader, Reader::new(self.backend)),
            ..Self::new(self.backend)
        };
    }

    /// What the words mean on this connection is not known.
    pub(crate) fn distrust(&mut self) {
        self.reader.distrust();
    }
}
