//! Whose fault an error is, told by what the databases say.
//!
//! Each module is a table for one database, by its codes and by its messages. An adapter asks by the
//! code where its driver shows one, and by the message where it hides it; where a driver gives more
//! (a kind, a status of the connection), the adapter looks at that first. Codes are compared whole. A
//! phrase counts only where a server does not quote the statement's own words.
//!
//! `is_retryable…` says that the whole transaction may be tried once more. `is_read_only…` says that
//! this server takes no writes, as a primary does after a failover; under `read_only_is_disconnect`
//! such an error is a [`Fault::Server`]. Nothing here blocks or fails.

pub mod io;
pub mod mysql;
pub mod postgresql;
pub mod sqlite;

pub use everpool_core::{ConnectFault, Fault};

const fn transient_if(accepts_later: bool) -> ConnectFault {
    if accepts_later {
        ConnectFault::Transient
    } else {
        ConnectFault::Permanent
    }
}
