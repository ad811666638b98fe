//! What the outermost level of a session is on the database.

use super::{Control, ending::How};
use crate::JoinTransactionMode;

/// The outermost level of a session, and where it stands among the levels of its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Root {
    /// So many levels are around it, which are not the session's.
    around: usize,
    ownership: Ownership,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ownership {
    /// The session begins it and ends it.
    #[default]
    Own,
    /// It was open before, and the session ends it.
    Taken,
    /// It was open before, and the session may only undo it.
    Lent,
}

impl JoinTransactionMode {
    /// What the outermost level is where so many are open.
    pub(super) fn root(self, open: usize) -> Root {
        let ownership = match (self, open) {
            (_, 0) | (Self::CreateSavepoint, _) => Ownership::Own,
            (Self::ControlFully, _) => Ownership::Taken,
            (Self::RollbackOnly, _) | (Self::ConditionalSavepoint, 1) => Ownership::Lent,
            (Self::ConditionalSavepoint, _) => Ownership::Own,
        };
        let around = match ownership {
            Ownership::Own => open,
            Ownership::Taken | Ownership::Lent => open - 1,
        };
        Root { around, ownership }
    }
}

impl Root {
    /// How many levels are around the session's level with so many of its own around it. That is the number of
    /// its savepoint; 0 is a transaction.
    pub(super) fn number(self, depth: usize) -> u32 {
        u32::try_from(self.around + depth).unwrap_or(u32::MAX)
    }

    /// The reverse of [`number`](Self::number).
    pub(super) fn depth(self, number: u32) -> usize {
        (number as usize).saturating_sub(self.around)
    }

    /// Whether so many levels of a connection are enough for so many of the session's.
    #[inline]
    pub(super) fn is_within(self, levels: u32, depth: usize) -> bool {
        levels as usize >= self.around + depth
    }

    /// What begins the session's level at this depth; nothing if it is there.
    pub(super) fn begin(self, depth: usize) -> Option<Control> {
        let is_there = depth == 0 && self.ownership != Ownership::Own;
        (!is_there).then(|| match self.number(depth) {
            0 => Control::Begin,
            number => Control::Savepoint(number),
        })
    }

    /// Whether an end of the session ends its outermost level on the database.
    pub(super) fn ends(self, how: How) -> bool {
        self.ownership != Ownership::Lent || how == How::Rollback
    }

    /// How many levels stay open when the session is gone.
    pub(super) fn outside(self) -> usize {
        self.around + usize::from(self.ownership == Ownership::Lent)
    }
}
