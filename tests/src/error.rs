//! Why a private server could not do as told.

use std::io;
use std::process::ExitStatus;

/// Why a private server could not do as told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A program is not installed, or not where it is looked for.
    #[error(
        "found no {program}: looked in {}; install the Debian package {package}, or put {program} on PATH",
        .looked_in.join(", ")
    )]
    Missing {
        /// What was looked for.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// The places looked in.
        looked_in: Vec<String>,
    },
    /// Started by root, and no account to run the server as: no server of ours runs as root.
    #[error(
        "no server is run as root: looked for the users {}; create one, or run as another user",
        .looked_for.join(", ")
    )]
    NoAccount {
        /// The names looked for.
        looked_for: Vec<String>,
    },
    /// The operating system refused a step.
    #[error("could not {step}")]
    System {
        /// What was being done.
        step: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program of the server ended with a failure.
    #[error("{program} failed ({status}):\n{said}")]
    Failed {
        /// The program: `postgres`, `mariadb`, …
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last lines it wrote.
        said: String,
    },
    /// A program said something that cannot be read.
    #[error("{program} said what cannot be read: {said}")]
    Unintelligible {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// The server did not get there in time.
    #[error("the server did not {step} in time; its last lines:\n{said}")]
    Late {
        /// What it was waited for to do.
        step: &'static str,
        /// The last lines of its log.
        said: String,
    },
    /// The server is stopped, and what was asked needs a running one.
    #[error("the server is not running")]
    NotRunning,
    /// The server is running, and what was asked needs a stopped one.
    #[error("the server is running already")]
    AlreadyRunning,
}

impl ServerError {
    /// For `map_err`: names the step that the operating system refused.
    pub(crate) fn at(step: &'static str) -> impl FnOnce(io::Error) -> ServerError {
        move |source| ServerError::System { step, source }
    }
}
