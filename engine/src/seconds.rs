use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A duration as configuration has it: a number of seconds, with a fraction if need be, or a text
/// such as `"30"` or `"5m"`. It may be negative, because in `pool_recycle` that means never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(pub(crate) f64);

impl Seconds {
    /// `None` if it is negative or not a number. What is longer than can be counted is as long as can
    /// be.
    pub(crate) fn duration(self) -> Option<Duration> {
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

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Seconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds or a duration like \"5m\"")
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Seconds, E> {
        Ok(Seconds(seconds as f64))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Seconds, E> {
        Ok(Seconds(seconds as f64))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Seconds, E> {
        Ok(Seconds(seconds))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
        if let Ok(seconds) = text.parse() {
            return Ok(Seconds(seconds));
        }
        let duration = humantime::parse_duration(text);
        duration
            .map(Seconds::from)
            .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
