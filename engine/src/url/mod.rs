mod backend;
mod change;
mod connection_string;
mod error;
mod host;
mod mysql;
mod parse;
mod postgresql;
mod render;
mod serial;
mod sqlite;
mod text;

use std::time::Duration;

use host::Host;
use render::Rendered;

pub use backend::Backend;
pub use error::UrlError;

/// Where a database is, in SQLAlchemy's form or a driver's.
///
/// ```
/// use everpool_engine::Url;
///
/// let url: Url = "postgresql+psycopg2://scott:tiger@db.example:5432/app".parse()?;
/// assert_eq!(url.to_string(), "postgresql+psycopg2://scott:***@db.example:5432/app");
/// assert_eq!(url.render_for_driver(), "postgresql://scott:tiger@db.example:5432/app");
///
/// let url = url.with_host("db2.example")?.with_argument("sslmode", "require")?;
/// assert_eq!(url.host(), Some("db2.example"));
///
/// let url: Url = "sqlite:///app.db".parse()?;
/// assert_eq!(url.render_for_driver(), "app.db");
/// # Ok::<(), everpool_engine::UrlError>(())
/// ```
///
/// | database | forms |
/// |---|---|
/// | PostgreSQL | `postgresql://user:password@host:5432/database?sslmode=require`, also `postgres://` and with SQLAlchemy's driver (`postgresql+psycopg2://`), which says nothing here; several hosts (`a:5432,b`); a socket's directory (`?host=/run/postgresql` or `%2Frun%2Fpostgresql` for the host); libpq's `host=… dbname=…` |
/// | MySQL, MariaDB | `mysql://user:password@host:3306/database?ssl_mode=REQUIRED`, also `mariadb://` and with a driver; a socket (`?unix_socket=/run/mysqld/mysqld.sock`) |
/// | SQLite | `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` for one in memory; `sqlite:file.db`, `sqlite::memory:`; with arguments of SQLite's URIs (`sqlite:///app.db?mode=ro`, `sqlite:///file:app.db?mode=ro&uri=true`); `?timeout=5`, see [`busy_timeout`](Self::busy_timeout) |
///
/// Every part may be percent-encoded; in a user name, a password and a host `:`, `/`, `@`, `[` and `%`
/// have to be. In arguments a `+` is a space, unless the URL is PostgreSQL's own (without a driver),
/// where libpq takes it as it is. An IPv6 address stands in brackets.
///
/// `Display`, `Debug` and `Serialize` have `***` for the password, and for each argument with a
/// name like `password`, `secret` or `token`. Equal are URLs with equal parts.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    backend: Backend,
    /// As written, in lower case.
    drivername: String,
    username: Option<String>,
    password: Option<String>,
    hosts: Vec<Host>,
    database: Option<String>,
    query: Vec<(String, String)>,
}

impl Url {
    fn named(drivername: &str) -> Result<Self, UrlError> {
        let (name, driver) = drivername.split_once('+').unwrap_or((drivername, ""));
        let is_driver = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_name || !driver.bytes().all(is_driver) {
            return Err(UrlError::NoScheme);
        }
        let unknown = || UrlError::UnknownScheme(name.to_owned());
        Ok(Self {
            backend: Backend::named(&name.to_ascii_lowercase()).ok_or_else(unknown)?,
            drivername: drivername.to_ascii_lowercase(),
            username: None,
            password: None,
            hosts: Vec::new(),
            database: None,
            query: Vec::new(),
        })
    }

    /// SQLAlchemy encodes arguments so, and Diesel's MySQL connection decodes them so.
    fn is_form_encoded(&self) -> bool {
        self.drivername.contains('+') || self.backend == Backend::Mysql
    }

    /// Which database this names.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// `backend+driver`, as it was written.
    pub fn drivername(&self) -> &str {
        &self.drivername
    }

    /// The user.
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password, in clear.
    pub fn expose_password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The first host: a name, an address without brackets, or the directory of a socket.
    pub fn host(&self) -> Option<&str> {
        let mut names = self.hosts().map(|(name, _)| name);
        names.next().filter(|name| !name.is_empty())
    }

    /// The port of the first host.
    pub fn port(&self) -> Option<u16> {
        self.hosts.first().and_then(|host| host.port)
    }

    /// All hosts, each with its port. An empty one is the client's default.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, Option<u16>)> {
        let hosts = self.hosts.iter();
        hosts.map(|host| (host.name.as_str(), host.port))
    }

    /// The database; of SQLite, the file, `:memory:`, or what follows `file:` with it.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The arguments, in their order. There may be a password among them.
    pub fn query(&self) -> impl Iterator<Item = (&str, &str)> {
        let arguments = self.query.iter();
        arguments.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the database is SQLite's and ends with its only connection.
    pub fn is_memory(&self) -> bool {
        self.backend == Backend::Sqlite && sqlite::is_memory(self)
    }

    /// How long a statement waits while others have the SQLite database locked, before it fails with
    /// "database is locked": the argument `timeout`, in seconds, or 5 seconds, as in Python's driver.
    /// `None` of another database. An adapter sets it on each connection that it opens.
    ///
    /// ```
    /// use everpool_engine::Url;
    /// use std::time::Duration;
    ///
    /// let url: Url = "sqlite:///app.db?timeout=0.5".parse()?;
    /// assert_eq!(url.busy_timeout(), Some(Duration::from_millis(500)));
    /// # Ok::<(), everpool_engine::UrlError>(())
    /// ```
    pub fn busy_timeout(&self) -> Option<Duration> {
        (self.backend == Backend::Sqlite).then(|| sqlite::busy_timeout(self))
    }

    /// The same database, with each thing said once: what the arguments say of the user, the password,
    /// the hosts and the database stands in its place instead, and what other MySQL drivers call
    /// `ssl-mode` or `socket` has one name. Does not block.
    ///
    /// ```
    /// use everpool_engine::Url;
    ///
    /// let url: Url = "postgresql://scott@/?host=/run/postgresql&dbname=app".parse()?;
    /// let url = url.resolved()?;
    /// assert_eq!(url.host(), Some("/run/postgresql"));
    /// assert_eq!(url.database(), Some("app"));
    /// assert_eq!(url.query().count(), 0);
    /// # Ok::<(), everpool_engine::UrlError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`UrlError::Port`] if an argument has a port that is none, or ports for another number of hosts.
    pub fn resolved(&self) -> Result<Self, UrlError> {
        match self.backend {
            Backend::Mysql => Ok(mysql::resolved(self)),
            Backend::Postgresql => postgresql::resolved(self),
            Backend::Sqlite => Ok(self.clone()),
        }
    }

    /// SQLAlchemy's form. With the password in clear it is parsed as an equal URL.
    pub fn render_as_string(&self, hide_password: bool) -> String {
        let rendered = Rendered {
            hide_password,
            ..Rendered::in_clear(self)
        };
        rendered.to_string()
    }

    /// The text that SQLite, libpq or Diesel's MySQL connection wants, password and all.
    ///
    /// Arguments go through as they are; what other MySQL drivers call `ssl-mode` or `socket` gets
    /// the name that Diesel reads. Diesel decodes no name of a MySQL database, so one with `/`, `?`,
    /// `#`, a space or a letter beyond ASCII is not found.
    pub fn render_for_driver(&self) -> String {
        match self.backend {
            Backend::Mysql => mysql::render(self),
            Backend::Postgresql => postgresql::render(self),
            Backend::Sqlite => sqlite::render(self),
        }
    }
}
