use super::begins;

/// Whether the transaction may succeed if all of it is done once more, by number: deadlocks (1213,
/// 1614), a row that changed since this transaction's snapshot (1020, MariaDB), and a rollback by
/// the group at COMMIT (3101).
///
/// A lock that did not come in time (1205) is among them: the server itself advises to restart the
/// transaction. It took the caller 50 s by default, so who tries again needs a bound on the time.
///
/// ```
/// use everpool_engine::fault::mysql::is_retryable;
///
/// assert!(is_retryable(1213));
/// assert!(!is_retryable(1062));
/// ```
pub fn is_retryable(code: u16) -> bool {
    matches!(code, 1020 | 1205 | 1213 | 1614 | 3101)
}

/// As [`is_retryable`], by the message.
///
/// ```
/// use everpool_engine::fault::mysql::is_retryable_message;
///
/// let message = "Deadlock found when trying to get lock; try restarting transaction";
/// assert!(is_retryable_message(message));
/// ```
pub fn is_retryable_message(message: &str) -> bool {
    let conflicts = [
        "Deadlock found when trying to get lock",
        "Lock wait timeout exceeded; try restarting transaction",
        "Record has changed since last read in table",
        "XA_RBDEADLOCK: ",
        "Plugin instructed the server to rollback the current transaction",
    ];
    begins(message, &conflicts)
}
