mod reading;
mod recovery;

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use diesel::{QueryResult, result::Error};
use everpool_core::{
    OptionsError, Status,
    blocking::{Lease, Pool},
};
use everpool_engine::{
    Backend, EngineOptions, ExecutionOptions, OptionError, PoolOptions, Pools, Url, UrlError,
    events::Event,
    isolation::{Characteristics, CharacteristicsError, IsolationLevel},
    stage,
};
use everpool_session::{Outcome, TransactionId};

pub(crate) use reading::Replicas;

use crate::{
    connection::Connection,
    connector::{Connector, DriverError},
    driver::Driver,
    error::not_sent,
    hooks::{EngineEvents, Hooks},
    shared::Shared,
    stage::Stage,
    watch::Watch,
};

/// Why a checkout gave no connection.
pub type CheckoutError = everpool_core::CheckoutError<DriverError>;

/// A connection from the pool as it is: Diesel's own, which returns to the pool when it is dropped.
/// Nobody looks at the errors that it gives.
pub type RawConnection<C> = Lease<Connector<C>>;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The URL does not say where the database is.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The pool cannot be as the options say.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option does not fit the database.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// An execution option, or the isolation level, is none of this database.
    #[error(transparent)]
    Characteristics(#[from] CharacteristicsError),
}

/// What is a URL already is one.
impl From<Infallible> for EngineError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A pool of connections to one database, with its options. Cloning gives another handle to the same
/// pool. Make one per database, at the start of the program.
pub struct Engine<C: Driver> {
    shared: Arc<Shared<C>>,
    watch: Arc<Watch>,
    options: ExecutionOptions,
    /// What `options` ask of each connection at its checkout.
    asked: Characteristics,
    replicas: Option<Arc<Replicas<C>>>,
    /// Its connections are the replicas'.
    is_routed: bool,
}

/// An engine for the database at `url`, a text or a [`Url`]. Never connects: the first checkout does. Does not block.
///
/// A SQLite database in memory lives and dies with its connection, so its engine has exactly one,
/// whatever `pool_size` says, and users wait in line for it. No error counts as its loss, unless a
/// handler of `handle_error` says so.
///
/// `connect_args` go over the URL's arguments.
///
/// # Errors
///
/// [`EngineError::Url`] if the URL does not parse, names another database than `C`, or cannot have
/// the `connect_args`; [`EngineError::Option`] if the database cannot have `sqlite_readers`.
pub fn create_engine<C: Driver>(
    url: impl TryInto<Url, Error: Into<EngineError>>,
    options: EngineOptions,
) -> Result<Engine<C>, EngineError> {
    let url: Url = url.try_into().map_err(Into::into)?;
    let url = url.with_connect_args(options.connect_args())?;
    let (named, engine): (Backend, Backend) = (url.backend(), C::BACKEND);
    if named != engine {
        let (url, engine) = (named.name(), engine.name());
        return Err(UrlError::WrongBackend { url, engine }.into());
    }
    let pools = options.pools(&url)?;
    Engine::new(&url, &pools)
}

/// A pool for the database at `url`, without an engine. Never connects. Does not block.
///
/// # Errors
///
/// Those of [`create_engine`]; and `sqlite_readers` is refused, because it makes two pools.
#[cfg_attr(
    feature = "sqlite",
    doc = r#"
