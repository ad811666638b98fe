use super::opening;

/// Whether a server that takes no writes has said so, by SQLSTATE: 25006.
///
/// A primary that has become a standby says it to every write. It says the same in a transaction that
/// the program itself began as `READ ONLY`, so a program that writes in such ones should not have it
/// taken for a disconnect.
///
/// ```
/// use everpool_engine::fault::postgresql::is_read_only;
///
/// assert!(is_read_only("25006"));
/// assert!(!is_read_only("25P02"));
/// ```
pub fn is_read_only(sqlstate: &str) -> bool {
    sqlstate == "25006"
}

/// As [`is_read_only`], by the message.
///
/// ```
/// use everpool_engine::fault::postgresql::is_read_only_message;
///
/// assert!(is_read_only_message("cannot execute INSERT in a read-only transaction"));
/// assert!(is_read_only_message("cannot execute VACUUM during recovery"));
/// ```
pub fn is_read_only_message(message: &str) -> bool {
    let words = opening(message);
    words.starts_with("cannot execute ")
        && (words.ends_with(" in a read-only transaction") || words.ends_with(" during recovery"))
}
