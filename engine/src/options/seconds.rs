use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, Serializer};

use super::value::Value;

/// A duration as configuration has it: a number of seconds, with a fraction if need be, or a text
/// such as `"30"` or `"5m"`. It may be negative, because -1 means never.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Seconds(f64);

impl Seconds {
    pub(super) const NEVER: Self = Self(-1.0);

    /// `None` if it is negative or not a number. What is longer than can be counted is as long as can
    /// be.
    pub(super) fn duration(self) -> Option<Duration> {
        let beyond = self.0.is_finite() && self.0 >= Duration::MAX.as_secs_f64();
        if beyond {
            Some(Duration::MAX)
        } else {
            Duration::try_from_secs_f64(self.0).ok()
        }
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration.as_secs_f64())
    }
}

impl From<Option<Duration>> for Seconds {
    fn from(duration: Option<Duration>) -> Self {
        duration.map_or(Self::NEVER, Self::from)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<Value> for Seconds {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let seconds = match value {
            Value::Whole(seconds) => Some(Self(seconds as f64)),
            Value::Fraction(seconds) => Some(Self(seconds)),
            Value::Text(text) => parse(text.trim()),
            _ => None,
        };
        seconds.ok_or("must be a number of seconds or a duration like \"5m\"")
    }
}

fn parse(text: &str) -> Option<Seconds> {
    if let Ok(seconds) = text.parse() {
        return Some(Seconds(seconds));
    }
    humantime::parse_duration(text).ok().map(Seconds::from)
}

/// Whole seconds as a whole number.
impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = self.0 as i64;
        if whole as f64 == self.0 && whole != i64::MAX {
            serializer.serialize_i64(whole)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
