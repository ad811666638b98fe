/// Whether a server that takes no writes has said so, by number: 1836, 1874, and 1290 if the option
/// that it names is a read-only one (`--read-only`, `--super-read-only`, `--innodb-read-only`; any
/// option that forbids a statement has this number).
///
/// 1792 is not among them: it is about a transaction that the program itself began as `READ ONLY`.
///
/// ```
/// use everpool_engine::fault::mysql::is_read_only;
///
/// let message = "The MariaDB server is running with the --read-only option \
///                so it cannot execute this statement";
/// assert!(is_read_only(1290, message));
/// assert!(!is_read_only(1792, "Cannot execute statement in a READ ONLY transaction"));
/// ```
pub fn is_read_only(code: u16, message: &str) -> bool {
    match code {
        1836 | 1874 => true,
        1290 => names_read_only(message),
        _ => false,
    }
}

/// As [`is_read_only`], by the message alone.
///
/// ```
/// use everpool_engine::fault::mysql::is_read_only_message;
///
/// assert!(is_read_only_message("Running in read-only mode"));
/// ```
pub fn is_read_only_message(message: &str) -> bool {
    message.starts_with("Running in read-only mode")
        || message.starts_with("InnoDB is in read only mode")
        || (message.starts_with("The M")
            && message.contains(" server is running with the --")
            && names_read_only(message))
}

fn names_read_only(message: &str) -> bool {
    let option = message
        .split_whitespace()
        .find(|word| word.starts_with("--"));
    option.is_some_and(|name| name.replace('_', "-").contains("read-only"))
}
