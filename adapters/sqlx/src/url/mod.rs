//! Database URLs as SQLx wants them.

mod arguments;
mod mysql;
mod postgresql;
mod sqlite;

use std::str::FromStr;

use everpool_engine::{Backend, Url, UrlError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::Database;

use crate::{
    create::EngineError,
    driver::{ConnectOptionsOf, Driver},
};

/// What [`create_engine`](crate::create_engine) opens connections with: SQLx's options for the database
/// at `url`, to be changed where a URL has no words, and given to
/// [`create_engine_with`](crate::create_engine_with). Never connects.
///
/// Each form of [`Url`] leads to the database that other drivers find there. What SQLx does not have is
/// refused, where SQLx itself would ignore it: several hosts, and arguments that it does not know.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
use everpool_sqlx::{EngineOptions, Sqlite, connect_options, create_engine_with};

let options = connect_options::<Sqlite>("sqlite:///app.db")?.foreign_keys(false);
let engine = create_engine_with::<Sqlite>(options, EngineOptions::default())?;
# Ok::<(), everpool_sqlx::EngineError>(())
```
"#
)]
///
/// # Errors
///
/// [`EngineError::Url`] if the URL does not parse or names another database than `DB`;
/// [`EngineError::Argument`], [`EngineError::Hosts`] and [`EngineError::NoUser`] if SQLx does not have
/// what it asks for; [`EngineError::ConnectOptions`] if SQLx refuses the value of an argument.
pub fn connect_options<DB: Driver>(
    url: impl TryInto<Url, Error: Into<EngineError>>,
) -> Result<ConnectOptionsOf<DB>, EngineError> {
    let url: Url = url.try_into().map_err(Into::into)?;
    check_backend::<DB>(url.backend())?;
    // The text has the password in it; none of SQLx's errors shows it.
    let text = match url.backend() {
        Backend::Mysql => mysql::render(&url.resolved()?),
        Backend::Postgresql => postgresql::render(&url.resolved()?),
        Backend::Sqlite => sqlite::render(&url),
        // None is known that is not one of these.
        _ => Ok(url.render_as_string(false)),
    }?;
    let options = ConnectOptionsOf::<DB>::from_str(&text).map_err(EngineError::ConnectOptions)?;
    match url.busy_timeout() {
        Some(timeout) => sqlite::with_busy_timeout(options, timeout),
        None => Ok(options),
    }
}

/// `Any` has no schemes of its own.
fn check_backend<DB: Database>(backend: Backend) -> Result<(), UrlError> {
    let schemes = DB::URL_SCHEMES;
    if schemes.is_empty() || schemes.contains(&backend.name()) {
        return Ok(());
    }
    let (url, engine) = (backend.name(), DB::NAME);
    Err(UrlError::WrongBackend { url, engine })
}

/// The only host of a URL, a default where it has none.
fn only_host(url: &Url) -> Result<(&str, Option<u16>), EngineError> {
    match url.hosts().count() {
        0 | 1 => Ok(url.hosts().next().unwrap_or_default()),
        several => Err(EngineError::Hosts(several)),
    }
}

fn encode(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
}

/// `name=value`, so that SQLx reads it whatever is in it.
fn argument(name: &str, value: &str) -> String {
    format!("{name}={}", encode(value))
}
