//! A file, or a database in memory; and SQLite's own URIs, which take arguments.

use std::time::Duration;

use super::{Url, UrlError, parse, text};

const MEMORY: &str = ":memory:";
const URI: &str = "file:";

/// SQLite's ("Uniform Resource Identifiers" in its manual), and three of Python's driver. Two of them
/// say nothing here: a name with arguments always is a URI, and a connection may always change threads.
const ARGUMENTS: &[&str] = &[
    "cache",
    "immutable",
    "mode",
    "modeof",
    "nolock",
    "psow",
    "vfs",
    "uri",
    "check_same_thread",
    TIMEOUT,
];
const PYTHONS: &[&str] = &["uri", "check_same_thread", TIMEOUT];

const TIMEOUT: &str = "timeout";
/// That of Python's driver.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite counts milliseconds in an `int`.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// `//`, no host, and the path behind another `/`; or the path at once.
pub(super) fn parse(mut url: Url, rest: &str) -> Result<Url, UrlError> {
    let path = match rest.strip_prefix("//") {
        Some("") => "",
        Some(rest) if rest.starts_with('?') => rest,
        Some(rest) => rest
            .strip_prefix('/')
            .ok_or_else(|| UrlError::SqliteHost(presentable(rest).to_owned()))?,
        None => rest,
    };
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    url.database = Some(text::decode(path));
    url.query = parse::arguments(&url, query);
    Ok(url)
}

/// The path that was meant, unless it may have a password in it.
fn presentable(path: &str) -> &str {
    if path.contains(['@', ':', '?']) {
        "file.db"
    } else {
        path
    }
}

/// Nothing that only a server has, no argument that SQLite does not know; an empty name is memory.
pub(super) fn check(url: &mut Url) -> Result<(), UrlError> {
    let parts = [
        ("user", url.username.is_some()),
        ("password", url.password.is_some()),
        ("host", !url.hosts.is_empty()),
    ];
    if let Some((part, _)) = parts.into_iter().find(|(_, is_there)| *is_there) {
        return Err(UrlError::SqlitePart(part));
    }
    let mut names = url.query.iter().map(|(name, _)| name.as_str());
    if let Some(name) = names.find(|name| !ARGUMENTS.contains(name)) {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let name = if name.bytes().all(is_name) { name } else { "?" };
        let (name, known) = (name.to_owned(), ARGUMENTS);
        return Err(UrlError::SqliteArgument { name, known });
    }
    timeout(url)?;
    if url.database().is_none_or(str::is_empty) {
        url.database = Some(MEMORY.to_owned());
    }
    Ok(())
}

/// How long a statement waits for a lock of others: the argument `timeout`.
pub(super) fn busy_timeout(url: &Url) -> Duration {
    timeout(url).ok().flatten().unwrap_or(BUSY_TIMEOUT)
}

fn timeout(url: &Url) -> Result<Option<Duration>, UrlError> {
    let said = url.query().filter(|(name, _)| *name == TIMEOUT).last();
    let Some((_, seconds)) = said else {
        return Ok(None);
    };
    let seconds = seconds.trim().parse::<f64>().ok();
    let seconds = seconds.filter(|seconds| *seconds >= 0.0);
    let seconds = seconds.ok_or(UrlError::SqliteTimeout)?;
    let timeout = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST);
    Ok(Some(timeout.min(LONGEST)))
}

/// Whether it ends with its last connection. SQLite calls what has no name in a URI temporary.
pub(super) fn is_memory(url: &Url) -> bool {
    let database = url.database().unwrap_or(MEMORY);
    let path = database.strip_prefix(URI).unwrap_or(database);
    let is = |name, value| url.query().any(|argument| argument == (name, value));
    path.is_empty() || path == MEMORY || is("mode", "memory") || is("vfs", "memdb")
}

/// What `sqlite3_open` takes: a path, or a URI if there are arguments.
pub(super) fn render(url: &Url) -> String {
    let database = url.database().unwrap_or(MEMORY);
    let said = url.query().filter(|(name, _)| !PYTHONS.contains(name));
    let said: Vec<_> = said.map(|(name, value)| argument(name, value)).collect();
    let path = match database.strip_prefix(URI) {
        None if said.is_empty() => return database.to_owned(),
        None => database,
        Some(path) => path,
    };
    let path = text::encode(path, text::IN_URI);
    if said.is_empty() {
        format!("{URI}{path}")
    } else {
        format!("{URI}{path}?{}", said.join("&"))
    }
}

fn argument(name: &str, value: &str) -> String {
    format!("{name}={}", text::encode(value, text::ELSEWHERE))
}
