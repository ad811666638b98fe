mod mysql;
mod parse;
mod render;

use render::Rendered;

/// Where a database is, in SQLAlchemy's form (`postgresql+psycopg2://…`, `sqlite:///file.db`,
/// `mysql+pymysql://…`, `sqlite:///:memory:`) or a driver's (`postgres://…`, `mariadb://…`, `sqlite::memory:`,
/// `sqlite:file.db`).
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
    /// `mysql`, `mariadb`
    Mysql,
    /// `postgresql`, `postgres`
    Postgresql,
    /// `sqlite`
    Sqlite,
}

impl Backend {
    /// The name that SQLAlchemy has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgresql => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "mysql" | "mariadb" => Some(Self::Mysql),
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
    #[error(
        "unknown database `{0}` in the URL; known are postgresql, postgres, mysql, mariadb and sqlite"
    )]
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

    /// The text that SQLite, libpq or Diesel's MySQL connection wants, password and all.
    pub fn render_for_driver(&self) -> String {
        match self.backend {
            Backend::Sqlite => self.database.clone(),
            Backend::Mysql => mysql::render(self),
            Backend::Postgresql => Rendered {
                url: self,
                hide_password: false,
            }
            .to_string(),
        }
    }
}
