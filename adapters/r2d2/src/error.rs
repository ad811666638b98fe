use std::fmt;

use everpool_core::CheckoutError;

use crate::connector::Failure;

/// Why a pool gave no connection: as a rule, because there was none in time.
///
/// It says what was waited for, the pool's numbers, the last error of a connect, and where the oldest
/// holder took its connection.
#[derive(Debug)]
pub struct Error(Cause);

#[derive(Debug)]
enum Cause {
    /// The pool was not filled in time; the last error of a connect.
    Unfilled(Option<Failure>),
    Checkout(CheckoutError<Failure>),
}

impl Error {
    pub(crate) fn unfilled(last: Option<Failure>) -> Self {
        Self(Cause::Unfilled(last))
    }

    pub(crate) fn checkout(refusal: CheckoutError<Failure>) -> Self {
        Self(Cause::Checkout(refusal))
    }
}

const TIMED_OUT: &str = "timed out waiting for connection";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Unfilled(None) => f.write_str(TIMED_OUT),
            Cause::Unfilled(Some(last)) => write!(f, "{TIMED_OUT}: {last}"),
            Cause::Checkout(CheckoutError::TimedOut(why)) => write!(f, "{TIMED_OUT}: {why}"),
            Cause::Checkout(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Cause::Unfilled(last) => last.as_ref().map(|last| last as _),
            Cause::Checkout(refusal) => refusal.source(),
        }
    }
}
