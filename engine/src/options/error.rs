use everpool_core::{OptionsError, PoolClass};

use crate::url::UrlError;

/// An option that no engine can have. It repeats no value of `url` and `connect_args`, which may have
/// a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// There is no option of this name.
    #[error("unknown option `{name}`{}", suggestion(.nearest.as_deref()))]
    Unknown {
        /// As it was written.
        name: String,
        /// The known one that was meant, perhaps.
        nearest: Option<String>,
    },
    /// An option has a value that it cannot have.
    #[error("{name} = {value}: {name} {remedy}")]
    Wrong {
        /// As it was written.
        name: String,
        /// Its value.
        value: String,
        /// What would be right.
        remedy: String,
    },
    /// Two names of one option were used, or one name twice.
    #[error("`{first}` and `{second}` both set `{option}`; remove one of them")]
    Twice {
        /// One name, as it was written.
        first: String,
        /// The other one.
        second: String,
        /// The option.
        option: String,
    },
    /// The pools of this class do not have the option.
    #[error("`{option}` does not fit poolclass = {class}; only {classes} has it")]
    Misfit {
        /// The option.
        option: &'static str,
        /// The class.
        class: PoolClass,
        /// Those that have it.
        classes: &'static str,
    },
    /// A name that other pools use for one thing or the other.
    #[error(
        "`{name}` means different things to different pools; write `pool_timeout` for the deadline \
         of a whole checkout, `pool_connect_timeout` for the time that opening one connection may \
         take, or connect_timeout in `connect_args` for the driver's own"
    )]
    Ambiguous {
        /// As it was written.
        name: String,
    },
    /// A configuration of an engine does not say where the database is.
    #[error("`{name}` is missing: it says where the database is, as in postgresql://user@host/db")]
    NoUrl {
        /// With the prefix of the configuration.
        name: String,
    },
    /// What says where the database is does not.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The options fit no pool together.
    #[error(transparent)]
    Pool(#[from] OptionsError),
}

impl OptionError {
    pub(super) fn wrong(name: &str, value: impl ToString, remedy: &str) -> Self {
        Self::Wrong {
            name: name.to_owned(),
            value: value.to_string(),
            remedy: remedy.to_owned(),
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || String::from("; the names are those of SQLAlchemy's create_engine"),
        |name| format!("; did you mean `{name}`?"),
    )
}
