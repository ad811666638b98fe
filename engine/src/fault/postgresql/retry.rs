use super::opening;

/// Whether the transaction may succeed if all of it is done once more, by SQLSTATE: 40001
/// (serialization failure) and 40P01 (deadlock).
///
/// 55P03 is not among them: the program asked not to wait for the lock (any longer). Nor is 40003,
/// after which nobody knows whether the statement was done.
///
/// ```
/// use everpool_engine::fault::postgresql::is_retryable;
///
/// assert!(is_retryable("40001"));
/// assert!(!is_retryable("23505"));
/// ```
pub fn is_retryable(sqlstate: &str) -> bool {
    matches!(sqlstate, "40001" | "40P01")
}

/// As [`is_retryable`], by the message.
///
/// ```
/// use everpool_engine::fault::postgresql::is_retryable_message;
///
/// assert!(is_retryable_message("deadlock detected"));
/// assert!(is_retryable_message("could not serialize access due to concurrent update"));
/// ```
pub fn is_retryable_message(message: &str) -> bool {
    let words = opening(message);
    words == "deadlock detected"
        || words.starts_with("could not serialize access ")
        || words == "canceling statement due to conflict with recovery"
        || words == "terminating connection due to conflict with recovery"
}
