//! A server's own directory.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::ServerError;
use crate::account::Account;
use crate::guard::Guard;

/// A directory of the server's account, removed when it is dropped, and when our process dies.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Dropped first: the guard then finds nothing to do.
    directory: TempDir,
    _guard: Guard,
}

impl Directory {
    pub(crate) fn create(account: &Account) -> Result<Self, ServerError> {
        let directory = private().map_err(ServerError::at("make a directory"))?;
        let guard = Guard::over(directory.path()).map_err(ServerError::at("guard a directory"))?;
        account.give(directory.path())?;
        Ok(Directory {
            directory,
            _guard: guard,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the server's words go.
    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("log")
    }
}

/// In `/tmp` whatever TMPDIR says: a socket's path holds about a hundred bytes, and the account that the
/// server runs as must reach it.
fn private() -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("everpool-")
        .tempdir_in("/tmp")
}
