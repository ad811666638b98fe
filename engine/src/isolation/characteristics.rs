use super::{IsolationLevel, IsolationLevelError};
use crate::{Backend, EngineOptions, ExecutionOptions, Role};

/// Whether a statement that needs a transaction is preceded by BEGIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It is, as always.
    Sent,
    /// It is not, nor are COMMIT, ROLLBACK and savepoints: under `AUTOCOMMIT`. The program's
    /// transactions have their states all the same. This is how a driver without a mode of its own
    /// does it.
    Omitted,
}

/// What transactions begin with, per engine or per connection: SQLAlchemy's execution options
/// `isolation_level`, `postgresql_readonly` and `postgresql_deferrable`; and `read_only`, which each
/// database has. What is not given stays as it is.
///
/// [`statement`](Self::statement) is sent outside of a transaction, because databases apply it to the
/// next one; [`undo`](Self::undo) when the connection comes back.
///
/// ```
/// use everpool_engine::{Backend, isolation::{Begin, Characteristics, IsolationLevel}};
///
/// let connection = Characteristics {
///     isolation_level: Some(IsolationLevel::Serializable),
///     postgresql_readonly: Some(true),
///     ..Characteristics::default()
/// };
/// let connection = connection.checked(Backend::Postgresql)?;
/// assert_eq!(
///     connection.statement(Backend::Postgresql).as_deref(),
///     Some("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY")
/// );
/// assert_eq!(connection.begin(), Begin::Sent);
///
/// let engine = Characteristics::default();
/// assert_eq!(
///     connection.undo(Backend::Postgresql, &engine, IsolationLevel::ReadCommitted),
///     [
///         "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
///         "RESET default_transaction_read_only",
///     ]
/// );
/// # Ok::<(), everpool_engine::isolation::CharacteristicsError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Characteristics {
    /// The isolation level.
    pub isolation_level: Option<IsolationLevel>,
    /// `READ ONLY` or `READ WRITE`; PostgreSQL's.
    pub postgresql_readonly: Option<bool>,
    /// `DEFERRABLE` or `NOT DEFERRABLE`; PostgreSQL's. It has a meaning for transactions that are
    /// serializable and read-only.
    pub postgresql_deferrable: Option<bool>,
    /// Whether the database refuses to write: what `Engine::read_only` asks for. On PostgreSQL it counts
    /// more than `postgresql_readonly`. SQLite's `query_only`, which refuses temporary tables too.
    pub read_only: Option<bool>,
}

impl Characteristics {
    /// These, if the database has them.
    ///
    /// # Errors
    ///
    /// The first that it does not have.
    pub fn checked(self, backend: Backend) -> Result<Self, CharacteristicsError> {
        if let Some(level) = self.isolation_level {
            level.checked(backend)?;
        }
        if backend != Backend::Postgresql {
            let options = [
                ("postgresql_readonly", self.postgresql_readonly),
                ("postgresql_deferrable", self.postgresql_deferrable),
            ];
            if let Some((option, _)) = options.iter().find(|(_, value)| value.is_some()) {
                return Err(CharacteristicsError::NotThisDatabase { option, backend });
            }
        }
        Ok(self)
    }

    /// What each connection of a pool has from its first moment.
    ///
    /// # Errors
    ///
    /// An isolation level that this database does not have.
    pub fn permanent(
        options: &EngineOptions,
        role: Role,
        backend: Backend,
    ) -> Result<Self, CharacteristicsError> {
        let permanent = Self {
            isolation_level: options.isolation_level().map(str::parse).transpose()?,
            read_only: (role == Role::Reader).then_some(true),
            ..Self::default()
        };
        permanent.checked(backend)
    }

    /// What these options say of it. Others are the program's.
    ///
    /// # Errors
    ///
    /// A value that does not fit, or that this database does not have.
    pub fn of(options: &ExecutionOptions, backend: Backend) -> Result<Self, CharacteristicsError> {
        let level = options.isolation_level().map(str::parse).transpose()?;
        let asked = Self {
            isolation_level: level,
            postgresql_readonly: boolean(options, "postgresql_readonly")?,
            postgresql_deferrable: boolean(options, "postgresql_deferrable")?,
            read_only: None,
        };
        asked.checked(backend)
    }

    /// Whether BEGIN is sent.
    pub fn begin(&self) -> Begin {
        if self.isolation_level == Some(IsolationLevel::Autocommit) {
            Begin::Omitted
        } else {
            Begin::Sent
        }
    }

    /// These, and of `engine` what is not given here.
    #[must_use]
    pub fn over(self, engine: Self) -> Self {
        Self {
            isolation_level: self.isolation_level.or(engine.isolation_level),
            postgresql_readonly: self.postgresql_readonly.or(engine.postgresql_readonly),
            postgresql_deferrable: self.postgresql_deferrable.or(engine.postgresql_deferrable),
            read_only: self.read_only.or(engine.read_only),
        }
    }

