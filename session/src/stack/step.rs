//! What a stack asks of its face, and what it is told.

use super::{SessionTransaction, callbacks::Callback};

/// What a face does next.
#[derive(Debug)]
pub enum Step {
    /// Nothing more.
    Done,
    /// A connection is taken, unless there is one: [`checked_out`](super::Stack::checked_out).
    Checkout,
    /// This is sent, and the stack told whether it [`succeeded`](super::Stack::succeeded) or
    /// [`failed`](super::Stack::failed).
    Send(Control),
    /// The stack is told how the transaction with so many levels stands: [`saw`](super::Stack::saw).
    Look(u32),
    /// The server is asked which transaction this is: [`identified`](super::Stack::identified), or
    /// `failed`.
    Identify,
    /// Listeners are told of this.
    Tell(Moment, SessionTransaction),
    /// The connection returns to the pool.
    Release,
    /// The connection is given up: nobody knows what it would do next.
    Invalidate,
    /// What the program has left to be done after the transaction is done.
    Call(Callback),
}

/// What begins and ends transactions and savepoints. A savepoint is known by its number, counted from
/// the connection's outermost, which is 1; a number may be used again as soon as its savepoint is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// BEGIN
    Begin,
    /// SAVEPOINT
    Savepoint(u32),
    /// RELEASE SAVEPOINT, and of all that are inside of it.
    Release(u32),
    /// ROLLBACK TO SAVEPOINT. On a lost connection, nothing: it is undone. To the stack the savepoint is
    /// over then; to the database it is there until it is set again or the transaction ends.
    RollbackTo(u32),
    /// PREPARE TRANSACTION, of everything. If the database refuses, nothing is open afterwards, unless the
    /// connection is lost. After it, COMMIT and ROLLBACK are those of what is prepared: on a lost connection,
    /// they take another one.
    Prepare,
    /// COMMIT of everything. If the database refuses, nothing is open afterwards, unless the connection
    /// is lost.
    Commit,
    /// ROLLBACK of everything. On a lost connection, nothing: it is undone.
    Rollback,
}

/// What listeners can be told of: SQLAlchemy's `SessionEvents`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A level was begun. Nothing was sent for it.
    AfterTransactionCreate,
    /// BEGIN or SAVEPOINT was answered.
    AfterBegin,
    /// It is to be committed.
    BeforeCommit,
    /// It was committed, or released.
    AfterCommit,
    /// It was rolled back.
    AfterRollback,
    /// It is over, whatever became of it.
    AfterTransactionEnd,
    /// As `AfterRollback`, but the session can be used again.
    AfterSoftRollback,
}

impl Moment {
    /// SQLAlchemy's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AfterTransactionCreate => "after_transaction_create",
            Self::AfterBegin => "after_begin",
            Self::BeforeCommit => "before_commit",
            Self::AfterCommit => "after_commit",
            Self::AfterRollback => "after_rollback",
            Self::AfterTransactionEnd => "after_transaction_end",
            Self::AfterSoftRollback => "after_soft_rollback",
        }
    }
}

/// How a transaction stands, as far as it can be seen without asking the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing is known against it.
    Sound,
    /// A statement failed, and the database only waits for the end.
    Aborted,
    /// It was ended, or a savepoint of it, and not by the session.
    Ended,
    /// The connection is gone, and the transaction with it.
    Lost {
        /// Whether a savepoint was open.
        savepoint: bool,
    },
}

/// What is known when something that was sent was answered by an error, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The connection is lost.
    pub is_lost: bool,
    /// There is no time left to try another one.
    pub is_late: bool,
}

/// What a failure means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: what was asked for is so.
    Forgiven,
    /// Nothing: it is tried on another connection.
    Again,
    /// It is the caller's error.
    Told,
    /// It is the caller's error, and the connection returns to the pool first.
    ToldAfterRelease,
    /// It may be prepared, and nobody has it any more.
    InDoubt,
    /// It is not known whether the transaction is committed.
    OutcomeUnknown(Option<super::TransactionId>),
}
