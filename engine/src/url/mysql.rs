//! What Diesel's MySQL connection takes: `mysql://user:password@host:port/database?ssl_mode=…`.

use super::{
    Url, UrlError,
    host::{self, Host},
    render::Rendered,
    text,
};

/// A client that is told no host takes this one; and the text must have one beside a user or a port.
const LOCAL: &str = "localhost";
const SOCKET: &str = "unix_socket";

/// The names that other drivers have for what Diesel reads. What it does not know it ignores, and a
/// `ssl-mode` that is ignored is a connection in plain text.
const NAMES: &[(&str, &str)] = &[
    ("socket", SOCKET),
    ("ssl-ca", "ssl_ca"),
    ("ssl-cert", "ssl_cert"),
    ("ssl-key", "ssl_key"),
    ("ssl-mode", "ssl_mode"),
    ("sslmode", "ssl_mode"),
    ("db", "database"),
    ("passwd", "password"),
    ("username", "user"),
];

/// One host, and a port that is one.
pub(super) fn check(url: &Url) -> Result<(), UrlError> {
    if url.hosts.len() > 1 {
        return Err(UrlError::Hosts(url.backend.name()));
    }
    let mut ports = url.query().filter(|(name, _)| *name == "port");
    let is_port = ports.all(|(_, port)| port.parse::<u16>().is_ok());
    if is_port { Ok(()) } else { Err(UrlError::Port) }
}

pub(super) fn render(url: &Url) -> String {
    let mut url = resolved(url);
    if url.hosts.is_empty() {
        url.hosts.push(Host::default());
    }
    if url.hosts[0].name.is_empty() {
        url.hosts[0].name = LOCAL.to_owned();
    }
    url.drivername = url.backend.name().to_owned();
    let rendered = Rendered {
        database: text::IN_MYSQL_DATABASE,
        ..Rendered::in_clear(&url)
    };
    rendered.to_string()
}

/// Diesel reads a user and the like where they are in a URL, and nowhere else.
pub(super) fn resolved(url: &Url) -> Url {
    let mut url = url.clone();
    let mut host = url.hosts.pop().unwrap_or_default();
    for (name, value) in std::mem::take(&mut url.query) {
        match known(&name) {
            "user" => url.username = Some(value),
            "password" => url.password = Some(value),
            "host" => host.name = value,
            "port" => host.port = value.parse().ok(),
            "database" => url.database = Some(value),
            name => url.query.push((name.to_owned(), value)),
        }
    }
    if host.name.starts_with('/') {
        let socket = std::mem::take(&mut host.name);
        url.query.push((SOCKET.to_owned(), socket));
    }
    url.hosts = host::normal(vec![host]);
    url
}

fn known(name: &str) -> &str {
    let known = NAMES.iter().find(|(other, _)| *other == name);
    known.map_or(name, |(_, known)| known)
}
