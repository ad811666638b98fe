//! From text. No error repeats what may be a password.

use super::{Backend, Url, UrlError, connection_string, host, sqlite, text};

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if connection_string::is(text) {
            return connection_string::parse(text)?.checked();
        }
        if !text::is_decodable(text) {
            return Err(UrlError::Undecodable);
        }
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::NoScheme)?;
        let url = Self::named(scheme)?;
        let url = match url.backend {
            Backend::Sqlite => sqlite::parse(url, rest)?,
            Backend::Mysql | Backend::Postgresql => server(url, rest)?,
        };
        url.checked()
    }
}

impl TryFrom<&str> for Url {
    type Error = UrlError;

    fn try_from(text: &str) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl TryFrom<&String> for Url {
    type Error = UrlError;

    fn try_from(text: &String) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl TryFrom<String> for Url {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        text.parse()
    }
}

/// SQLAlchemy's rules: the user name ends at the first `:` or `/`, the password at the first `@`.
fn server(mut url: Url, rest: &str) -> Result<Url, UrlError> {
    let rest = rest
        .strip_prefix("//")
        .ok_or(UrlError::NoAuthority(url.backend.name()))?;
    let (user, rest) = match rest.split_once('@') {
        Some((user, after)) if may_be_user(user) => (user, after),
        _ => ("", rest),
    };
    let (username, password) = match user.split_once(':') {
        Some((username, password)) => (username, Some(text::decode(password))),
        None => (user, None),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
    url.username = Some(text::decode(username)).filter(|username| !username.is_empty());
    url.password = password;
    url.hosts = host::list(hosts)?;
    url.database = Some(text::decode(database)).filter(|database| !database.is_empty());
    url.query = arguments(&url, query);
    Ok(url)
}

/// In their order, and the same name as often as it is there.
pub(super) fn arguments(url: &Url, query: &str) -> Vec<(String, String)> {
    let decode = if url.is_form_encoded() {
        text::decode_form
    } else {
        text::decode
    };
    let argument = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(argument).collect()
}

/// Of what stands before an `@`. A password may have a `/` or a `?` in it; but what has first the
/// one and then the other is a database and its arguments.
fn may_be_user(text: &str) -> bool {
    let path = text.split_once('?').map_or("", |(path, _)| path);
    let name = text.split(':').next().unwrap_or(text);
    !name.contains(['/', '?']) && !path.contains('/')
}
