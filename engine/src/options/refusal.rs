use std::fmt;

use serde::de;

/// Why one entry of a configuration was not taken. It does not know which one.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such option; there are these.
    Unknown(&'static [&'static str]),
    /// The option must have another value.
    Wrong(String),
}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(remedy: T) -> Self {
        Self::Wrong(remedy.to_string())
    }

    fn unknown_field(_name: &str, known: &'static [&'static str]) -> Self {
        Self::Unknown(known)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str("is no option"),
            Self::Wrong(remedy) => f.write_str(remedy),
        }
    }
}

impl std::error::Error for Refusal {}
