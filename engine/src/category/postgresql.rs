//! PostgreSQL, as psycopg2 has it: by the class of the SQLSTATE.

use super::Category;
use crate::fault::postgresql::{by_message as fault_by_message, unquoted};

/// The category of a SQLSTATE. Class 08 is operational, as in psycopg 3; psycopg2 has nothing for it.
///
/// ```
/// use everpool_engine::category::{Category, postgresql::by_sqlstate};
///
/// assert_eq!(by_sqlstate("42601"), Category::Programming);
/// assert_eq!(by_sqlstate("57014"), Category::Operational);
/// ```
pub fn by_sqlstate(sqlstate: &str) -> Category {
    let Some(class) = sqlstate.get(..2) else {
        return Category::Database;
    };
    match class {
        "0A" => Category::NotSupported,
        "22" => Category::Data,
        "23" => Category::Integrity,
        "20" | "21" | "3D" | "3F" | "42" | "44" => Category::Programming,
        "24" | "25" | "2B" | "2D" | "2F" | "38" | "39" | "3B" => Category::Internal,
        "08" | "26" | "27" | "28" | "34" | "40" => Category::Operational,
        _ => by_first_letter(class),
    }
}

/// Classes 53 to 58, F0, HV, P0 and XX.
fn by_first_letter(class: &str) -> Category {
    match class.as_bytes().first() {
        Some(b'5' | b'H') => Category::Operational,
        Some(b'F' | b'P' | b'X') => Category::Internal,
        _ => Category::Database,
    }
}

const BY_WORDS: &[(&str, Category)] = &[
    ("violates not-null constraint", Category::Integrity),
    ("violates unique constraint", Category::Integrity),
    ("violates foreign key constraint", Category::Integrity),
    ("violates check constraint", Category::Integrity),
    ("violates exclusion constraint", Category::Integrity),
    ("invalid input syntax for", Category::Data),
    ("value too long for type", Category::Data),
    ("division by zero", Category::Data),
    ("out of range", Category::Data),
    ("numeric field overflow", Category::Data),
    ("syntax error", Category::Programming),
    ("does not exist", Category::Programming),
    ("already exists", Category::Programming),
    ("permission denied", Category::Programming),
    ("cached plan must not change", Category::NotSupported),
    ("not supported", Category::NotSupported),
    ("not implemented", Category::NotSupported),
    ("current transaction is aborted", Category::Internal),
    ("in a read-only transaction", Category::Internal),
    ("during recovery", Category::Internal),
    ("canceling statement due to", Category::Operational),
    ("could not serialize access", Category::Operational),
    ("deadlock detected", Category::Operational),
];

/// The category by the server's message in English, where the driver hides the SQLSTATE. What is
/// quoted in it does not count. A lost connection is operational; what is not known is
/// [`Category::Database`].
///
/// ```
/// use everpool_engine::category::{Category, postgresql::by_message};
///
/// let message = "duplicate key value violates unique constraint \"users_pkey\"";
/// assert_eq!(by_message(message), Category::Integrity);
/// ```
pub fn by_message(message: &str) -> Category {
    if fault_by_message(message).is_disconnect() {
        return Category::Operational;
    }
    if message.starts_with("prepared statement \"") {
        return Category::Operational;
    }
    let words = unquoted(message.lines().next().unwrap_or(""));
    let known = BY_WORDS.iter().find(|(phrase, _)| words.contains(phrase));
    known.map_or(Category::Database, |(_, category)| *category)
}