```
# use diesel::SqliteConnection;
# use everpool_diesel::{EngineOptions, create_pool_from_url};
let options = EngineOptions::builder().pool_size(3).build()?;
let pool = create_pool_from_url::<SqliteConnection>("sqlite:///app.db", options)?;
assert_eq!(pool.status().size, 3);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
)]
pub fn create_pool_from_url<C: Driver>(
    url: impl TryInto<Url, Error: Into<EngineError>>,
    options: impl Into<PoolOptions>,
) -> Result<Pool<Connector<C>>, EngineError> {
    let options: PoolOptions = options.into();
    create_engine(url, options.alone()?).map(|engine| engine.pool().clone())
}

impl<C: Driver> Engine<C> {
    fn new(url: &Url, pools: &Pools) -> Result<Self, EngineError> {
        let options = &pools.own;
        let asked = Characteristics::of(options.execution_options(), C::BACKEND)?;
        let watch = Arc::new(Watch::new(options));
        Ok(Self {
            shared: Arc::new(Shared::new(url, pools, &watch)?),
            watch,
            options: options.execution_options().clone(),
            asked,
            replicas: None,
            is_routed: false,
        })
    }

    /// Another engine over the same pool, whose Connections have these options too: `isolation_level`,
    /// `logging_token`, on PostgreSQL `postgresql_readonly` and `postgresql_deferrable`, and the
    /// program's own. It has listeners of its own, and those of this one. Does not block.
    ///
    /// # Errors
    ///
    /// A value that the database does not have, with those that it has.
    pub fn execution_options(&self, options: &ExecutionOptions) -> Result<Self, EngineError> {
        let options: ExecutionOptions = self.options.iter().chain(options.iter()).collect();
        let mut watch = Arc::new(self.watch.option());
        if let Some(token) = options.logging_token() {
            watch = watch.with_token(token);
        }
        Ok(Self {
            shared: Arc::clone(&self.shared),
            watch,
            asked: Characteristics {
                read_only: self.asked.read_only,
                ..Characteristics::of(&options, C::BACKEND)?
            },
            options,
            replicas: self.replicas.clone(),
            is_routed: self.is_routed,
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<C>> {
        &self.shared
    }

    /// The execution options of this engine.
    pub fn options(&self) -> &ExecutionOptions {
        &self.options
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    pub(crate) fn hooks(&self) -> &Hooks<C> {
        &self.shared.hooks
    }

    /// What each connection has from its first moment.
    pub(crate) fn characteristics(&self) -> &Characteristics {
        &self.shared.characteristics
    }

    /// What a connection is given at its checkout, if anything.
    pub(crate) fn checkout_characteristics(&self) -> Option<Characteristics> {
        Some(self.asked).filter(|asked| *asked != Characteristics::default())
    }

    /// Whether it is a test's.
    pub(crate) fn is_staged(&self) -> bool {
        self.shared.is_staged
    }

    /// This engine on a stage.
    pub(crate) fn staged(&self, stage: &Arc<Stage<C>>) -> Self {
        Self {
            shared: Arc::new(self.shared.staged(stage, &self.watch)),
            // They see nothing of what is not committed.
            replicas: None,
            is_routed: false,
            ..self.clone()
        }
    }

    /// A statement as it is sent on connections of this engine.
    pub(crate) fn wording<'q>(&self, query: &'q str) -> &'q str {
        if self.is_staged()
            && let Some(staged) = stage::wording(query)
        {
            return staged;
        }
        self.shared.role.wording(C::wording(query))
    }

    pub(crate) fn default_level(&self) -> &OnceLock<IsolationLevel> {
        &self.shared.default_level
    }

    /// Takes a connection; blocks until there is one, for at most `pool_timeout`.
    ///
    /// # Errors
    ///
    /// See [`CheckoutError`].
    #[track_caller]
    pub fn connect(&self) -> Result<Connection<C>, CheckoutError> {
        let mut connection = Connection::unconnected(self.clone());
        connection.checkout(self.pool_timeout())?;
        Ok(connection)
    }

    /// Does some work in a transaction: commits it if the work succeeds, and rolls it back if it fails
    /// or panics. If the work has ended the transaction itself, nothing is committed. Blocks for the
    /// checkout, BEGIN and COMMIT.
    ///
    /// # Errors
    ///
    /// The work's, or the driver's. That no connection was to be had is a
    /// [`DatabaseError`](Error::DatabaseError).
    #[cfg_attr(
        feature = "sqlite",
        doc = r#"
```
# use diesel::prelude::*;
# use everpool_diesel::{EngineOptions, create_engine};
let engine = create_engine::<SqliteConnection>("sqlite://", EngineOptions::default())?;
let count = engine.begin(|connection| {
    diesel::sql_query("CREATE TABLE t (x INTEGER)").execute(connection)?;
    diesel::sql_query("INSERT INTO t VALUES (1)").execute(connection)
})?;
assert_eq!(count, 1);
# Ok::<(), Box<dyn std::error::Error>>(())
```
"#
    )]
    #[track_caller]
    pub fn begin<T, E>(&self, work: impl FnOnce(&mut Connection<C>) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        let mut connection = self.connect().map_err(|error| not_sent(error.into()))?;
        let mut transaction = connection.begin()?;
        let done = work(&mut transaction)?;
        if transaction.is_open() {
            transaction.commit()?;
        }
        Ok(done)
    }

    /// What became of a transaction of which the answer to COMMIT was lost, as the server knows it; see
    /// [`SessionOptions::track_outcome`](everpool_session::SessionOptions::track_outcome). Asks on a
    /// connection of its own; blocks for a checkout and a query. On PostgreSQL only, of its primary.
    ///
    /// # Errors
    ///
    /// The driver's, or that there is no connection.
    pub fn outcome(&self, transaction: TransactionId) -> QueryResult<Outcome> {
        let TransactionId::Assigned(number) = transaction else {
            return Ok(Outcome::WroteNothing);
        };
        let mut connection = self.connect().map_err(|error| not_sent(error.into()))?;
        connection.run(
            |connection| connection.outcome(number),
            || Outcome::query(number),
        )
    }

    /// Takes a connection as the pool has it; blocks until there is one, for at most `pool_timeout`.
    ///
    /// # Errors
    ///
    /// See [`CheckoutError`].
    #[track_caller]
    pub fn raw_connection(&self) -> Result<RawConnection<C>, CheckoutError> {
        self.pool().checkout()
    }

    /// Replaces all connections, those of its readers too: idle ones are closed at once, those in use when
    /// they come back. The engine works on. Does not block.
    pub fn dispose(&self) {
        self.shared.pools().for_each(|pool| pool.recreate());
        self.watch.board.tell(Event::EngineDisposed);
    }

    /// As [`dispose`](Self::dispose), but idle connections are let go without a word to the server
    /// (SQLAlchemy's `dispose(close=False)`): they belong to somebody else, such as a parent process.
    pub fn abandon(&self) {
        self.shared.pools().for_each(|pool| pool.abandon());
        self.watch.board.tell(Event::EngineDisposed);
    }

    /// Registers listeners. Those of an option engine are not told of what happens on others; but
    /// `do_connect` and `handle_error` hold for the pool, and that of the readers, on whichever engine they
    /// were registered. A read-only engine has the listeners of the one that it was made from.
    pub fn events(&self) -> EngineEvents<'_, C> {
        EngineEvents::new(&self.watch.board, &self.shared.hooks)
    }

    /// The pool's numbers at this moment; its `Display` is SQLAlchemy's status line. Those of the readers'
    /// pool are told by [`read_only`](Self::read_only)`().status()`.
    pub fn status(&self) -> Status {
        self.pool().status()
    }

    /// Where the database is. Its `Display` hides the password.
    pub fn url(&self) -> &Url {
        &self.shared.url
    }

    /// How long a checkout waits.
    pub fn pool_timeout(&self) -> Duration {
        let own = self.route().map_or(&self.shared, |replicas| replicas.own());
        own.pool.timeout()
    }

    /// The pool, with its own events, its size and its end. The readers' is another one, with its own.
    pub fn pool(&self) -> &Pool<Connector<C>> {
        &self.shared.pool
    }
}

impl<C: Driver> Clone for Engine<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            watch: Arc::clone(&self.watch),
            options: self.options.clone(),
            asked: self.asked,
            replicas: self.replicas.clone(),
            is_routed: self.is_routed,
        }
    }
}

/// `Engine(postgresql://scott:***@localhost/test)`, as SQLAlchemy prints it.
impl<C: Driver> fmt::Debug for Engine<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.url())
    }
}
