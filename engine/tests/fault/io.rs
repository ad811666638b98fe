use std::io::{Error, ErrorKind};

use everpool_engine::fault::{ConnectFault, io::connect_by_error};

#[test]
fn a_server_that_is_not_there_yet_is_transient() {
    let table = [
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
        ErrorKind::UnexpectedEof,
        ErrorKind::NotFound,
        ErrorKind::TimedOut,
        ErrorKind::WouldBlock,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::NetworkDown,
    ];
    for kind in table {
        assert_eq!(
            connect_by_error(&kind.into()),
            ConnectFault::Transient,
            "{kind}"
        );
    }
}

#[test]
fn a_name_server_that_is_away_is_transient_and_a_name_that_is_not_there_is_not() {
    let lookup = |reason: &str| {
        connect_by_error(&Error::other(format!(
            "failed to lookup address information: {reason}"
        )))
    };
    assert_eq!(
        lookup("Temporary failure in name resolution"),
        ConnectFault::Transient
    );
    assert_eq!(lookup("Try again"), ConnectFault::Transient);
    assert_eq!(lookup("Name or service not known"), ConnectFault::Permanent);
}

#[test]
fn what_waiting_would_not_mend_is_permanent() {
    for kind in [
        ErrorKind::PermissionDenied,
        ErrorKind::InvalidInput,
        ErrorKind::InvalidData,
    ] {
        assert_eq!(
            connect_by_error(&kind.into()),
            ConnectFault::Permanent,
            "{kind}"
        );
    }
}
