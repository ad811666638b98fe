//! Whom the servers run as.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::ServerError;

/// Whom a server runs as: never root.
#[derive(Debug)]
pub(crate) struct Account {
    /// `Some` when it is not us.
    other: Option<User>,
}

impl Account {
    /// Ourselves; or, if we are root, the server's usual account, or else `nobody`: a server that is only
    /// a child of a test owns nothing else.
    pub(crate) fn find(usual: &str) -> Result<Self, ServerError> {
        if !geteuid().is_root() {
            return Ok(Account { other: None });
        }
        let names = [usual, "nobody"];
        for name in names {
            if let Some(user) = look_up(name)? {
                return Ok(Account { other: Some(user) });
            }
        }
        Err(ServerError::NoAccount {
            looked_for: names.map(String::from).to_vec(),
        })
    }

    /// A program that runs as this account.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(user) = &self.other {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Hands a directory to this account.
    pub(crate) fn give(&self, directory: &Path) -> Result<(), ServerError> {
        let Some(user) = &self.other else {
            return Ok(());
        };
        chown(directory, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .map_err(ServerError::at("hand the server its directory"))
    }
}

fn look_up(name: &str) -> Result<Option<User>, ServerError> {
    User::from_name(name)
        .map_err(|error| ServerError::at("look up a user for the server")(error.into()))
}