    /// What sets them for a session, once they are [`checked`](Self::checked); nothing for
    /// `AUTOCOMMIT`, which is no matter of the database's.
    pub fn statement(&self, backend: Backend) -> Option<String> {
        match backend {
            Backend::Postgresql => self.postgresql_statement(),
            Backend::Mysql => self.mysql_statement(),
            Backend::Sqlite => self.sqlite_statements(),
        }
    }

    /// What takes these back for the next user, in this order. `engine` is what the engine has set
    /// on each of its connections, and `level` what a connection had before anything was set.
    pub fn undo(&self, backend: Backend, engine: &Self, level: IsolationLevel) -> Vec<String> {
        let own_level = self.sent_level();
        let before = Self {
            isolation_level: own_level.map(|_| engine.sent_level().unwrap_or(level)),
            postgresql_readonly: None,
            postgresql_deferrable: self.postgresql_deferrable.and(engine.postgresql_deferrable),
            read_only: self.is_read_only().and(engine.is_read_only()),
        };
        let set = before.statement(backend);
        set.into_iter()
            .chain(self.resets(backend, engine))
            .collect()
    }

    /// By whichever of its names, if either was given.
    pub fn is_read_only(&self) -> Option<bool> {
        self.read_only.or(self.postgresql_readonly)
    }

    /// PostgreSQL knows itself what a session began with, `ALTER ROLE … SET` included.
    fn resets(&self, backend: Backend, engine: &Self) -> impl Iterator<Item = String> {
        let only_own = |own: Option<bool>, engine: Option<bool>| own.is_some() && engine.is_none();
        let resets = [
            (
                only_own(self.is_read_only(), engine.is_read_only()),
                writable_again(backend),
            ),
            (
                only_own(self.postgresql_deferrable, engine.postgresql_deferrable),
                "RESET default_transaction_deferrable",
            ),
        ];
        let needed = resets.into_iter().filter(|(needed, _)| *needed);
        needed.map(|(_, statement)| statement.to_owned())
    }

    /// The level, if the database is to hear of it.
    fn sent_level(&self) -> Option<IsolationLevel> {
        self.isolation_level
            .filter(|level| *level != IsolationLevel::Autocommit)
    }

    fn postgresql_statement(&self) -> Option<String> {
        let deferrable = self
            .postgresql_deferrable
            .map(|yes| if yes { "DEFERRABLE" } else { "NOT DEFERRABLE" }.to_owned());
        let modes = joined([self.level_mode(), self.access_mode(), deferrable], ", ")?;
        Some(format!(
            "SET SESSION CHARACTERISTICS AS TRANSACTION {modes}"
        ))
    }

    fn mysql_statement(&self) -> Option<String> {
        let modes = joined([self.level_mode(), self.access_mode()], ", ")?;
        Some(format!("SET SESSION TRANSACTION {modes}"))
    }

    /// Two, if need be.
    fn sqlite_statements(&self) -> Option<String> {
        let level = self.sent_level().map(|level| {
            let uncommitted = u8::from(level == IsolationLevel::ReadUncommitted);
            format!("PRAGMA read_uncommitted = {uncommitted}")
        });
        let only = self
            .is_read_only()
            .map(|only| format!("PRAGMA query_only = {}", u8::from(only)));
        joined([level, only], "; ")
    }

    fn level_mode(&self) -> Option<String> {
        let level = self.sent_level()?;
        Some(format!("ISOLATION LEVEL {level}"))
    }

    fn access_mode(&self) -> Option<String> {
        let only = self.is_read_only()?;
        Some(if only { "READ ONLY" } else { "READ WRITE" }.to_owned())
    }
}

fn joined<const N: usize>(parts: [Option<String>; N], between: &str) -> Option<String> {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    Some(parts.join(between)).filter(|text| !text.is_empty())
}

/// Where a session cannot be told to be as it was, it writes again.
const fn writable_again(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgresql => "RESET default_transaction_read_only",
        Backend::Mysql => "SET SESSION TRANSACTION READ WRITE",
        Backend::Sqlite => "PRAGMA query_only = 0",
    }
}

/// A characteristic that the database does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CharacteristicsError {
    /// The isolation level.
    #[error(transparent)]
    IsolationLevel(#[from] IsolationLevelError),
    /// An option that is on or off.
    #[error("{option} = {value:?}: {option} must be true or false")]
    NotABoolean {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: String,
    },
    /// An option of another database.
    #[error("{option} is an option for postgresql, and the database is {}; leave it out", .backend.name())]
    NotThisDatabase {
        /// The option's name.
        option: &'static str,
        /// The database.
        backend: Backend,
    },
}

fn boolean(
    options: &ExecutionOptions,
    option: &'static str,
) -> Result<Option<bool>, CharacteristicsError> {
    let Some(value) = options.get(option) else {
        return Ok(None);
    };
    let refused = |_| CharacteristicsError::NotABoolean {
        option,
        value: value.to_owned(),
    };
    value.parse().map(Some).map_err(refused)
}
