//! SQLite's write-ahead log. With it, neither the writer nor its readers wait for the other.

/// Sets it for a file, and for all who open that file from then on. Its answer is for [`check`]. While
/// somebody uses a file that does not have it yet, this is refused: "database is locked".
pub const STATEMENT: &str = "PRAGMA journal_mode = WAL";

/// Whether the file has it now.
///
/// ```
/// use everpool_engine::wal;
///
/// assert_eq!(wal::check("wal"), Ok(()));
/// assert!(wal::check("delete").is_err());
/// ```
///
/// # Errors
///
/// That the file has kept the journal mode that it had.
pub fn check(answer: &str) -> Result<(), NoWal> {
    match answer {
        "wal" => Ok(()),
        mode => Err(NoWal(mode.to_owned())),
    }
}

/// A file that cannot have a write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "sqlite_readers needs the journal mode `wal`, and this database stays in `{0}`; \
     put the file where processes can share memory, or leave sqlite_readers out"
)]
pub struct NoWal(String);
