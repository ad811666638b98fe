//! The MariaDB that is installed here, and the account it may run as.

use std::path::PathBuf;
use std::process::Command;

use crate::ServerError;
use crate::account::Account;
use crate::program::locate;

/// The part of `mariadb-server` that is no service of the machine's.
const SERVER: &str = "mariadb-server-core";
const CLIENT: &str = "mariadb-client-core";

#[derive(Debug)]
pub(super) struct Installation {
    account: Account,
    install_db: PathBuf,
    server: PathBuf,
    client: PathBuf,
}

impl Installation {
    pub(super) fn find() -> Result<Self, ServerError> {
        Ok(Installation {
            account: Account::find("mysql")?,
            install_db: locate("mariadb-install-db", SERVER)?,
            server: locate("mariadbd", SERVER)?,
            client: locate("mariadb", CLIENT)?,
        })
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// What makes a data directory; never runs as root.
    pub(super) fn install_db(&self) -> Command {
        self.account.command(&self.install_db)
    }

    /// The server; never runs as root.
    pub(super) fn server(&self) -> Command {
        self.account.command(&self.server)
    }

    /// The client; runs as ourselves.
    pub(super) fn client(&self) -> Command {
        Command::new(&self.client)
    }
}
