//! The options of an engine and its URL, from the flat texts of a configuration.

use std::ffi::{OsStr, OsString};

use super::{
    EngineOptions, OptionError, PoolOptions,
    config::{Config, Form},
    names::Names,
    said::Said,
    value::Value,
};
use crate::url::Url;

const URL: &str = "url";

/// SQLAlchemy's function of this name, up to the engine itself: the URL and the options for
/// `create_engine`, from texts by name. Does not block.
///
/// A key without the prefix is none of ours. `url` must be there. A table's texts have keys of their
/// own, such as `sqlalchemy.connect_args.sslmode`. Numbers, durations and booleans are read as texts
/// are meant: `"false"` is false for every option.
///
/// ```
/// use everpool_engine::engine_from_config;
///
/// let config = [
///     ("sqlalchemy.url", "postgresql://scott:tiger@db.example/app"),
///     ("sqlalchemy.pool_recycle", "50"),
///     ("sqlalchemy.pool_pre_ping", "false"),
///     ("log.level", "info"),
/// ];
/// let (url, options) = engine_from_config(config, "sqlalchemy.")?;
/// assert_eq!(url.host(), Some("db.example"));
/// assert!(!options.pool().pre_ping);
/// # Ok::<(), everpool_engine::OptionError>(())
/// ```
///
/// # Errors
///
/// The first key that is unknown or has a wrong value, with its prefix; a URL that does not parse, or
/// is not there; options that do not fit each other.
pub fn engine_from_config<K: AsRef<str>, V: AsRef<str>>(
    config: impl IntoIterator<Item = (K, V)>,
    prefix: &str,
) -> Result<(Url, EngineOptions), OptionError> {
    let (url, said) = texts(config, Form::of_texts(Names::Engine, prefix))?;
    Ok((url, said.build()?))
}

/// As [`engine_from_config`], with the short names of SQLAlchemy's `create_pool_from_url` too:
/// `timeout`, `recycle`, `pre_ping`, `use_lifo`, `reset_on_return`; and `echo` and `logging_name` are
/// the pool's. Does not block.
///
/// # Errors
///
/// As [`engine_from_config`].
pub fn pool_from_config<K: AsRef<str>, V: AsRef<str>>(
    config: impl IntoIterator<Item = (K, V)>,
    prefix: &str,
) -> Result<(Url, PoolOptions), OptionError> {
    let (url, said) = texts(config, Form::of_texts(Names::Pool, prefix))?;
    Ok((url, said.build()?.into()))
}

fn texts<K: AsRef<str>, V: AsRef<str>>(
    config: impl IntoIterator<Item = (K, V)>,
    form: Form<'_>,
) -> Result<(Url, Said), OptionError> {
    let mut flat = Flat::new(form);
    for (key, value) in config {
        if let Some(name) = key.as_ref().strip_prefix(form.prefix) {
            flat.add(name, value.as_ref())?;
        }
    }
    flat.read()
}

/// As [`engine_from_config`], from the variables of an environment: with the prefix `DATABASE_`, from
/// `DATABASE_URL`, `DATABASE_POOL_SIZE`, `DATABASE_CONNECT_ARGS__SSLMODE`. Does not block.
///
/// Others put variables into an environment too (a service called "database" has a
/// `DATABASE_SERVICE_HOST` in Kubernetes). So an unknown one is refused only if its name is near to
/// that of an option.
///
/// ```
/// let (url, options) = everpool_engine::engine_from_env(
///     [("DATABASE_URL", "sqlite:///app.db"), ("DATABASE_POOL_SIZE", "10")], // std::env::vars_os()
///     "DATABASE_",
/// )?;
/// # Ok::<(), everpool_engine::OptionError>(())
/// ```
///
/// # Errors
///
/// As [`engine_from_config`].
pub fn engine_from_env<K: Into<OsString>, V: Into<OsString>>(
    variables: impl IntoIterator<Item = (K, V)>,
    prefix: &str,
) -> Result<(Url, EngineOptions), OptionError> {
    let mut flat = Flat::new(Form::of_environment(prefix));
    for (key, value) in variables {
        let (key, value) = (key.into(), value.into());
        if let Some(name) = key.to_str().and_then(|key| key.strip_prefix(prefix)) {
            flat.add_variable(name, &value)?;
        }
    }
    let (url, said) = flat.read()?;
    Ok((url, said.build()?))
}

/// A configuration that is texts only, and has a URL among them.
struct Flat<'a> {
    url: Option<Url>,
    config: Config<'a>,
}

impl<'a> Flat<'a> {
    fn new(form: Form<'a>) -> Self {
        Self {
            url: None,
            config: Config::new(form),
        }
    }

    fn add(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        if name != URL {
            return self.config.add(name, Value::Text(value.to_owned()));
        }
        match self.url.replace(value.parse()?) {
            None => Ok(()),
            Some(_) => Err(self.config.twice(URL, URL, URL)),
        }
    }

    fn add_variable(&mut self, name: &str, value: &OsStr) -> Result<(), OptionError> {
        let name = name.to_lowercase().replace("__", ".");
        let text = value.to_str().ok_or_else(|| self.no_text(&name));
        match text.and_then(|text| self.add(&name, text)) {
            Err(OptionError::Unknown { nearest: None, .. }) => Ok(()),
            added => added,
        }
    }

    fn no_text(&self, name: &str) -> OptionError {
        let name = self.config.form.written(name);
        OptionError::wrong(&name, "***", "must be a text in UTF-8")
    }

    fn read(self) -> Result<(Url, Said), OptionError> {
        let name = self.config.form.written(URL);
        let url = self.url.ok_or(OptionError::NoUrl { name })?;
        Ok((url, self.config.said()?))
    }
}
