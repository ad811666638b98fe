//! A port of 127.0.0.1 that stays ours.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt,
};

/// A port that nobody else is given while this value lives, whether its server runs or not.
///
/// It is held by a socket that is bound and never listens, so that connecting is refused. A server that
/// sets SO_REUSEADDR, as servers do, may listen beside it: Linux allows that as long as only one listens.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _reservation: OwnedFd,
}

impl Port {
    pub(crate) fn reserve() -> io::Result<Self> {
        let reservation = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        sockopt::set_socket_reuseaddr(&reservation, true)?;
        bind(&reservation, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let address = SocketAddrV4::try_from(getsockname(&reservation)?)?;
        Ok(Port {
            number: address.port(),
            _reservation: reservation,
        })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_reserved_port_refuses_until_its_server_listens() {
        let port = Port::reserve().unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.number());
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let server = TcpListener::bind(address).unwrap();
        TcpStream::connect(address).unwrap();
        drop(server);
        TcpStream::connect(address).unwrap_err();
        TcpListener::bind(address).unwrap();
    }

    #[test]
    fn a_reserved_port_is_given_to_nobody_else() {
        let held: Vec<Port> = (0..200).map(|_| Port::reserve().unwrap()).collect();
        let numbers: HashSet<u16> = held.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), held.len());
        let strangers: Vec<_> = (0..200)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
            .collect();
        for stranger in strangers {
            assert!(!numbers.contains(&stranger.local_addr().unwrap().port()));
        }
    }
}
