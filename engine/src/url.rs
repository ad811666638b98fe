use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Where a database is, in SQLAlchemy's form (`postgresql+psycopg2://…`, `sqlite:///file.db`,
/// `sqlite:///:memory:`) or a driver's (`postgres://…`, `sqlite::memory:`, `sqlite:file.db`).
///
/// Its `Display` and `Debug` hide the password.
///
/// ```
/// use everpool_engine::Url;
///
/// let url: Url = "postgresql+psycopg2://scott:tiger@db.example:5432/app".parse()?;
/// assert_eq!(url.to_string(), "postgresql://scott:***@db.example:5432/app");
/// assert_eq!(url.render_for_driver(), "postgresql://scott:tiger@db.example:5432/app");
///
/// let url: Url = "sqlite:///app.db".parse()?;
/// assert_eq!(url.render_for_driver(), "app.db");
/// # Ok::<(), everpool_engine::UrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    backend: Backend,
    username: Option<String>,
    password: Option<String>,
    /// As written, because a driver may understand more here than one host (libpq: a list).
    host: String,
    port: Option<u16>,
    database: String,
    query: Vec<(String, String)>,
}

/// Which database a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// `postgresql`, `postgres`
    Postgresql,
    /// `sqlite`
    Sqlite,
}

impl Backend {
    /// The name that SQLAlchemy has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "postgresql" | "postgres" => Some(Self::Postgresql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}

/// A URL that does not say where a database is. It never repeats the URL, which may have a password
/// in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Nothing before a colon.
    #[error(
        "could not parse the database URL: it has no scheme; \
         write postgresql://user:password@host:5432/database or sqlite:///file.db"
    )]
    NoScheme,
    /// A percent-encoded byte is zero, or the bytes are no text.
    #[error("the database URL has %00 in it, or percent-encoded bytes that are not UTF-8")]
    Undecodable,
    /// The scheme is of no database that is known here.
    #[error("unknown database `{0}` in the URL; known are postgresql, postgres and sqlite")]
    UnknownScheme(String),
    /// The scheme is not followed by `//`.
    #[error("could not parse the database URL: `{0}:` must be followed by `//`")]
    NoAuthority(&'static str),
    /// An `@` stands after the one that ends the password.
    #[error(
        "the host in the database URL has an @ in it; \
         a password in which @ stands must be percent-encoded (%40)"
    )]
    Host,
    /// What stands after the host and a colon is no port.
    #[error(
        "the port in the database URL is not a number from 0 to 65535; \
         a password in which @ or : stands must be percent-encoded (%40, %3A) and followed by @host"
    )]
    Port,
    /// SQLite has no server.
    #[error(
        "a sqlite URL has no host; write sqlite:///{0} for a relative path, \
         sqlite:////{0} for an absolute one"
    )]
    SqliteHost(String),
    /// SQLite's path takes no arguments here.
    #[error("a sqlite URL takes no argument yet, and has `{0}`")]
    SqliteArgument(String),
    /// The URL is of another database than the connection type.
    #[error("a {url} URL was given to an engine for {engine}")]
    WrongBackend {
        /// What the URL names.
        url: &'static str,
        /// What the engine is for.
        engine: &'static str,
    },
}

const MEMORY: &str = ":memory:";
/// What may stand as it is between the delimiters of a URL.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');
/// In a user name or password: libpq takes what follows a `/` for the database.
const ESCAPED_IN_USER: &AsciiSet = &ESCAPED.add(b'/');
/// The arguments of libpq that nobody may see.
const SECRETS: &[&str] = &[
    "password",
    "sslpassword",
    "oauth_client_secret",
    "scram_client_key",
    "scram_server_key",
];

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
            Backend::Postgresql => server(Backend::Postgresql, rest),
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

fn encode(text: &str) -> percent_encoding::PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

impl Url {
    fn empty(backend: Backend) -> Self {
        let (username, password, port) = (None, None, None);
        let (host, database, query) = (String::new(), String::new(), Vec::new());
        Self {
            backend,
            username,
            password,
            host,
            port,
            database,
            query,
        }
    }

    /// Which database this names.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether the database lives in the memory of its only connection.
    pub fn is_memory(&self) -> bool {
        self.backend == Backend::Sqlite && self.database == MEMORY
    }

    /// The text that SQLite or libpq wants, password and all.
    pub fn render_for_driver(&self) -> String {
        match self.backend {
            Backend::Sqlite => self.database.clone(),
            Backend::Postgresql => Rendered {
                url: self,
                hide_password: false,
            }
            .to_string(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rendered {
            url: self,
            hide_password: true,
        }
        .fmt(f)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

struct Rendered<'a> {
    url: &'a Url,
    hide_password: bool,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Url {
            backend,
            username,
            password,
            host,
            port,
            database,
            query,
        } = self.url;
        write!(f, "{}://", backend.name())?;
        if username.is_some() || password.is_some() {
            let encode = |text| utf8_percent_encode(text, ESCAPED_IN_USER);
            write!(f, "{}", encode(username.as_deref().unwrap_or("")))?;
            match password {
                Some(_) if self.hide_password => f.write_str(":***")?,
                Some(password) => write!(f, ":{}", encode(password))?,
                None => {}
            }
            f.write_str("@")?;
        }
        f.write_str(host)?;
        if let Some(port) = port {
            write!(f, ":{port}")?;
        }
        if self.url.is_memory() {
            f.write_str("/:memory:")?;
        } else if !database.is_empty() {
            write!(f, "/{}", encode(database))?;
        }
        for (index, (key, value)) in query.iter().enumerate() {
            write!(f, "{}{}=", if index == 0 { '?' } else { '&' }, encode(key))?;
            if self.hide_password && SECRETS.contains(&key.to_ascii_lowercase().as_str()) {
                f.write_str("***")?;
            } else {
                write!(f, "{}", encode(value))?;
            }
        }
        Ok(())
    }
}
