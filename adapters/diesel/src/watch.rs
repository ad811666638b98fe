use std::sync::Arc;

use diesel::{connection::InstrumentationEvent, result::Error};
use everpool_engine::{
    EngineOptions, Journal,
    events::{Board, Event},
};

/// Between the statement and its parameters, in Diesel's way of showing a query.
pub(crate) const PARAMETERS: &str = " -- binds: ";

/// Who is told of an engine's statements: its listeners and its journal.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) board: Arc<Board>,
    pub(crate) journal: Journal,
}

impl Watch {
    pub(crate) fn new(options: &EngineOptions) -> Self {
        let name = options.logging_name().map(str::to_owned);
        let token = options.execution_options().logging_token();
        let journal = Journal::new(options.echo(), name, options.hide_parameters());
        Self {
            board: Arc::default(),
            journal: journal.with_token(token.map(str::to_owned)),
        }
    }

    /// The same, with a token on each line.
    pub(crate) fn with_token(&self, token: &str) -> Arc<Self> {
        Arc::new(Self {
            board: Arc::clone(&self.board),
            journal: self.journal.clone().with_token(Some(token.to_owned())),
        })
    }

    /// That of an option engine, which has listeners of its own.
    pub(crate) fn option(&self) -> Self {
        Self {
            board: Arc::new(Board::option_of(&self.board)),
            journal: self.journal.clone(),
        }
    }

    /// Tells who listens.
    pub(crate) fn tell(&self, event: &InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                self.journal.statement(query, PARAMETERS);
                self.board.tell(Event::BeforeCursorExecute(query));
            }
            InstrumentationEvent::FinishQuery { query, error, .. } => {
                self.journal.answered(error.map(|error| error as _));
                let error = error.map(|error: &Error| error as &(dyn std::error::Error + 'static));
                self.board.tell(Event::AfterCursorExecute(query, error));
            }
            _ => {}
        }
    }
}
