//! Options that are tables of texts.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer};

use super::value::Value;
use crate::secret::is_secret;

type Texts = BTreeMap<String, String>;

/// `connect_args`: what the driver is told beside the URL, and instead of what the URL says.
///
/// There may be a password among them. So `Debug` shows the names only, and `Serialize` leaves out
/// what is named like a secret.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct ConnectArgs(Texts);

impl ConnectArgs {
    /// The value of one of them.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for ConnectArgs {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(owned(pairs))
    }
}

impl TryFrom<Value> for ConnectArgs {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        texts(value).map(Self)
    }
}

impl fmt::Debug for ConnectArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.0.keys().map(|name| (name, format_args!("***")));
        f.debug_map().entries(hidden).finish()
    }
}

impl Serialize for ConnectArgs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().filter(|(name, _)| !is_secret(name)))
    }
}

/// `execution_options`: what holds for all connections of an engine, until one says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Value")]
pub struct ExecutionOptions(Texts);

impl ExecutionOptions {
    /// `isolation_level`, as it was written.
    pub fn isolation_level(&self) -> Option<&str> {
        self.get("isolation_level")
    }

    /// `logging_token`: what stands in front of each line that is logged.
    pub fn logging_token(&self) -> Option<&str> {
        self.get("logging_token")
    }

    /// The value of one of them, whether everpool knows it or only the program.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        pairs(&self.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for ExecutionOptions {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(owned(pairs))
    }
}

impl TryFrom<Value> for ExecutionOptions {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        texts(value).map(Self)
    }
}

fn pairs(texts: &Texts) -> impl Iterator<Item = (&str, &str)> {
    texts.iter().map(|(name, value)| (&**name, &**value))
}

fn owned<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Texts {
    let own = |(name, value): (K, V)| (name.into(), value.into());
    pairs.into_iter().map(own).collect()
}

fn texts(value: Value) -> Result<Texts, &'static str> {
    let Value::Table(table) = value else {
        return Err("must be a table of texts");
    };
    let text = |(name, value): (String, Value)| Some((name, value.into_text()?));
    let texts: Option<Texts> = table.into_iter().map(text).collect();
    texts.ok_or("must have texts, numbers and booleans in it only")
}
