use std::{
    error::Error,
    fmt,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    EngineOptions, Journal,
    events::{Board, Event},
};

/// Who is told of an engine's statements: its listeners and its journal.
#[derive(Debug, Default)]
pub struct Watch {
    /// The listeners.
    pub board: Arc<Board>,
    /// What is written.
    pub journal: Journal,
}

impl Watch {
    /// That of an engine with these options.
    pub fn new(options: &EngineOptions) -> Self {
        let name = options.logging_name().map(str::to_owned);
        let token = options.execution_options().logging_token();
        let journal = Journal::new(options.echo(), name, options.hide_parameters());
        Self {
            board: Arc::default(),
            journal: journal.with_token(token.map(str::to_owned)),
        }
    }

    /// The same, with a token on each line.
    pub fn with_token(&self, token: &str) -> Arc<Self> {
        Arc::new(Self {
            board: Arc::clone(&self.board),
            journal: self.journal.clone().with_token(Some(token.to_owned())),
        })
    }

    /// That of an option engine, which has listeners of its own.
    #[must_use]
    pub fn option(&self) -> Self {
        Self {
            board: Arc::new(Board::option_of(&self.board)),
            journal: self.journal.clone(),
        }
    }

    /// Whether anybody may want to know of a statement.
    #[inline]
    pub fn is_told(&self) -> bool {
        self.journal.is_read() || self.board.is_any_heard().load(Ordering::Relaxed)
    }

    /// A statement is to be sent. `parameters_after` stands between its text and its parameters.
    pub fn sends(&self, statement: &dyn fmt::Display, parameters_after: &str) {
        self.journal.statement(statement, parameters_after);
        self.board.tell(Event::BeforeCursorExecute(statement));
    }

    /// It was answered.
    pub fn answered<E: Error + 'static>(&self, statement: &dyn fmt::Display, error: Option<&E>) {
        self.journal.answered(error.map(|error| error as _));
        let error = error.map(|error| error as &(dyn Error + 'static));
        self.board.tell(Event::AfterCursorExecute(statement, error));
    }
}
