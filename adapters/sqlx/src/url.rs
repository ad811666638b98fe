//! Database URLs as SQLx wants them.

use std::str::FromStr;

use everpool_engine::{Backend, Url};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    driver::{ConnectOptions, Driver},
    engine::EngineError,
};

/// What connections to this URL are opened with. The text that SQLx parses has the password in it, so
/// none of its errors shows it.
pub(crate) fn connect_options<DB: Driver>(url: &Url) -> Result<ConnectOptions<DB>, EngineError> {
    ConnectOptions::<DB>::from_str(&render(url)).map_err(EngineError::ConnectOptions)
}

fn render(url: &Url) -> String {
    match url.backend() {
        Backend::Postgresql => url.render_for_driver(),
        Backend::Mysql => mysql(url),
        Backend::Sqlite => sqlite(url),
        _ => url.render_as_string(false),
    }
}

/// SQLx's names for what Diesel's MySQL connection and Python's drivers call otherwise.
const MYSQL_NAMES: &[(&str, &str)] = &[
    ("unix_socket=", "socket="),
    ("ssl_mode=", "ssl-mode="),
    ("ssl_ca=", "ssl-ca="),
    ("ssl_cert=", "ssl-cert="),
    ("ssl_key=", "ssl-key="),
];

fn mysql(url: &Url) -> String {
    let rendered = url.render_for_driver();
    let Some((place, arguments)) = rendered.split_once('?') else {
        return rendered;
    };
    let arguments = arguments.split('&').map(|argument| {
        let renamed = MYSQL_NAMES.iter().find_map(|(from, to)| {
            let value = argument.strip_prefix(from)?;
            Some(format!("{to}{value}"))
        });
        renamed.unwrap_or_else(|| argument.to_owned())
    });
    format!("{place}?{}", arguments.collect::<Vec<_>>().join("&"))
}

const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b':');

/// A file that is not there is made, as SQLite itself and SQLAlchemy do, unless a `mode` says otherwise.
fn sqlite(url: &Url) -> String {
    if url.is_memory() {
        return "sqlite::memory:".to_owned();
    }
    let path = url.database().unwrap_or_default();
    let path = path.strip_prefix("file:").unwrap_or(path);
    let mut arguments: Vec<_> = url
        .query()
        .filter(|(name, _)| *name != "uri" && *name != "check_same_thread")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if !arguments.iter().any(|said| said.starts_with("mode=")) {
        arguments.push("mode=rwc".to_owned());
    }
    let path = utf8_percent_encode(path, IN_PATH);
    format!("sqlite://{path}?{}", arguments.join("&"))
}
