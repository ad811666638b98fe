//! Reading and setting what Diesel's transaction manager believes of a connection.

use std::num::NonZeroU32;

use diesel::connection::{
    AnsiTransactionManager, Connection, InTransactionStatus, TransactionDepthChange,
    TransactionManager, TransactionManagerStatus, ValidTransactionManagerStatus,
};

use crate::driver::Driver;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::{driver::TransactionStatus, tap::Tap};

fn status<C>(connection: &mut C) -> &mut TransactionManagerStatus
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    AnsiTransactionManager::transaction_manager_status_mut(connection)
}

fn open_transaction(status: &TransactionManagerStatus) -> Option<&InTransactionStatus> {
    match status {
        TransactionManagerStatus::Valid(valid) => valid.in_transaction.as_ref(),
        TransactionManagerStatus::InError => None,
    }
}

fn with_depth(depth: u32) -> TransactionManagerStatus {
    let mut status = ValidTransactionManagerStatus::default();
    for _ in 0..depth {
        let level = status.change_transaction_depth(TransactionDepthChange::IncreaseDepth);
        level.expect("a level can always be added");
    }
    TransactionManagerStatus::Valid(status)
}

/// Makes Diesel believe that `depth` levels are open.
pub(crate) fn set_depth<C>(connection: &mut C, depth: u32)
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    *status(connection) = with_depth(depth);
}

/// Makes Diesel believe that `depth` levels were open and nothing but a rollback can follow.
pub(crate) fn set_lost<C>(connection: &mut C, depth: u32)
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    set_depth(connection, depth);
    status(connection).set_requires_rollback_maybe_up_to_top_level(true);
}

/// Makes Diesel forget the levels above `depth`, which end with it.
pub(crate) fn lower<C>(connection: &mut C, depth: NonZeroU32)
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    if let TransactionManagerStatus::Valid(valid) = status(connection)
        && let Some(open) = &mut valid.in_transaction
    {
        open.transaction_depth = open.transaction_depth.min(depth);
    }
}

/// How many levels are open; `None` if Diesel has lost count.
#[inline]
pub(crate) fn depth<C>(connection: &mut C) -> Option<u32>
where
    C: Connection<TransactionManager = AnsiTransactionManager>,
{
    let depth = status(connection).transaction_depth().ok()?;
    Some(depth.map_or(0, NonZeroU32::get))
}

/// Whether the program asked for a transaction that is never to end (`begin_test_transaction`).
pub(crate) fn is_test_transaction<C: Driver>(connection: &mut C) -> bool {
    open_transaction(status(connection)).is_some_and(|open| open.test_transaction)
}

/// What the client library knows of the transaction, without I/O.
///
/// Diesel does not say it, but after a statement it writes what the library knows into its own
/// transaction status, which may be set and read. So: set it to a known value, have Diesel look
/// without sending anything (`look` must fail before it sends), read, and put the old value back. If
/// Diesel stops looking some day the known value is still there, and reads as "maybe open".
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn probe<C: Driver>(connection: &mut C, look: impl FnOnce(&mut C)) -> TransactionStatus {
    let believed = std::mem::replace(status(connection), with_depth(1));
    Tap::mute(connection, true);
    look(connection);
    Tap::mute(connection, false);
    let seen = std::mem::replace(status(connection), believed);
    match (&seen, open_transaction(&seen)) {
        (TransactionManagerStatus::InError, _) => TransactionStatus::Dead,
        (_, None) => TransactionStatus::Idle,
        (_, Some(open)) if open.requires_rollback_maybe_up_to_top_level => {
            TransactionStatus::Failed
        }
        (_, Some(_)) => TransactionStatus::MaybeOpen,
    }
}
