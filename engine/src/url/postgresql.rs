//! What libpq takes: `postgresql://user:password@host:port,host:port/database?sslmode=…`.

use super::{Url, UrlError, connection_string, render::Rendered};

pub(super) fn render(url: &Url) -> String {
    let mut url = url.clone();
    url.drivername = url.backend.name().to_owned();
    join_hosts(&mut url.query);
    Rendered::in_clear(&url).to_string()
}

pub(super) fn resolved(url: &Url) -> Result<Url, UrlError> {
    let mut url = url.clone();
    join_hosts(&mut url.query);
    let arguments = std::mem::take(&mut url.query);
    connection_string::with_settings(url, arguments)
}

/// libpq has lists where SQLAlchemy has the same argument several times, and no port in it:
/// `host=a:1&host=b:2` is `host=a,b&port=1,2`.
fn join_hosts(query: &mut Vec<(String, String)>) {
    let hosts: Vec<_> = values(query, "host").map(split_port).collect();
    let has_ports = hosts.iter().any(|(_, port)| !port.is_empty());
    if hosts.len() < 2 && !has_ports {
        return;
    }
    let (names, own_ports): (Vec<_>, Vec<_>) = hosts.into_iter().unzip();
    let ports = if has_ports {
        own_ports
    } else {
        values(query, "port").collect()
    };
    let (names, ports) = (names.join(","), ports.join(","));
    query.retain(|(name, _)| name != "host" && name != "port");
    query.push(("host".to_owned(), names));
    if !ports.is_empty() {
        query.push(("port".to_owned(), ports));
    }
}

fn values<'a>(query: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    let named = query.iter().filter(move |(key, _)| key == name);
    named.map(|(_, value)| value.as_str())
}

/// A directory, or an address with more colons, has no port.
fn split_port(host: &str) -> (&str, &str) {
    match host.split_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port),
        _ => (host, ""),
    }
}
