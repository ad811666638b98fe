//! What an engine writes of its statements, through `tracing`.

use std::fmt::{self, Write as _};

use crate::Echo;

/// Writes an engine's statements to the target `everpool::engine`.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    echo: Echo,
    /// `logging_name`.
    name: Option<String>,
    /// The execution option `logging_token`.
    token: Option<String>,
    hide_parameters: bool,
}

impl Journal {
    /// Writes as `echo` says, under a name if there is one.
    pub fn new(echo: Echo, name: Option<String>, hide_parameters: bool) -> Self {
        Self {
            echo,
            name,
            token: None,
            hide_parameters,
        }
    }

    /// The same, with a token on each line.
    #[must_use]
    pub fn with_token(self, token: Option<String>) -> Self {
        Self { token, ..self }
    }

    /// Whether anything of it may be read: `echo` is on, or somebody reads the level `DEBUG`.
    #[inline]
    pub fn is_read(&self) -> bool {
        self.echo != Echo::Off
            || tracing::level_filters::LevelFilter::current() >= tracing::Level::DEBUG
    }

    /// A statement is sent. `parameters_after` stands between its text and its parameters.
    #[inline]
    pub fn statement(&self, statement: &dyn fmt::Display, parameters_after: &str) {
        let shown = self.shown(statement, parameters_after);
        let (name, token) = (self.name.as_deref(), self.token.as_deref());
        if self.echo == Echo::Off {
            tracing::debug!(target: "everpool::engine", name, token, "{shown}");
        } else {
            tracing::info!(target: "everpool::engine", name, token, "{shown}");
        }
    }

    /// It was answered.
    #[inline]
    pub fn answered(&self, error: Option<&dyn fmt::Display>) {
        if self.echo != Echo::Debug {
            return;
        }
        let (name, token) = (self.name.as_deref(), self.token.as_deref());
        let error = error.map(tracing::field::display);
        tracing::debug!(target: "everpool::engine", name, token, error, "answered");
    }

    fn shown<'a>(
        &'a self,
        statement: &'a dyn fmt::Display,
        parameters_after: &'a str,
    ) -> Shown<'a> {
        Shown {
            statement,
            hidden_after: self.hide_parameters.then_some(parameters_after),
        }
    }
}

struct Shown<'a> {
    statement: &'a dyn fmt::Display,
    /// Where the parameters begin, if they are not to be seen.
    hidden_after: Option<&'a str>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mark) = self.hidden_after else {
            return self.statement.fmt(f);
        };
        let mut text = String::new();
        write!(text, "{}", self.statement)?;
        // The first one: a statement that has these words in its text is cut too early, not too late.
        match text.split_once(mark) {
            Some((sql, _)) => write!(
                f,
                "{sql} [SQL parameters hidden due to hide_parameters=True]"
            ),
            None => f.write_str(&text),
        }
    }
}
