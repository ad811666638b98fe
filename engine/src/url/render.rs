//! To text, with the password or without.

use std::fmt;

use percent_encoding::AsciiSet;

use super::{Backend, Url, text};
use crate::secret::is_secret;

pub(super) struct Rendered<'a> {
    pub(super) url: &'a Url,
    pub(super) hide_password: bool,
    /// What is encoded in the name of the database.
    pub(super) database: &'static AsciiSet,
}

impl<'a> Rendered<'a> {
    pub(super) fn in_clear(url: &'a Url) -> Self {
        let database = match url.backend {
            Backend::Sqlite => text::IN_URI,
            Backend::Mysql | Backend::Postgresql => text::ELSEWHERE,
        };
        Self {
            url,
            hide_password: false,
            database,
        }
    }

    fn user(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (username, password) = (&self.url.username, &self.url.password);
        if username.is_none() && password.is_none() {
            return Ok(());
        }
        let username = username.as_deref().unwrap_or_default();
        write!(f, "{}", text::encode(username, text::IN_USER))?;
        match password {
            Some(_) if self.hide_password => f.write_str(":***")?,
            Some(password) => write!(f, ":{}", text::encode(password, text::IN_USER))?,
            None => {}
        }
        f.write_str("@")
    }

    fn hosts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.url.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        Ok(())
    }

    fn query(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |text| text::encode(text, text::ELSEWHERE);
        for (index, (name, value)) in self.url.query().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(f, "{mark}{}=", encode(name))?;
            if self.hide_password && is_secret(name) {
                f.write_str("***")?;
            } else {
                write!(f, "{}", encode(value))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.url.drivername)?;
        self.user(f)?;
        self.hosts(f)?;
        if let Some(database) = &self.url.database {
            write!(f, "/{}", text::encode(database, self.database))?;
        }
        self.query(f)
    }
}

/// Without the password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rendered = Rendered {
            hide_password: true,
            ..Rendered::in_clear(self)
        };
        rendered.fmt(f)
    }
}

/// Without the password.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}
