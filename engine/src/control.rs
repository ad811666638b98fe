//! Which statements begin and end transactions, in the words that transaction managers use.

use crate::events::Event;

/// What a statement that is sent alone does to the transaction, as an event; `None` if it is not one
/// of the statements by which a transaction manager speaks.
///
/// ```
/// use everpool_engine::{control, events::Event};
///
/// assert!(matches!(control::event("BEGIN ISOLATION LEVEL SERIALIZABLE"), Some(Event::Begin)));
/// assert!(matches!(control::event("SAVEPOINT one"), Some(Event::Savepoint("one"))));
/// assert!(control::event("SELECT 'COMMIT'").is_none());
/// assert!(control::event("BEGIN TRANSACTION; DELETE FROM t; COMMIT").is_none());
/// ```
pub fn event(statement: &str) -> Option<Event<'_>> {
    if statement.contains(';') {
        return None;
    }
    let (verb, rest) = statement.split_once(' ').unwrap_or((statement, ""));
    match verb {
        "BEGIN" => Some(Event::Begin),
        "COMMIT" if rest.is_empty() => Some(Event::Commit),
        "ROLLBACK" => match rest.strip_prefix("TO SAVEPOINT ") {
            Some(name) => Some(Event::RollbackSavepoint(name)),
            None if rest.is_empty() || rest.starts_with("AND NO CHAIN") => Some(Event::Rollback),
            None => None,
        },
        "SAVEPOINT" => Some(Event::Savepoint(rest)),
        "RELEASE" => rest.strip_prefix("SAVEPOINT ").map(Event::ReleaseSavepoint),
        _ => None,
    }
}
