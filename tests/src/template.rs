//! A data directory of which every server of this process begins with a copy: to copy one takes far
//! less time than to initialise it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::ServerError;
use crate::account::Account;
use crate::directory::Directory;
use crate::program::run;

/// Kept until the process ends.
pub(crate) struct Template(Mutex<Option<Directory>>);

impl Template {
    pub(crate) const fn new() -> Self {
        Template(Mutex::new(None))
    }

    /// Makes `data`, which is not there yet. Whoever is the first has what is to be copied initialised, in the
    /// subdirectory `data` of a directory of the account's.
    pub(crate) fn copy(
        &self,
        account: &Account,
        data: &Path,
        initialise: impl FnOnce(&Path) -> Result<(), ServerError>,
    ) -> Result<(), ServerError> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let template = match made.take() {
            Some(template) => template,
            None => {
                let directory = Directory::create(account)?;
                initialise(directory.path())?;
                directory
            }
        };
        let template = made.insert(template).path().join("data");
        drop(made);
        let mut copy = account.command(Path::new("cp"));
        copy.arg("-R").arg(template).arg(data).current_dir("/");
        run("cp", &mut copy).map(drop)
    }
}
