//! To text, with the password or without.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Url;

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

pub(super) struct Rendered<'a> {
    pub(super) url: &'a Url,
    pub(super) hide_password: bool,
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

fn encode(text: &str) -> percent_encoding::PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}
