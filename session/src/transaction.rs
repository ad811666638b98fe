//! What a session decides, as values.

use everpool_engine::PendingRollback;

/// How a session's transaction stands, as far as it can be seen without asking the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was sent. → Begun with the next statement
    Pending,
    /// BEGIN was answered. → Pending by commit or rollback, Aborted, Lost
    Begun,
    /// A statement failed, and the database only waits for the end. → Pending by rollback
    Aborted,
    /// The connection is gone, and the transaction with it. → Pending by rollback
    Lost {
        /// Whether a savepoint was open.
        savepoint: bool,
    },
}

/// What a commit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// There is nothing to commit.
    Nothing,
    /// COMMIT is sent.
    Send,
    /// It cannot be.
    Refuse(Refused),
}

/// Why COMMIT is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Aborted,
    Lost(PendingRollback),
}

pub(crate) fn commit(standing: Standing) -> Commit {
    match standing {
        Standing::Pending => Commit::Nothing,
        Standing::Begun => Commit::Send,
        Standing::Aborted => Commit::Refuse(Refused::Aborted),
        Standing::Lost { savepoint } => {
            Commit::Refuse(Refused::Lost(PendingRollback { savepoint }))
        }
    }
}

/// How often BEGIN is tried: on a connection that died while it rested, on one that met the server as
/// it went down, and once more.
const BEGIN_ATTEMPTS: u32 = 3;

/// Whether a BEGIN that failed for the `attempt`th time is sent again on another connection. Nothing
/// can be lost by that: no statement of the program was sent.
pub(crate) fn begins_again(attempt: u32, connection_lost: bool) -> bool {
    connection_lost && attempt < BEGIN_ATTEMPTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_begun_transaction_is_committed() {
        let lost = PendingRollback { savepoint: true };
        assert_eq!(commit(Standing::Pending), Commit::Nothing);
        assert_eq!(commit(Standing::Begun), Commit::Send);
        assert_eq!(commit(Standing::Aborted), Commit::Refuse(Refused::Aborted));
        assert_eq!(
            commit(Standing::Lost { savepoint: true }),
            Commit::Refuse(Refused::Lost(lost))
        );
    }

    #[test]
    fn begin_is_sent_again_only_after_a_disconnect_and_not_for_ever() {
        assert!(begins_again(1, true));
        assert!(!begins_again(1, false));
        assert!(!begins_again(BEGIN_ATTEMPTS, true));
    }
}
