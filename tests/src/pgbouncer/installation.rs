//! The PgBouncer that is installed here, and the account it may run as.

use std::path::PathBuf;
use std::process::Command;

use crate::ServerError;
use crate::account::Account;
use crate::program::{locate, run};

#[derive(Debug)]
pub(super) struct Installation {
    /// The one that PostgreSQL runs as: nobody else reaches its socket.
    account: Account,
    program: PathBuf,
    version: (u32, u32),
}

impl Installation {
    pub(super) fn find() -> Result<Self, ServerError> {
        let program = locate("pgbouncer", "pgbouncer")?;
        Ok(Installation {
            account: Account::find("postgres")?,
            version: version(&program)?,
            program,
        })
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// Major and minor.
    pub(super) fn version(&self) -> (u32, u32) {
        self.version
    }

    /// Never runs as root.
    pub(super) fn command(&self) -> Command {
        self.account.command(&self.program)
    }
}

fn version(program: &PathBuf) -> Result<(u32, u32), ServerError> {
    let said = run("pgbouncer", Command::new(program).arg("--version"))?;
    parse_version(&said).ok_or(ServerError::Unintelligible {
        program: "pgbouncer",
        said,
    })
}

/// Of `PgBouncer 1.18.0`, and perhaps more lines.
fn parse_version(said: &str) -> Option<(u32, u32)> {
    let version = said.strip_prefix("PgBouncer ")?.lines().next()?;
    let mut numbers = version.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_first_line() {
        let said = "PgBouncer 1.18.0\nlibevent 2.1.12-stable\nadns: c-ares 1.18.1";
        assert_eq!(parse_version(said), Some((1, 18)));
        assert_eq!(parse_version("PgBouncer 2.0"), Some((2, 0)));
        assert_eq!(parse_version("pgbouncer: not found"), None);
    }
}
