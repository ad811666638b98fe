//! A transaction over several databases, as values: its name and those of its branches, in which order they
//! vote and end, and what an end that has failed in the middle leaves behind. `global.rs` beside each face
//! carries it out.

mod ballot;
mod error;
mod recovery;

pub use ballot::{Ballot, Turn};
pub use error::GroupError;
pub(crate) use error::{Record, Voter};
pub(crate) use recovery::by_name;

use everpool_engine::{
    Backend,
    twophase::{Xid, XidError},
};

/// The name of a transaction over several databases, and how many branches it has so far.
///
/// ```
/// use everpool_engine::Backend;
/// use everpool_session::Group;
///
/// let mut group = Group::named("transfer-7");
/// let [orders, stock] = [Backend::Postgresql, Backend::Mysql].map(|backend| group.branch(backend));
/// assert_eq!(orders?.to_string(), "transfer-7.1");
/// assert_eq!(stock?.global(), "transfer-7");
/// # Ok::<(), everpool_engine::twophase::XidError>(())
/// ```
#[derive(Debug)]
pub struct Group {
    name: String,
    branches: u32,
}

impl Group {
    /// One whose name nobody else has.
    ///
    /// # Errors
    ///
    /// That there is no randomness to be had.
    pub fn random() -> Result<Self, XidError> {
        let name = Xid::random(Backend::Postgresql)?;
        Ok(Self::named(name.to_string()))
    }

    /// One of this name, which no other may have that is not over.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            branches: 0,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of one more branch of it.
    ///
    /// # Errors
    ///
    /// What is wrong with the name; or that the database has no two-phase transactions.
    pub fn branch(&mut self, backend: Backend) -> Result<Xid, XidError> {
        let xid = Xid::of_branch(backend, &self.name, self.branches + 1)?;
        self.branches += 1;
        Ok(xid)
    }

    /// Whether these are its branches, each once.
    pub(crate) fn is_of(&self, xids: &[Option<Xid>]) -> bool {
        let mut numbers: Vec<_> = xids
            .iter()
            .flatten()
            .filter(|xid| xid.global() == self.name)
            .filter_map(Xid::branch)
            .collect();
        numbers.sort_unstable();
        numbers.len() == xids.len() && numbers.into_iter().eq(1..=self.branches)
    }
}
