//! Errors of the operating system, for drivers that pass them on.
//!
//! On an open connection each of them is [`Fault::Server`](super::Fault::Server): the connection is
//! gone, and who closed it is not told.

use std::io::{Error, ErrorKind};

use super::{ConnectFault, transient_if};

/// Whether the server may accept soon, by the error of a failed connect. A socket file that is not
/// there will be when its server is.
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use everpool_engine::fault::{ConnectFault, io::connect_by_error};
///
/// let refused = Error::from(ErrorKind::ConnectionRefused);
/// assert_eq!(connect_by_error(&refused), ConnectFault::Transient);
/// let denied = Error::from(ErrorKind::PermissionDenied);
/// assert_eq!(connect_by_error(&denied), ConnectFault::Permanent);
/// ```
pub fn connect_by_error(error: &Error) -> ConnectFault {
    let accepts_later = matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::NotFound
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    );
    transient_if(accepts_later || name_server_is_away(error))
}

/// The standard library has no kind for `getaddrinfo`'s `EAI_AGAIN`, only its text.
fn name_server_is_away(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("Temporary failure in name resolution") || text.contains("Try again")
}
