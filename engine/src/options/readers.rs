//! `sqlite_readers`: what fits it, and the two pools that it makes of one.

use everpool_core::{Capacity, PoolClass};

use super::{EngineOptions, OptionError, PoolOptions, said::Said};
use crate::{Backend, Role, Url};

const OPTION: &str = "sqlite_readers";

/// The pools of an engine, each with its options.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pools {
    /// Of the engine's own pool.
    pub own: EngineOptions,
    /// What that one is for.
    pub role: Role,
    /// Of the pool that reads beside it, if there is one; its role is [`Role::Reader`].
    pub readers: Option<EngineOptions>,
}

impl Pools {
    /// One, for whatever the program does.
    pub fn one(own: EngineOptions) -> Self {
        Self {
            own,
            role: Role::Any,
            readers: None,
        }
    }
}

impl EngineOptions {
    /// The pools of an engine for the database at `url`. Of a database in memory the own one is
    /// [`with_one_connection`](Self::with_one_connection).
    ///
    /// ```
    /// use everpool_engine::{EngineOptions, Role};
    ///
    /// let options = EngineOptions::builder().sqlite_readers(4).build()?;
    /// let pools = options.pools(&"sqlite:///app.db".parse()?)?;
    /// assert_eq!(pools.role, Role::Writer);
    /// assert!(pools.readers.is_some());
    /// # Ok::<(), everpool_engine::OptionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `sqlite_readers`, if the database cannot have them.
    pub fn pools(self, url: &Url) -> Result<Pools, OptionError> {
        let Some(number) = self.sqlite_readers else {
            return Ok(self.alone(url));
        };
        if let Some(remedy) = misfit(url) {
            return Err(OptionError::wrong(OPTION, number, &remedy));
        }
        Ok(Pools {
            readers: Some(self.clone().of_readers(number)),
            role: Role::Writer,
            own: self.of_writer(),
        })
    }

    fn alone(self, url: &Url) -> Pools {
        Pools::one(match url.is_memory() {
            true => self.with_one_connection(),
            false => self,
        })
    }

    fn of_writer(mut self) -> Self {
        self.pool.min_idle = self.pool.min_idle.min(1);
        self
    }

    fn of_readers(mut self, number: u32) -> Self {
        self.pool.capacity = capacity(number);
        let name = self.pool_logging_name.unwrap_or_default();
        self.pool_logging_name = Some(format!("{name} readers").trim_start().to_owned());
        self.sqlite_readers = None;
        self
    }
}

impl PoolOptions {
    /// The options of a pool that has no engine.
    ///
    /// # Errors
    ///
    /// `sqlite_readers`, which makes two pools.
    pub fn alone(self) -> Result<EngineOptions, OptionError> {
        let options = EngineOptions::from(self);
        match options.sqlite_readers {
            None => Ok(options),
            Some(number) => Err(OptionError::wrong(
                OPTION,
                number,
                "makes two pools, and this is about one; leave it out, or make an engine",
            )),
        }
    }
}

/// Refuses other options that say otherwise of the writer's pool than `sqlite_readers` does.
pub(super) fn check(said: &Said) -> Result<(), OptionError> {
    const QUEUES: &str = "does not go with sqlite_readers, which makes a QueuePool that writes and one \
         that reads; leave one of the two out";
    const ONE: &str = "does not go with sqlite_readers, because SQLite has one writer at a time; leave \
         one of the two out";
    if let Some(class) = said.poolclass
        && class.0 != PoolClass::QueuePool
    {
        return Err(OptionError::wrong("poolclass", class.0, QUEUES));
    }
    let numbers = [
        ("pool_size", said.pool_size, 1),
        ("max_overflow", said.max_overflow, 0),
    ];
    for (option, said, only) in numbers {
        if let Some(number) = said.filter(|number| number.0 != only) {
            return Err(OptionError::wrong(option, number.0, ONE));
        }
    }
    Ok(())
}

/// So many connections and no more.
pub(super) fn capacity(size: u32) -> Capacity {
    Capacity::Bounded { size, overflow: 0 }
}

/// Why a database has no readers, and what would help.
fn misfit(url: &Url) -> Option<String> {
    if url.backend() != Backend::Sqlite {
        let name = url.backend().name();
        return Some(format!(
            "is for sqlite, and the database is {name}; leave it out"
        ));
    }
    if url.is_memory() {
        return Some(
            "needs a database in a file, because one in memory has one connection; leave it out"
                .to_owned(),
        );
    }
    let (name, value) = url.query().find(|argument| is_against_readers(*argument))?;
    Some(format!(
        "needs a file that can be written, and read beside that, which {name}={value} forbids; \
         leave one of the two out"
    ))
}

/// With `cache=shared`, whoever reads a table is refused while it is written.
fn is_against_readers(argument: (&str, &str)) -> bool {
    match argument {
        ("mode", "ro") | ("cache", "shared") => true,
        ("immutable" | "nolock", value) => value != "0",
        _ => false,
    }
}
