//! Which arguments SQLx has, by its own names and by those of other drivers. It ignores what it does not
//! know, and a `ssl_mode` that is ignored is a connection in plain text.

use crate::create::EngineError;

/// What SQLx has for the arguments of one database.
pub(super) struct Known {
    /// Each name, and SQLx's for it.
    pub(super) names: &'static [(&'static str, &'static str)],
    /// What other drivers can be told, with the values that say what SQLx does anyway.
    pub(super) silent: &'static [(&'static str, &'static [&'static str])],
    /// What SQLx does not have, and what there is instead.
    pub(super) remedies: &'static [(&'static str, &'static str)],
}

impl Known {
    /// SQLx's name for an argument; none, if it says what SQLx does without it.
    pub(super) fn name(
        &self,
        name: &str,
        value: &str,
    ) -> Result<Option<&'static str>, EngineError> {
        if let Some((_, own)) = self.names.iter().find(|(known, _)| *known == name) {
            return Ok(Some(own));
        }
        let silent = self.silent.iter().find(|(known, _)| *known == name);
        match silent {
            Some((_, values)) if values.contains(&value) => Ok(None),
            Some((_, values)) => {
                Err(self.refused(name, &format!("SQLx has only {}", values.join(", "))))
            }
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> EngineError {
        let remedy = self.remedies.iter().find(|(known, _)| *known == name);
        match remedy {
            Some((_, remedy)) => self.refused(name, remedy),
            None => {
                let names: Vec<_> = self.names.iter().map(|(name, _)| *name).collect();
                self.refused(name, &format!("it has {}", names.join(", ")))
            }
        }
    }

    fn refused(&self, name: &str, remedy: &str) -> EngineError {
        EngineError::Argument {
            name: presentable(name).to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// What does not look like a name may be part of a password.
fn presentable(name: &str) -> &str {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.bytes().all(is_name) { name } else { "?" }
}
