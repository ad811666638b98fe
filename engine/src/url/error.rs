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
    /// A byte is zero, or percent-encoded bytes are no text.
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
    /// A `[` or `]` does not enclose a host.
    #[error(
        "the host in the database URL has a [ or ] in it that does not enclose it; \
         an IPv6 address is written [::1], a password in which [ stands percent-encoded (%5B)"
    )]
    Brackets,
    /// What stands after the host and a colon is no port.
    #[error(
        "the port in the database URL is not a number from 0 to 65535; \
         a password in which @ or : stands must be percent-encoded (%40, %3A) and followed by @host"
    )]
    Port,
    /// Only libpq tries several hosts.
    #[error("a {0} URL has one host; only PostgreSQL's client tries one after another")]
    Hosts(&'static str),
    /// A connection string of libpq's is not made of names and values.
    #[error(
        "could not parse the connection string: it must be like host=db.example dbname=app, \
         with quotes around a value that is empty or has spaces, and \\ before ' and \\ in it"
    )]
    ConnectionString,
    /// SQLite has no server.
    #[error(
        "a sqlite URL has no host; write sqlite:///{0} for a relative path, \
         sqlite:////{0} for an absolute one"
    )]
    SqliteHost(String),
    /// SQLite has no server, so nobody logs in to it.
    #[error("a sqlite URL has no {0}; it names a file, as in sqlite:///file.db")]
    SqlitePart(&'static str),
    /// SQLite knows no such argument.
    #[error("a sqlite URL takes no argument `{name}`; it takes {}", .known.join(", "))]
    SqliteArgument {
        /// Its name, if it looks like one.
        name: String,
        /// Those that it takes.
        known: &'static [&'static str],
    },
    /// What is said of the time that a statement waits for a lock is no time.
    #[error("the timeout of a sqlite URL must be a number of seconds from 0, as in timeout=2.5")]
    SqliteTimeout,
    /// The URL is of another database than the connection type.
    #[error("a {url} URL was given to an engine for {engine}")]
    WrongBackend {
        /// What the URL names.
        url: &'static str,
        /// What the engine is for.
        engine: &'static str,
    },
}
