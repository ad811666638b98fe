//! PostgreSQL, and the poolers that speak for it: PgBouncer, Odyssey, Supavisor.
//!
//! By severity and SQLSTATE where the driver shows them, else by the messages of libpq and of the
//! server. The server translates its messages (`lc_messages`); libpq does not unless the program
//! calls `setlocale`.

mod code;
mod connect;
mod message;
mod read_only;
mod retry;

pub use code::{Severity, by_report, by_sqlstate};
pub use connect::{connect_by_message, connect_by_sqlstate};
pub use message::by_message;
pub use read_only::{is_read_only, is_read_only_message};
pub use retry::{is_retryable, is_retryable_message};

/// The first line without its severity, up to the first quotation: after it, it may be the
/// statement's own words.
fn opening(message: &str) -> &str {
    let line = message.lines().next().unwrap_or("");
    let words = line.split('"').next().unwrap_or("");
    let severity = ["FATAL:  ", "ERROR:  ", "PANIC:  "];
    let bare = severity.iter().find_map(|name| words.strip_prefix(name));
    bare.unwrap_or(words).trim_end()
}

/// The message without its quotations: names of hosts, users, tables.
pub(crate) fn unquoted(message: &str) -> String {
    message.split('"').step_by(2).collect()
}
