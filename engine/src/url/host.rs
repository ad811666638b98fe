//! Where a server is. libpq tries several one after another.

use std::fmt;

use super::{UrlError, text};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    /// A name, an address, the directory of a socket, or nothing for the client's default.
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

impl Host {
    fn is_default(&self) -> bool {
        self.name.is_empty() && self.port.is_none()
    }

    fn parse(text: &str) -> Result<Self, UrlError> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(text) => text.split_once(']').ok_or(UrlError::Brackets)?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match rest.strip_prefix(':') {
            Some("") => None,
            Some(port) => Some(port.parse().map_err(|_| UrlError::Port)?),
            None if rest.is_empty() => None,
            None => return Err(UrlError::Brackets),
        };
        if name.contains(['[', ']']) {
            return Err(UrlError::Brackets);
        }
        let name = text::decode(name);
        Ok(Self { name, port })
    }
}

/// What stands in brackets is there for its colons.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = text::encode(&self.name, text::IN_HOST);
        if self.name.contains(':') {
            write!(f, "[{name}]")?;
        } else {
            write!(f, "{name}")?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// None, if the client's default is meant.
pub(super) fn list(text: &str) -> Result<Vec<Host>, UrlError> {
    if text.contains('@') {
        return Err(UrlError::Host);
    }
    let hosts = text.split(',').map(Host::parse);
    hosts.collect::<Result<_, _>>().map(normal)
}

/// libpq's lists: of names, and of ports.
pub(super) fn lists(hosts: &[Host]) -> (String, String) {
    let port = |host: &Host| host.port.map(|port| port.to_string()).unwrap_or_default();
    let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
    let ports: Vec<_> = hosts.iter().map(port).collect();
    (names.join(","), ports.join(","))
}

/// One host without a name and a port is no host.
pub(super) fn normal(mut hosts: Vec<Host>) -> Vec<Host> {
    if matches!(&hosts[..], [only] if only.is_default()) {
        hosts.clear();
    }
    hosts
}
