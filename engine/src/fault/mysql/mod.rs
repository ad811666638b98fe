//! MySQL and MariaDB, and the proxies that speak for them: MaxScale.
//!
//! By number where the driver shows it, else by message. The client libraries' texts are fixed
//! English; libmariadb says "server" where libmysqlclient says "MySQL server". The servers' texts are
//! those of `lc_messages`. A server quotes the statement in its messages, so that a phrase counts
//! only where the message begins.

mod code;
mod connect;
mod message;
mod read_only;
mod retry;

pub use code::by_code;
pub use connect::{connect_by_code, connect_by_message};
pub use message::by_message;
pub use read_only::{is_read_only, is_read_only_message};
pub use retry::{is_retryable, is_retryable_message};

pub(crate) fn begins(message: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| message.starts_with(phrase))
}
