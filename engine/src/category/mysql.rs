//! MySQL and MariaDB, as PyMySQL has it: by number.

use super::Category;
use crate::fault::mysql::begins;

/// The category of an error's number. It is PyMySQL's, but for failed CHECK constraints (3819,
/// 4025) and duplicates told in other words (1586, 1761, 1762): there those are operational, here
/// they are integrity errors, as on the other databases.
///
/// ```
/// use everpool_engine::category::{Category, mysql::by_code};
///
/// assert_eq!(by_code(1062), Category::Integrity);
/// assert_eq!(by_code(2013), Category::Operational);
/// ```
pub fn by_code(code: u16) -> Category {
    match code {
        0..1000 => Category::Internal,
        1007 | 1064 | 1102 | 1103 | 1110..=1113 | 1146 | 1149 | 1166 | 1179 => {
            Category::Programming
        }
        1171 | 1230 | 1263..=1265 | 1366 | 1367 | 1406 | 1441 => Category::Data,
        1048 | 1062 | 1215..=1217 | 1451 | 1452 => Category::Integrity,
        1586 | 1761 | 1762 | 3819 | 4025 => Category::Integrity,
        1196 | 1235 | 1286 | 1289 => Category::NotSupported,
        _ => Category::Operational,
    }
}

const BY_BEGINNING: &[(Category, &[&str])] = &[
    (
        Category::Integrity,
        &[
            "Duplicate entry ",
            "Cannot add or update a child row",
            "Cannot delete or update a parent row",
            "Cannot add foreign key constraint",
            "CONSTRAINT `",
            "Check constraint '",
        ],
    ),
    (
        Category::Programming,
        &[
            "You have an error in your SQL syntax",
            "Can't create database '",
        ],
    ),
    (
        Category::Data,
        &[
            "Data truncated for column",
            "Data too long for column",
            "Out of range value for column",
        ],
    ),
];

/// The category by the server's message in English, where the driver hides the number. It agrees
/// with [`by_code`] on the errors that are common, and what is not known is operational, as there.
///
/// ```
/// use everpool_engine::category::{Category, mysql::by_message};
///
/// assert_eq!(by_message("Duplicate entry '1' for key 'PRIMARY'"), Category::Integrity);
/// assert_eq!(by_message("Server has gone away"), Category::Operational);
/// ```
pub fn by_message(message: &str) -> Category {
    let mut known = BY_BEGINNING.iter();
    let found = known.find(|(_, phrases)| begins(message, phrases));
    match found {
        Some((category, _)) => *category,
        None if message.starts_with("Column '") && message.ends_with("' cannot be null") => {
            Category::Integrity
        }
        None if message.starts_with("Table '") && message.ends_with("' doesn't exist") => {
            Category::Programming
        }
        None => Category::Operational,
    }
}
