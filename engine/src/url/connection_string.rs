//! libpq's other form: `host=db.example port=5432 dbname='my db'`.
//!
//! The rules are those of "Keyword/Value Connection Strings" in PostgreSQL's manual.

use std::{iter, iter::Peekable, str::Chars};

use super::{
    Url, UrlError,
    host::{self, Host},
};

/// Whether it is one, and no URL.
pub(super) fn is(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or(text).trim();
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    name.len() < text.len() && !name.is_empty() && name.bytes().all(is_name)
}

pub(super) fn parse(text: &str) -> Result<Url, UrlError> {
    with_settings(Url::named("postgresql")?, pairs(text)?)
}

/// What names and values say, over what the URL says.
pub(super) fn with_settings(mut url: Url, pairs: Vec<(String, String)>) -> Result<Url, UrlError> {
    let (mut names, mut ports) = host::lists(&url.hosts);
    for (name, value) in pairs {
        match name.as_str() {
            "user" => url.username = Some(value).filter(|name| !name.is_empty()),
            "password" => url.password = Some(value),
            "dbname" => url.database = Some(value).filter(|name| !name.is_empty()),
            "host" => names = value,
            "port" => ports = value,
            _ => url.query.push((name, value)),
        }
    }
    url.hosts = hosts(&names, &ports)?;
    Ok(url)
}

/// One port is that of all hosts; otherwise each has its own.
fn hosts(names: &str, ports: &str) -> Result<Vec<Host>, UrlError> {
    let ports: Vec<_> = ports.split(',').map(str::trim).collect();
    if ports.len() > 1 && ports.len() != names.split(',').count() {
        return Err(UrlError::Port);
    }
    let port = |index: usize| match (&ports[..], ports.get(index)) {
        ([only], _) => Some(*only),
        (_, port) => port.copied(),
    };
    let host = |(index, name): (usize, &str)| {
        let port = match port(index).unwrap_or_default() {
            "" => None,
            port => Some(port.parse().map_err(|_| UrlError::Port)?),
        };
        let name = name.to_owned();
        Ok(Host { name, port })
    };
    let hosts = names.split(',').enumerate().map(host);
    hosts.collect::<Result<_, _>>().map(host::normal)
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, UrlError> {
    let mut letters = text.chars().peekable();
    let mut pairs = Vec::new();
    loop {
        skip_spaces(&mut letters);
        if letters.peek().is_none() {
            return Ok(pairs);
        }
        let name = take(&mut letters, |letter| {
            letter != '=' && !letter.is_whitespace()
        });
        skip_spaces(&mut letters);
        if name.is_empty() || letters.next() != Some('=') {
            return Err(UrlError::ConnectionString);
        }
        skip_spaces(&mut letters);
        pairs.push((name, value(&mut letters)?));
    }
}

fn value(letters: &mut Peekable<Chars<'_>>) -> Result<String, UrlError> {
    let is_quoted = letters.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    while let Some(letter) = letters.next_if(|letter| is_quoted || !letter.is_whitespace()) {
        match letter {
            '\'' if is_quoted => return Ok(value),
            '\\' => value.extend(letters.next()),
            letter => value.push(letter),
        }
    }
    if is_quoted {
        return Err(UrlError::ConnectionString);
    }
    Ok(value)
}

fn take(letters: &mut Peekable<Chars<'_>>, of: impl Fn(char) -> bool) -> String {
    iter::from_fn(|| letters.next_if(|letter| of(*letter))).collect()
}

fn skip_spaces(letters: &mut Peekable<Chars<'_>>) {
    take(letters, char::is_whitespace);
}
