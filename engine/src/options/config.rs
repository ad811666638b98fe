//! A configuration: names and values, of which none need be right.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt, iter,
};

use serde::{Deserialize, Deserializer, de, de::value::MapDeserializer};

use super::{
    OptionError,
    names::{MOST, Names},
    refusal::Refusal,
    said::Said,
    value::Value,
};

/// How a name was written, so that errors can write it too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form<'a> {
    pub(super) names: Names,
    pub(super) prefix: &'a str,
    /// `POOL_SIZE`, `CONNECT_ARGS__SSLMODE`
    pub(super) of_environment: bool,
    /// Whether it says where the database is too.
    pub(super) has_url: bool,
}

impl<'a> Form<'a> {
    /// A table in a file, which has `url` beside it or elsewhere.
    pub(super) fn of_file(names: Names) -> Self {
        let (prefix, of_environment, has_url) = ("", false, false);
        Self {
            names,
            prefix,
            of_environment,
            has_url,
        }
    }

    pub(super) fn of_texts(names: Names, prefix: &'a str) -> Self {
        let has_url = true;
        Self {
            prefix,
            has_url,
            ..Self::of_file(names)
        }
    }

    pub(super) fn of_environment(prefix: &'a str) -> Self {
        let of_environment = true;
        Self {
            of_environment,
            ..Self::of_texts(Names::Engine, prefix)
        }
    }

    pub(super) fn written(&self, name: &str) -> String {
        if self.of_environment {
            format!("{}{}", self.prefix, name.replace('.', "__").to_uppercase())
        } else {
            format!("{}{name}", self.prefix)
        }
    }
}

/// What was set, by the options' own names, each with the name that was written.
#[derive(Debug)]
pub(super) struct Config<'a> {
    pub(super) form: Form<'a>,
    settings: BTreeMap<String, (String, Value)>,
}

impl<'a> Config<'a> {
    pub(super) fn new(form: Form<'a>) -> Self {
        Self {
            form,
            settings: BTreeMap::new(),
        }
    }

    /// Looks at one by itself, so that an error can name it.
    pub(super) fn add(&mut self, name: &str, value: Value) -> Result<(), OptionError> {
        if name == "connect_timeout" {
            let name = self.form.written(name);
            return Err(OptionError::Ambiguous { name });
        }
        if MOST.contains(&name) {
            let overflow = match value {
                Value::Null => Value::Null,
                _ => Value::Whole(0),
            };
            self.set(name, "pool_size", value)?;
            return self.set(name, "max_overflow", overflow);
        }
        let option = self.form.names.option(name);
        match option.split_once('.') {
            Some((table, key)) if TABLES.contains(&table) => self.set_in(table, key, value),
            _ => self.set(name, option, value),
        }
    }

    fn set(&mut self, name: &str, option: &str, value: Value) -> Result<(), OptionError> {
        let value = meaning_of_null(option, value);
        self.check(name, option, &value)?;
        match self.settings.entry(option.to_owned()) {
            Entry::Occupied(first) => {
                let first = first.get().0.clone();
                Err(self.twice(&first, name, option))
            }
            Entry::Vacant(place) => {
                place.insert((name.to_owned(), value));
                Ok(())
            }
        }
    }

    pub(super) fn twice(&self, first: &str, second: &str, option: &str) -> OptionError {
        OptionError::Twice {
            first: self.form.written(first),
            second: self.form.written(second),
            option: option.to_owned(),
        }
    }

    /// `connect_args.sslmode`, which goes where others of `connect_args` are.
    fn set_in(&mut self, table: &str, key: &str, value: Value) -> Result<(), OptionError> {
        let name = format!("{table}.{key}");
        let mut alone = BTreeMap::from([(key.to_owned(), value)]);
        self.check(&name, table, &Value::Table(alone.clone()))?;
        match self.settings.get_mut(table) {
            Some((_, Value::Table(texts))) if !texts.contains_key(key) => {
                texts.append(&mut alone);
                Ok(())
            }
            _ => self.set(&name, table, Value::Table(alone)),
        }
    }

    fn check(&self, name: &str, option: &str, value: &Value) -> Result<(), OptionError> {
        let alone = MapDeserializer::new(iter::once((option, value.clone())));
        Said::deserialize(alone)
            .map(drop)
            .map_err(|refusal| self.refused(name, option, value, refusal))
    }

    fn refused(&self, name: &str, option: &str, value: &Value, refusal: Refusal) -> OptionError {
        let written = self.form.written(name);
        match refusal {
            Refusal::Unknown(known) => OptionError::Unknown {
                name: written,
                nearest: self.nearest(name, known),
            },
            // There may be a password in it, whatever its type is.
            Refusal::Wrong(remedy) if option == "connect_args" => {
                OptionError::wrong(&written, "***", &remedy)
            }
            Refusal::Wrong(remedy) => OptionError::wrong(&written, value, &remedy),
        }
    }

    fn nearest(&self, name: &str, known: &[&'static str]) -> Option<String> {
        let url = self.form.has_url.then_some("url");
        let known = known.iter().copied().chain(url);
        let nearest = self.form.names.nearest(name, known);
        nearest.map(|name| self.form.written(name))
    }

    /// All of them.
    pub(super) fn said(self) -> Result<Said, OptionError> {
        let settings = self.settings.into_iter();
        let values = settings.map(|(option, (_, value))| (option, value));
        Said::deserialize(MapDeserializer::new(values))
            .map_err(|refusal| OptionError::wrong("options", "a table", &refusal.to_string()))
    }
}

/// The options that are tables, which an environment has flat.
const TABLES: &[&str] = &["connect_args", "execution_options"];

/// In SQLAlchemy, None is a value of these two. Of others it is their default.
fn meaning_of_null(option: &str, value: Value) -> Value {
    match (option, value) {
        ("pool_timeout", Value::Null) => Value::Fraction(f64::MAX),
        ("pool_reset_on_return", Value::Null) => Value::Flag(false),
        (_, value) => value,
    }
}

/// The options in a file: a table of them.
pub(super) fn from_file<'de, D: Deserializer<'de>>(
    deserializer: D,
    names: Names,
) -> Result<Said, D::Error> {
    deserializer.deserialize_map(Table(Config::new(Form::of_file(names))))
}

struct Table(Config<'static>);

impl<'de> de::Visitor<'de> for Table {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of the options of an engine")
    }

    fn visit_map<A: de::MapAccess<'de>>(mut self, mut map: A) -> Result<Said, A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let config = &mut self.0;
            map.next_value_seed(Setting { config, name })?;
        }
        self.0.said().map_err(de::Error::custom)
    }
}

/// One entry is refused while it is read, because formats then tell its line.
struct Setting<'c> {
    config: &'c mut Config<'static>,
    name: String,
}

impl<'de> de::DeserializeSeed<'de> for Setting<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let value = Value::deserialize(deserializer)?;
        let added = self.config.add(&self.name, value);
        added.map_err(de::Error::custom)
    }
}
