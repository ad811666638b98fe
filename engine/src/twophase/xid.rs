use std::fmt;

use crate::Backend;

/// The name of a two-phase transaction. One that exists can stand between the quotes of an SQL
/// literal as it is: it has no quote and no backslash, and its database has room for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xid {
    backend: Backend,
    name: String,
}

/// The format that MySQL gives to a name without one.
const DEFAULT_FORMAT: i64 = 1;

impl Xid {
    /// A name of the program's own choice: printable ASCII without `'` and `\`, of 1 to 64 bytes on
    /// MySQL and 1 to 199 on PostgreSQL.
    ///
    /// # Errors
    ///
    /// What is wrong with the name; or that the database has no two-phase transactions.
    pub fn new(backend: Backend, name: &str) -> Result<Self, XidError> {
        let longest = match backend {
            Backend::Postgresql => 199,
            Backend::Mysql => 64,
            Backend::Sqlite => return Err(XidError::NoTwoPhase { backend }),
        };
        if name.is_empty() || name.len() > longest {
            return Err(XidError::Length {
                length: name.len(),
                longest,
                backend,
            });
        }
        match name.chars().find(|character| !is_plain(*character)) {
            Some(character) => Err(XidError::Character(character)),
            None => Ok(Self {
                backend,
                name: name.to_owned(),
            }),
        }
    }

    /// A name that nobody else has: `_ep_` and 128 bits from the operating system's source of
    /// randomness, in hexadecimal.
    ///
    /// # Errors
    ///
    /// That there is no randomness to be had; or no two-phase transactions.
    pub fn random(backend: Backend) -> Result<Self, XidError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Self::new(backend, &format!("_ep_{:032x}", u128::from_be_bytes(bytes)))
    }

    /// The name of a branch of a transaction over several databases: the transaction's name, a point, and the
    /// branch's number.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`], of the whole.
    pub fn of_branch(backend: Backend, global: &str, branch: u32) -> Result<Self, XidError> {
        Self::new(backend, &format!("{global}.{branch}"))
    }

    /// What the branches of one transaction have in common; without a branch, the whole name.
    ///
    /// ```
    /// use everpool_engine::{Backend, twophase::Xid};
    ///
    /// let xid = Xid::of_branch(Backend::Postgresql, "transfer-7", 2)?;
    /// assert_eq!((xid.global(), xid.branch()), ("transfer-7", Some(2)));
    /// let xid = Xid::new(Backend::Postgresql, "v1.x")?;
    /// assert_eq!((xid.global(), xid.branch()), ("v1.x", None));
    /// # Ok::<(), everpool_engine::twophase::XidError>(())
    /// ```
    pub fn global(&self) -> &str {
        self.parts().map_or(&self.name, |(global, _)| global)
    }

    /// Which branch of its transaction it is, if it is one.
    pub fn branch(&self) -> Option<u32> {
        self.parts().map(|(_, branch)| branch)
    }

    fn parts(&self) -> Option<(&str, u32)> {
        let (global, branch) = self.name.rsplit_once('.')?;
        Some((global, branch.parse().ok()?))
    }

    /// A name in a row of MySQL's `XA RECOVER`; none if it is not of the kind that [`Self::new`]
    /// makes, but another transaction manager's.
    ///
    /// ```
    /// use everpool_engine::twophase::Xid;
    ///
    /// let xid = Xid::from_recovered(1, 10, 0, "transfer-7");
    /// assert_eq!(xid.map(|xid| xid.to_string()).as_deref(), Some("transfer-7"));
    /// assert_eq!(Xid::from_recovered(1, 8, 2, "transfer-7"), None);
    /// ```
    pub fn from_recovered(
        format_id: i64,
        gtrid_length: u64,
        bqual_length: u64,
        data: &str,
    ) -> Option<Self> {
        let whole = usize::try_from(gtrid_length) == Ok(data.len());
        let ours = format_id == DEFAULT_FORMAT && bqual_length == 0 && whole;
        ours.then(|| Self::new(Backend::Mysql, data).ok())?
    }

    /// The database in whose words the statements are.
    pub fn backend(&self) -> Backend {
        self.backend
    }
}

/// What needs no escape in an SQL literal, whatever the session's modes are.
fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~') && !matches!(character, '\'' | '\\')
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A name that no two-phase transaction can have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XidError {
    /// The database has no two-phase transactions.
    #[error("{} has no two-phase transactions; use begin()", .backend.name())]
    NoTwoPhase {
        /// The database.
        backend: Backend,
    },
    /// The name is empty or too long.
    #[error("the xid has {length} bytes; {} takes 1 to {longest}", .backend.name())]
    Length {
        /// The name's, in bytes.
        length: usize,
        /// The database's limit, in bytes.
        longest: usize,
        /// The database.
        backend: Backend,
    },
    /// The name has a character that would need an escape.
    #[error("the xid has {0:?} in it; use printable ASCII without quotes ' and backslashes")]
    Character(char),
    /// The operating system gave no random bytes.
    #[error("no randomness for an xid; give one: {0}")]
    NoRandomness(#[from] getrandom::Error),
}
