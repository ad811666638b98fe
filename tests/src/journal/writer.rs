//! What a trial asks of a library: to do a transaction, and to say what came of it.

mod diesel;
mod sqlx;

use std::error::Error;
use std::time::Duration;

use everpool_diesel::EngineOptions;

pub(super) use self::diesel::DieselWriter;
pub(super) use self::sqlx::SqlxWriter;
use super::Failure;
use super::claim::Word;
use super::tally::kind;
use super::transaction::Transaction;

type SessionError<E> = everpool_session::SessionError<E>;

/// A worker's session, which it uses for one transaction after the other.
pub(super) trait Writer: Send + Sized + 'static {
    /// Shared by the workers of a trial.
    type Engine;

    fn engine(url: &str) -> Result<Self::Engine, Failure>;

    fn new(engine: &Self::Engine) -> Self;

    /// Blocks; on a server that does not answer, for as long as the library does.
    fn write(&mut self, transaction: &Transaction) -> Told;
}

/// What a worker was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) word: Word,
    /// The kind of error.
    pub(super) error: Option<String>,
    /// How often the engine did it again.
    pub(super) repeated: usize,
}

impl Told {
    /// Of a transaction to which COMMIT was not sent.
    fn undone<E: Error + 'static>(error: Option<SessionError<E>>) -> Self {
        Told {
            word: Word::RolledBack,
            error: error.map(|error| describe("before COMMIT", &error)),
            repeated: 0,
        }
    }

    fn committed<E: Error + 'static>(result: Result<(), SessionError<E>>) -> Self {
        Self::ended("at COMMIT", result)
    }

    /// Of a transaction that the engine has done so often.
    fn ran<E: Error + 'static>(result: Result<(), SessionError<E>>, attempts: usize) -> Self {
        Told {
            repeated: attempts.saturating_sub(1),
            ..Self::ended("in run", result)
        }
    }

    fn ended<E: Error + 'static>(step: &str, result: Result<(), SessionError<E>>) -> Self {
        let word = match &result {
            Ok(()) => Word::Acknowledged,
            Err(SessionError::CommitOutcomeUnknown(_)) => Word::Unknown,
            Err(_) => Word::RolledBack,
        };
        Told {
            word,
            error: result.err().map(|error| describe(step, &error)),
            repeated: 0,
        }
    }

    /// Of a transaction that was not waited for.
    fn given_up(commits: bool) -> Self {
        let (word, step) = match commits {
            true => (Word::Unknown, "at COMMIT: given up"),
            false => (Word::RolledBack, "before COMMIT: given up"),
        };
        Told {
            word,
            error: Some(step.to_owned()),
            repeated: 0,
        }
    }
}

fn describe<E: Error + 'static>(step: &str, error: &SessionError<E>) -> String {
    format!("{step}: {}", kind(&error.to_string()))
}

/// Fewer connections than workers, so that there is a queue; and a short patience with what hangs.
fn options() -> Result<EngineOptions, Failure> {
    let second = Duration::from_secs(1);
    let options = EngineOptions::builder()
        .pool_size(4)
        .max_overflow(3)
        .pool_timeout(3 * second)
        .pool_connect_timeout(2 * second)
        .pool_ping_timeout(second)
        .pool_reset_timeout(second)
        .pool_close_timeout(second);
    Ok(options.build()?)
}
