//! What the value of an option may be, each for several ways to write it.

use everpool_core::{PoolClass, ResetOnReturn};
use serde::{Deserialize, Serialize, Serializer};

use super::value::Value;

/// A boolean, or one of SQLAlchemy's words for it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "Value")]
pub(super) struct Flag(pub(super) bool);

impl TryFrom<Value> for Flag {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        flag(&value)
            .map(Self)
            .ok_or("must be true or false (or yes, on, y, t, 1; no, off, n, f, 0)")
    }
}

fn flag(value: &Value) -> Option<bool> {
    let text = match value {
        Value::Flag(flag) => return Some(*flag),
        Value::Whole(number) => number.to_string(),
        Value::Text(text) => text.trim().to_ascii_lowercase(),
        _ => return None,
    };
    match text.as_str() {
        "true" | "yes" | "on" | "y" | "t" | "1" => Some(true),
        "false" | "no" | "off" | "n" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// A number, or a text that is one.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(try_from = "Value")]
pub(super) struct Whole(pub(super) i64);

impl TryFrom<Value> for Whole {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let number = match value {
            Value::Whole(number) => Some(number),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.map(Self).ok_or("must be a whole number")
    }
}

/// A name of something.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Value")]
pub(super) struct Name(pub(super) String);

impl TryFrom<Value> for Name {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::Text(text) if !text.trim().is_empty() => Ok(Self(text.trim().to_owned())),
            _ => Err("must be a text that is not empty"),
        }
    }
}

/// `poolclass`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Class(pub(super) PoolClass);

impl TryFrom<Value> for Class {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let class = value.into_text().and_then(|text| text.trim().parse().ok());
        class.map(Self).ok_or(
            "must be QueuePool, AsyncAdaptedQueuePool, NullPool, StaticPool, SingletonThreadPool \
             or AssertionPool",
        )
    }
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// `pool_reset_on_return`: SQLAlchemy takes a boolean for it too.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Reset(pub(super) ResetOnReturn);

impl TryFrom<Value> for Reset {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let reset = match &value {
            Value::Text(text) if text.trim() == "commit" => ResetOnReturn::Commit,
            Value::Text(text) if text.trim() == "rollback" => ResetOnReturn::Rollback,
            Value::Text(text) if text.trim() == "none" => ResetOnReturn::Nothing,
            other => match flag(other) {
                Some(true) => ResetOnReturn::Rollback,
                Some(false) => ResetOnReturn::Nothing,
                None => return Err("must be \"rollback\", \"commit\" or \"none\""),
            },
        };
        Ok(Self(reset))
    }
}

impl Serialize for Reset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self.0 {
            ResetOnReturn::Rollback => "rollback",
            ResetOnReturn::Commit => "commit",
            ResetOnReturn::Nothing => "none",
        })
    }
}

/// `echo` and `echo_pool`: how much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Echo {
    /// `false`: what the subscriber of the program's logs asks for.
    #[default]
    Off,
    /// `true`: of an engine, what is sent; of a pool, what becomes of connections.
    On,
    /// `"debug"`: in addition, of an engine, what is answered; of a pool, each checkout and return.
    Debug,
}

impl From<bool> for Echo {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl TryFrom<Value> for Echo {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match &value {
            Value::Text(text) if text.trim().eq_ignore_ascii_case("debug") => Ok(Self::Debug),
            value => flag(value)
                .map(Self::from)
                .ok_or("must be true, false or \"debug\""),
        }
    }
}

impl Serialize for Echo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_bool(false),
            Self::On => serializer.serialize_bool(true),
            Self::Debug => serializer.serialize_str("debug"),
        }
    }
}
