//! From text. No error repeats what may be a password.

use percent_encoding::percent_decode_str;

use super::{Backend, MEMORY, Url, UrlError};

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let decoded = percent_decode_str(text).decode_utf8();
        if decoded.map_or(true, |text| text.contains('\0')) {
            return Err(UrlError::Undecodable);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::NoScheme)?;
        let name = scheme
            .split_once('+')
            .map_or(scheme, |(name, _driver)| name);
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(UrlError::NoScheme);
        }
        let unknown = || UrlError::UnknownScheme(name.to_owned());
        match Backend::named(&name.to_ascii_lowercase()).ok_or_else(unknown)? {
            Backend::Sqlite => sqlite(rest),
            backend => server(backend, rest),
        }
    }
}

fn sqlite(rest: &str) -> Result<Url, UrlError> {
    let path = match rest.strip_prefix("//") {
        Some("") => MEMORY,
        Some(rest) => rest
            .strip_prefix('/')
            .ok_or_else(|| UrlError::SqliteHost(presentable(rest).to_owned()))?,
        None => rest,
    };
    if let Some((_, arguments)) = path.split_once('?') {
        let name = before(before(arguments, '&'), '=');
        return Err(UrlError::SqliteArgument(name.to_owned()));
    }
    let database = if path.is_empty() {
        MEMORY.to_owned()
    } else {
        decode(path)
    };
    Ok(Url {
        database,
        ..Url::empty(Backend::Sqlite)
    })
}

/// The path that was meant, unless it may have a password in it.
fn presentable(path: &str) -> &str {
    if path.contains(['@', ':', '?']) {
        "file.db"
    } else {
        path
    }
}

/// SQLAlchemy's rules: the user name ends at the first `:` or `/`, the password at the first `@`.
fn server(backend: Backend, rest: &str) -> Result<Url, UrlError> {
    let rest = rest
        .strip_prefix("//")
        .ok_or(UrlError::NoAuthority(backend.name()))?;
    let (user, rest) = match rest.split_once('@') {
        Some((user, after)) if may_be_user(user) => (Some(user), after),
        _ => (None, rest),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (username, password) = match user.map(|user| user.split_once(':').ok_or(user)) {
        None => (None, None),
        Some(Err(username)) => (Some(decode(username)), None),
        Some(Ok((username, password))) => (Some(decode(username)), Some(decode(password))),
    };
    let (address, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = split_address(address)?;
    let argument = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    };
    let query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(argument)
        .collect();
    let database = decode(database);
    Ok(Url {
        backend,
        username,
        password,
        host: host.to_owned(),
        port,
        database,
        query,
    })
}

/// Of what stands before an `@`. A password may have a `/` or a `?` in it; but what has first the
/// one and then the other is a database and its arguments.
fn may_be_user(text: &str) -> bool {
    let path = text.split_once('?').map_or("", |(path, _)| path);
    !before(text, ':').contains(['/', '?']) && !path.contains('/')
}

fn before(text: &str, end: char) -> &str {
    text.split(end).next().unwrap_or(text)
}

/// Of a list, the port of the last host. Every port is looked at: what is none may be a password.
fn split_address(address: &str) -> Result<(&str, Option<u16>), UrlError> {
    if address.contains('@') {
        return Err(UrlError::Host);
    }
    let mut last = (address, None);
    let mut start = 0;
    for text in address.split(',') {
        let (host, port) = split_port(text)?;
        last = (&address[..start + host.len()], port);
        start += text.len() + 1;
    }
    Ok(last)
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), UrlError> {
    let name = match text.find(']') {
        Some(end) if text.starts_with('[') => end,
        _ => 0,
    };
    let Some(colon) = text[name..].find(':') else {
        return Ok((text, None));
    };
    let (host, port) = text.split_at(name + colon);
    match &port[1..] {
        "" => Ok((host, None)),
        port => Ok((host, Some(port.parse().map_err(|_| UrlError::Port)?))),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
