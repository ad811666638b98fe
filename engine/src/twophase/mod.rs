//! Two-phase transactions: first prepared, then committed or rolled back, by whoever knows their
//! name. PostgreSQL has them (`PREPARE TRANSACTION`), MySQL and MariaDB too (`XA`); SQLite does not.

mod xid;

pub use xid::{Xid, XidError};

use crate::{Backend, transaction};

/// How far a two-phase transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Begun: statements belong to it.
    Begun,
    /// Prepared: it outlives its connection and its server, and holds its locks until it is ended.
    Prepared,
}

/// The statements of one two-phase transaction. Each list is sent in its order; when one fails, the
/// rest is not sent.
///
/// ```
/// use everpool_engine::{Backend, twophase::{Phase, Xid}};
///
/// let xid = Xid::new(Backend::Postgresql, "transfer-7")?;
/// assert_eq!(xid.begin(), "BEGIN");
/// assert_eq!(xid.prepare(), ["PREPARE TRANSACTION 'transfer-7'"]);
/// assert_eq!(xid.commit(Phase::Prepared), ["COMMIT PREPARED 'transfer-7'"]);
///
/// let xid = Xid::new(Backend::Mysql, "transfer-7")?;
/// assert_eq!(xid.prepare(), ["XA END 'transfer-7'", "XA PREPARE 'transfer-7'"]);
/// # Ok::<(), everpool_engine::twophase::XidError>(())
/// ```
impl Xid {
    /// What begins it.
    pub fn begin(&self) -> String {
        if self.is_xa() {
            format!("XA START '{self}'")
        } else {
            "BEGIN".to_owned()
        }
    }

    /// What prepares it.
    pub fn prepare(&self) -> Vec<String> {
        if self.is_xa() {
            vec![self.end(), format!("XA PREPARE '{self}'")]
        } else {
            vec![format!("PREPARE TRANSACTION '{self}'")]
        }
    }

    /// What keeps it. What is begun only is committed in one phase. What is prepared can be committed
    /// on any connection on which no transaction is open.
    pub fn commit(&self, phase: Phase) -> Vec<String> {
        match (self.is_xa(), phase) {
            (true, Phase::Begun) => vec![self.end(), format!("XA COMMIT '{self}' ONE PHASE")],
            (true, Phase::Prepared) => vec![format!("XA COMMIT '{self}'")],
            (false, Phase::Begun) => vec![transaction::commit(self.backend()).to_owned()],
            (false, Phase::Prepared) => vec![format!("COMMIT PREPARED '{self}'")],
        }
    }

    /// What takes it back. As [`Self::commit`].
    pub fn rollback(&self, phase: Phase) -> Vec<String> {
        match (self.is_xa(), phase) {
            (true, Phase::Begun) => vec![self.end(), format!("XA ROLLBACK '{self}'")],
            (true, Phase::Prepared) => vec![format!("XA ROLLBACK '{self}'")],
            (false, Phase::Begun) => vec![transaction::rollback(self.backend()).to_owned()],
            (false, Phase::Prepared) => vec![format!("ROLLBACK PREPARED '{self}'")],
        }
    }

    fn end(&self) -> String {
        format!("XA END '{self}'")
    }

    fn is_xa(&self) -> bool {
        self.backend() == Backend::Mysql
    }
}

/// The statement that asks for the transactions that are prepared. PostgreSQL answers with a column
/// of names, of this database only, because only here they can be ended; MySQL with rows for
/// [`Xid::from_recovered`].
///
/// ```
/// use everpool_engine::{Backend, twophase};
///
/// assert_eq!(twophase::recover(Backend::Mysql)?, "XA RECOVER");
/// assert!(twophase::recover(Backend::Sqlite).is_err());
/// # Ok::<(), everpool_engine::twophase::XidError>(())
/// ```
///
/// # Errors
///
/// [`XidError::NoTwoPhase`].
pub const fn recover(backend: Backend) -> Result<&'static str, XidError> {
    match backend {
        Backend::Postgresql => {
            Ok("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
        }
        Backend::Mysql => Ok("XA RECOVER"),
        Backend::Sqlite => Err(XidError::NoTwoPhase { backend }),
    }
}
