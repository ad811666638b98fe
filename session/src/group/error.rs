use std::{error::Error, fmt};

use everpool_engine::twophase::Xid;

use super::Turn;
use crate::SessionError;

/// Why a transaction over several databases is not committed on all of them.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupError<E: Error + 'static> {
    /// The sessions that were given are not those of its branches, each once. Nothing was sent.
    Sessions {
        /// Its name.
        name: String,
    },
    /// It is committed nowhere.
    RolledBack {
        /// Why.
        error: SessionError<E>,
        /// What may be prepared all the same, with its locks: to be rolled back by its xid.
        in_doubt: Vec<Xid>,
    },
    /// Only one branch had anything to commit, and could not.
    Alone(SessionError<E>),
    /// All were prepared, and not all are committed.
    InDoubt {
        /// What is committed.
        committed: Vec<Xid>,
        /// What may be prepared still, with its locks, and why: to be committed by its xid.
        in_doubt: Vec<(Xid, SessionError<E>)>,
    },
}

impl<E: Error + 'static> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sessions { name } => write!(
                f,
                "commit() of {name} needs all sessions that were made for it, each once, and in the transaction that they were made for"
            ),
            Self::Alone(error) => error.fmt(f),
            Self::RolledBack { error, in_doubt } => {
                write!(f, "the transaction is committed nowhere: {error}")?;
                match in_doubt.is_empty() {
                    true => Ok(()),
                    false => write!(
                        f,
                        "; may be prepared still, to be ended by rollback_prepared: {}",
                        list(in_doubt)
                    ),
                }
            }
            Self::InDoubt {
                committed,
                in_doubt,
            } => {
                write!(f, "the transaction is committed, but not everywhere yet: ")?;
                write!(f, "committed: {}; ", list(committed))?;
                write!(
                    f,
                    "committed or prepared still, to be ended by commit_prepared:"
                )?;
                let mut separator = " ";
                for (xid, error) in in_doubt {
                    write!(f, "{separator}{xid} ({error})")?;
                    separator = ", ";
                }
                Ok(())
            }
        }
    }
}

fn list(xids: &[Xid]) -> String {
    match xids {
        [] => "none".to_owned(),
        xids => xids
            .iter()
            .map(Xid::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

impl<E: Error + 'static> Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Sessions { .. } => None,
            Self::RolledBack { error, .. } | Self::Alone(error) => Some(error),
            Self::InDoubt { in_doubt, .. } => in_doubt.first().map(|(_, error)| error as _),
        }
    }
}

/// A branch, after its turn.
pub(crate) struct Voter {
    pub(crate) xid: Option<Xid>,
    /// There was anything of it on its database.
    pub(crate) was_begun: bool,
    /// It is prepared still.
    pub(crate) is_prepared: bool,
}

/// What came of the turns so far.
#[derive(Debug)]
pub(crate) struct Record<E: Error + 'static> {
    first: Option<(Turn, SessionError<E>)>,
    committed: Vec<Xid>,
    /// What may be prepared though all is rolled back.
    leftover: Vec<Xid>,
    in_doubt: Vec<(Xid, SessionError<E>)>,
}

impl<E: Error + 'static> Record<E> {
    pub(crate) fn new() -> Self {
        Self {
            first: None,
            committed: Vec::new(),
            leftover: Vec::new(),
            in_doubt: Vec::new(),
        }
    }

    pub(crate) fn note(&mut self, turn: Turn, of: Voter, answer: Result<(), SessionError<E>>) {
        match (turn, answer, of.xid) {
            (Turn::Commit(_), Ok(()), xid) if of.was_begun => self.committed.extend(xid),
            (Turn::Commit(_), Err(error), Some(xid)) => self.in_doubt.push((xid, error)),
            (Turn::RollBack(_), Err(_), xid) if of.is_prepared => self.leftover.extend(xid),
            (_, Err(SessionError::InDoubt(lost)), _) => {
                self.leftover.push(lost.xid.clone());
                self.fails(turn, SessionError::InDoubt(lost));
            }
            (_, Err(error), _) => self.fails(turn, error),
            (_, Ok(()), _) => {}
        }
    }

    fn fails(&mut self, turn: Turn, error: SessionError<E>) {
        self.first.get_or_insert((turn, error));
    }

    pub(crate) fn result(self) -> Result<(), GroupError<E>> {
        let Self {
            first,
            committed,
            leftover,
            in_doubt,
        } = self;
        match first {
            None if in_doubt.is_empty() => Ok(()),
            None => Err(GroupError::InDoubt {
                committed,
                in_doubt,
            }),
            Some((Turn::CommitAlone(_), error)) => Err(GroupError::Alone(error)),
            Some((_, error)) => Err(GroupError::RolledBack {
                error,
                in_doubt: leftover,
            }),
        }
    }
}
