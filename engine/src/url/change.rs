//! Another URL from one. What SQLite or MySQL cannot take is refused.

use super::{
    Backend, Url, UrlError,
    host::{self, Host},
    mysql, sqlite,
};
use crate::options::ConnectArgs;

/// Each gives a new URL, as SQLAlchemy's `URL.set()` does; `None` takes a part away. None blocks.
///
/// # Errors
///
/// Each tells what the database does not have: SQLite a host, a user and most arguments, MySQL a
/// second host, and none of them a zero byte.
impl Url {
    /// The default database of a server, or a database in memory: `Url::create("mysql+pymysql")`.
    ///
    /// # Errors
    ///
    /// [`UrlError::NoScheme`], [`UrlError::UnknownScheme`].
    pub fn create(drivername: &str) -> Result<Self, UrlError> {
        Self::named(drivername)?.checked()
    }

    /// Another `backend+driver`, with all else as it is.
    pub fn with_drivername(self, drivername: &str) -> Result<Self, UrlError> {
        let Self {
            backend,
            drivername,
            ..
        } = Self::named(drivername)?;
        let url = Self {
            backend,
            drivername,
            ..self
        };
        url.checked()
    }

    /// Another user.
    pub fn with_username<'a>(
        mut self,
        username: impl Into<Option<&'a str>>,
    ) -> Result<Self, UrlError> {
        self.username = text(username);
        self.checked()
    }

    /// Another password, which needs no encoding here.
    pub fn with_password<'a>(
        mut self,
        password: impl Into<Option<&'a str>>,
    ) -> Result<Self, UrlError> {
        self.password = password.into().map(str::to_owned);
        self.checked()
    }

    /// One host: a name, an address, or the directory of a socket. The port stays.
    pub fn with_host<'a>(self, host: impl Into<Option<&'a str>>) -> Result<Self, UrlError> {
        let (name, port) = (host.into().unwrap_or_default(), self.port());
        self.with_hosts([(name, port)])
    }

    /// Another port, of the first host.
    pub fn with_port(mut self, port: impl Into<Option<u16>>) -> Result<Self, UrlError> {
        if self.hosts.is_empty() {
            self.hosts.push(Host::default());
        }
        self.hosts[0].port = port.into();
        self.hosts = host::normal(self.hosts);
        self.checked()
    }

    /// Several hosts, each with its port, that libpq tries one after another.
    pub fn with_hosts<'a>(
        mut self,
        hosts: impl IntoIterator<Item = (&'a str, Option<u16>)>,
    ) -> Result<Self, UrlError> {
        let hosts = hosts.into_iter().map(|(name, port)| Host {
            name: name.to_owned(),
            port,
        });
        self.hosts = host::normal(hosts.collect());
        self.checked()
    }

    /// Another database; of SQLite, another file.
    pub fn with_database<'a>(
        mut self,
        database: impl Into<Option<&'a str>>,
    ) -> Result<Self, UrlError> {
        self.database = text(database);
        self.checked()
    }

    /// An argument, instead of all of its name.
    pub fn with_argument<'a>(
        mut self,
        name: &str,
        value: impl Into<Option<&'a str>>,
    ) -> Result<Self, UrlError> {
        self.replace(name, value.into());
        self.checked()
    }

    /// `connect_args`: each as an argument, instead of all of its name.
    pub fn with_connect_args(mut self, args: &ConnectArgs) -> Result<Self, UrlError> {
        for (name, value) in args.iter() {
            self.replace(name, Some(value));
        }
        self.checked()
    }

    fn replace(&mut self, name: &str, value: Option<&str>) {
        self.query.retain(|(other, _)| other != name);
        let argument = value.map(|value| (name.to_owned(), value.to_owned()));
        self.query.extend(argument);
    }

    /// This URL, if its database can be opened with it.
    pub(super) fn checked(mut self) -> Result<Self, UrlError> {
        let names = self.hosts.iter().map(|host| &host.name);
        let parts = [&self.username, &self.password, &self.database];
        let parts = parts.into_iter().flatten().chain(names);
        let arguments = self.query.iter().flat_map(|(name, value)| [name, value]);
        if parts.chain(arguments).any(|part| part.contains('\0')) {
            return Err(UrlError::Undecodable);
        }
        match self.backend {
            Backend::Mysql => mysql::check(&self)?,
            Backend::Sqlite => sqlite::check(&mut self)?,
            Backend::Postgresql => {}
        }
        Ok(self)
    }
}

/// An empty one says nothing.
fn text<'a>(text: impl Into<Option<&'a str>>) -> Option<String> {
    let text = text.into().filter(|text| !text.is_empty());
    text.map(str::to_owned)
}
