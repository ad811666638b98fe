use std::{
    convert::Infallible,
    fmt,
    future::Future,
    iter,
    sync::{Arc, OnceLock},
    time::Duration,
};

use everpool_core::{
    Closed, OptionsError, Status,
    future::{Lease, Pool},
};
use everpool_engine::{
    Backend, EngineOptions, ExecutionOptions, OptionError, PoolOptions, Pools, Url, UrlError,
    Watch,
    events::Event,
    isolation::{Characteristics, CharacteristicsError, IsolationLevel},
};
use sqlx::Error;

use crate::{
    connection::Connection,
    connector::{Connector, DriverError},
    driver::{ConnectOptionsOf, Driver},
    hooks::{EngineEvents, Hooks},
    lent::PoolConnection,
    manner::Manner,
    pool::Ending,
    shared::Shared,
    transaction::Transaction,
    url::connect_options,
    version::BeginStatement,
};

/// Why a checkout gave no connection.
pub type CheckoutError = everpool_core::CheckoutError<DriverError>;

/// A connection from the pool as it is: it derefs to SQLx's own, and returns to the pool when it is
/// dropped. Nobody looks at the errors that it gives.
pub type RawConnection<DB> = Lease<Connector<DB>, everpool_core::Tokio>;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The URL does not say where the database is.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// SQLx takes no such value for an argument of the URL or of `connect_args`.
    #[error(transparent)]
    ConnectOptions(Error),
    /// SQLx has no such argument of a URL or of `connect_args`, or not with this value.
    #[error("SQLx has no use for the connect argument `{name}`: {remedy}")]
    Argument {
        /// Its name, if it looks like one.
        name: String,
        /// What there is instead.
        remedy: String,
    },
    /// The URL has several hosts.
    #[error(
        "SQLx connects to one host, and the URL has {0}; name one, or choose one for each connection \
         in a hook of do_connect"
    )]
    Hosts(usize),
    /// A MySQL URL has no user.
    #[error(
        "the mysql URL has no user, and SQLx would log in as root; write mysql://user@host/database"
    )]
    NoUser,
    /// The pool cannot be as the options say.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// An option that this database, or what is made here, cannot have.
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
///
/// A reference to it executes queries: each takes a connection from the pool and returns it when it is
/// answered.
pub struct Engine<DB: Driver> {
    shared: Arc<Shared<DB>>,
    watch: Arc<Watch>,
    options: ExecutionOptions,
    /// What `options` ask of each connection at its checkout.
    asked: Characteristics,
}

/// An engine for the database at `url`, a text or a [`Url`]. Never connects: the first checkout does.
///
/// A SQLite database in memory lives and dies with its connection, so its engine has exactly one,
/// whatever `pool_size` says, and users wait in line for it. No error counts as its loss, unless a
/// handler of `handle_error` says so. Neither a ping nor a reset is given up: a statement that was, and
/// runs on, keeps the others waiting. A SQLite file that is not there is made.
///
/// `connect_args` go over the URL's arguments; [`connect_options`] tells which there are. Whatever a URL
/// does not say is as SQLx has it: foreign keys of SQLite are checked, and statements logged at the level
/// `DEBUG` to `sqlx::query`, beside what the option `echo` writes to `everpool::engine`.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query_scalar};

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let options = EngineOptions::builder().pool_pre_ping(true).build()?;
let engine = create_engine::<Sqlite>("sqlite:///:memory:", options)?;
let one: i64 = query_scalar("SELECT 1").fetch_one(&engine).await?;
assert_eq!(one, 1);
# Ok(())
# }
```
"#
)]
///
/// `Any` finds its drivers only after `sqlx::any::install_default_drivers()`.
///
/// `query_cache_size` is SQLx's `statement_cache_capacity`, and with 0 PostgreSQL's statements have no
/// names. A PgBouncer in transaction mode keeps named ones from version 1.21 on. Before that it needs 0;
/// and because SQLx prepares a statement in one round trip and executes it in the next, which outside of
/// a transaction may meet another server connection, only statements in a transaction or a session may
/// have arguments there, and the others go through `raw_sql`.
///
/// # Errors
///
/// Those of [`connect_options`]; [`EngineError::Url`] also if the URL cannot have the `connect_args`.
/// [`EngineError::Options`] and [`EngineError::Characteristics`] if the pool or the database does not
/// have what the options ask for.
pub fn create_engine<DB: Driver>(
    url: impl TryInto<Url, Error: Into<EngineError>>,
    options: EngineOptions,
) -> Result<Engine<DB>, EngineError> {
    let url: Url = url.try_into().map_err(Into::into)?;
    let url = url.with_connect_args(options.connect_args())?;
    let connect_options = connect_options::<DB>(url.clone())?;
    let pools = options.pools(&url)?;
    Engine::new(Some(url), &connect_options, &pools, Manner::default())
}

/// An engine whose connections are opened with SQLx's own options. Never connects.
///
/// # Errors
///
/// Options that cannot be; and `connect_args`, because SQLx's options say it all.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
use everpool_sqlx::{EngineOptions, Sqlite, create_engine_with, query, sqlite::SqliteConnectOptions};
let options = SqliteConnectOptions::new().in_memory(true).pragma("cache_size", "4000");
let engine = create_engine_with::<Sqlite>(options, EngineOptions::default())?;
query("CREATE TABLE t (x INTEGER)").execute(&engine).await?;
# Ok(())
# }
```
"#
)]
pub fn create_engine_with<DB: Driver>(
    connect_options: ConnectOptionsOf<DB>,
    options: EngineOptions,
) -> Result<Engine<DB>, EngineError> {
    if let Some((name, _)) = options.connect_args().iter().next() {
        let name = name.to_owned();
        let remedy =
            "the options of SQLx's that were given stand for them; set it there".to_owned();
        return Err(EngineError::Argument { name, remedy });
    }
    let options = PoolOptions::from(options).alone()?;
    let pools = match DB::is_memory(&connect_options) {
        true => Pools::one(options.with_one_connection()),
        false => Pools::one(options),
    };
    Engine::new(None, &connect_options, &pools, Manner::default())
}

/// A pool for the database at `url`, without an engine. Never connects.
///
/// # Errors
///
/// Those of [`create_engine`]; and `sqlite_readers` is refused, because it makes two pools.
#[cfg_attr(
    feature = "_sqlite",
    doc = r#"
```
use everpool_sqlx::{EngineOptions, Sqlite, create_pool_from_url, query};

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let pool = create_pool_from_url::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut wire = pool.checkout().await?;
query("CREATE TABLE t (x INTEGER)").execute(&mut *wire).await?;
# Ok(())
# }
```
"#
)]
pub fn create_pool_from_url<DB: Driver>(
    url: impl TryInto<Url, Error: Into<EngineError>>,
    options: impl Into<PoolOptions>,
) -> Result<Pool<Connector<DB>>, EngineError> {
    let options: PoolOptions = options.into();
    create_engine(url, options.alone()?).map(|engine| engine.pool().clone())
}

impl<DB: Driver> Engine<DB> {
    pub(crate) fn new(
        url: Option<Url>,
        connect_options: &ConnectOptionsOf<DB>,
        pools: &Pools,
        manner: Manner<DB>,
    ) -> Result<Self, EngineError> {
        let options = &pools.own;
        let backend = DB::backend(connect_options);
        Ok(Self {
            shared: Arc::new(Shared::new(url, connect_options, pools, manner)?),
            watch: Arc::new(Watch::new(options)),
            options: options.execution_options().clone(),
            asked: Characteristics::of(options.execution_options(), backend)?,
        })
    }

    /// Another engine over the same pool, whose Connections have these options too: `isolation_level`,
    /// `logging_token`, on PostgreSQL `postgresql_readonly` and `postgresql_deferrable`, and the
    /// program's own. It has listeners of its own, and those of this one.
    ///
    /// # Errors
    ///
    /// A value that the database does not have, with those that it has.
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, ExecutionOptions, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let options: ExecutionOptions = [("isolation_level", "AUTOCOMMIT")].into_iter().collect();
let autocommit = engine.execution_options(&options)?;
query("VACUUM").execute(&autocommit).await?;
# Ok(())
# }
```
"#
    )]
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
                ..Characteristics::of(&options, self.backend())?
            },
            options,
        })
    }

    /// An engine for what only reads: the database refuses whatever writes on it. It has the options and
    /// listeners of this one. Does not block.
    ///
    /// With `sqlite_readers` it has a pool of its own, of connections that never write, and sees what is
    /// committed while the writer is in a transaction; [`status`](Self::status), [`pool`](Self::pool) and
    /// [`close`](Self::close) are that pool's, and [`dispose`](Self::dispose) spares the writer. Without,
    /// its connections are this engine's, told at their checkout to be read-only and at their return to
    /// write again, which costs a statement each.
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query};

# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let refused = query("CREATE TABLE t (x INTEGER)").execute(&engine.read_only()).await;
assert!(refused.unwrap_err().to_string().contains("readonly database"));
query("CREATE TABLE t (x INTEGER)").execute(&engine).await?;
# Ok(())
# }
```
"#
    )]
    #[must_use]
    pub fn read_only(&self) -> Self {
        let mut engine = self.clone();
        match &self.shared.readers {
            Some(readers) => engine.shared = Arc::clone(readers),
            None if self.characteristics().read_only == Some(true) => {}
            None => engine.asked.read_only = Some(true),
        }
        engine
    }

    /// The execution options of its Connections.
    pub fn options(&self) -> &ExecutionOptions {
        &self.options
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    pub(crate) fn ending(&self) -> &Ending {
        &self.shared.ending
    }

    pub(crate) fn hooks(&self) -> &Hooks<DB> {
        &self.shared.hooks
    }

    pub(crate) fn backend(&self) -> Backend {
        self.shared.backend
    }

    /// What each connection has from its first moment.
    pub(crate) fn characteristics(&self) -> &Characteristics {
        &self.shared.characteristics
    }

    /// What a connection is given at its checkout, if anything.
    pub(crate) fn checkout_characteristics(&self) -> Option<Characteristics> {
        Some(self.asked).filter(|asked| *asked != Characteristics::default())
    }

    /// What is sent where nothing else was said than that a transaction begins.
    pub(crate) fn begin_wording(&self) -> &'static str {
        self.shared.role.wording("BEGIN")
    }

    /// Whether a prepared statement has a name, by which its connection keeps it.
    pub(crate) fn keeps_statements(&self) -> bool {
        self.shared.keeps_statements
    }

    /// The engine's own, and that of its readers.
    fn pools(&self) -> impl Iterator<Item = &Pool<Connector<DB>>> {
        let readers = self.shared.readers.as_deref();
        iter::once(self.pool()).chain(readers.map(|readers| &readers.pool))
    }

    pub(crate) fn default_level(&self) -> &OnceLock<IsolationLevel> {
        &self.shared.default_level
    }

    pub(crate) fn told(&self, error: CheckoutError) -> Error {
        (self.shared.tells)(error)
    }

    /// Takes a connection; waits until there is one, for at most `pool_timeout`.
    ///
    /// # Errors
    ///
    /// See [`CheckoutError`].
    pub async fn connect(&self) -> Result<PoolConnection<DB>, CheckoutError> {
        let mut connection = Connection::unconnected(self.clone());
        connection.checkout(self.pool_timeout()).await?;
        Ok(PoolConnection::new(connection))
    }

    /// As [`connect`](Self::connect), with the error that SQLx's traits ask for.
    pub(crate) async fn lend(&self) -> Result<PoolConnection<DB>, Error> {
        self.connect().await.map_err(|error| self.told(error))
    }

    /// Takes a connection and begins a transaction on it, which is rolled back if it is dropped. A
    /// connection that turns out dead at BEGIN is replaced, and the caller does not hear of it.
    ///
    /// # Errors
    ///
    /// The driver's, or that no connection was to be had.
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut transaction = engine.begin().await?;
query("CREATE TABLE t (x INTEGER)").execute(&mut *transaction).await?;
transaction.commit().await?;
# Ok(())
# }
```
"#
    )]
    pub async fn begin(&self) -> Result<Transaction<'static, DB>, Error> {
        let connection = PoolConnection::new(Connection::unconnected(self.clone()));
        Transaction::begin_first(connection, None).await
    }

    /// As [`begin`](Self::begin), with another statement than `BEGIN`.
    ///
    /// # Errors
    ///
    /// The driver's, that no connection was to be had, or that the statement has begun nothing.
    pub async fn begin_with(
        &self,
        statement: impl BeginStatement,
    ) -> Result<Transaction<'static, DB>, Error> {
        let connection = PoolConnection::new(Connection::unconnected(self.clone()));
        Transaction::begin_first(connection, Some(statement.into_begin())).await
    }

    /// Takes a connection as the pool has it; waits until there is one, for at most `pool_timeout`.
    ///
    /// # Errors
    ///
    /// See [`CheckoutError`].
    #[cfg_attr(
        feature = "_sqlite",
        doc = r#"
```
# #[tokio::main]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
# use everpool_sqlx::{EngineOptions, Sqlite, create_engine, query};
# let engine = create_engine::<Sqlite>("sqlite://", EngineOptions::default())?;
let mut raw = engine.raw_connection().await?;
query("SELECT 1").execute(&mut *raw).await?;
# Ok(())
# }
```
"#
    )]
    pub async fn raw_connection(&self) -> Result<RawConnection<DB>, CheckoutError> {
        self.pool().checkout().await
    }

    /// Replaces all connections: idle ones are closed at once, those in use when they come back. The
    /// engine works on. Does not block.
    pub fn dispose(&self) {
        self.pools().for_each(|pool| pool.recreate());
        self.watch.board.tell(Event::EngineDisposed);
    }

    /// As [`dispose`](Self::dispose), but idle connections are let go without a word to the server
    /// (SQLAlchemy's `dispose(close=False)`): they belong to somebody else, such as a parent process.
    pub fn abandon(&self) {
        self.pools().for_each(|pool| pool.abandon());
        self.watch.board.tell(Event::EngineDisposed);
    }

    /// Lends nothing any more, from now on, also if nobody awaits this; then waits until all connections
    /// have come back and are closed, for at most `grace`. For the end of a program.
    pub fn close(&self, grace: Duration) -> impl Future<Output = Closed> + Send + '_ {
        let closing = self.pool().close(grace);
        self.ending().has_come();
        closing
    }

    /// Registers listeners. Those of an option engine are not told of what happens on others; but
    /// `do_connect` and `handle_error` hold for the pool, on whichever engine they were registered.
    pub fn events(&self) -> EngineEvents<'_, DB> {
        EngineEvents::new(&self.watch.board, &self.shared.hooks)
    }

    /// The pool's numbers at this moment; its `Display` is SQLAlchemy's status line.
    pub fn status(&self) -> Status {
        self.pool().status()
    }

    /// Where the database is, if the engine was made with a URL. Its `Display` hides the password.
    pub fn url(&self) -> Option<&Url> {
        self.shared.url.as_ref()
    }

    /// How long a checkout waits.
    pub fn pool_timeout(&self) -> Duration {
        self.pool().timeout()
    }

    /// What connections are opened with.
    pub fn connect_options(&self) -> ConnectOptionsOf<DB> {
        self.pool().connector().options()
    }

    /// The pool, with its own events, its size and its end.
    pub fn pool(&self) -> &Pool<Connector<DB>> {
        &self.shared.pool
    }
}

impl<DB: Driver> Clone for Engine<DB> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            watch: Arc::clone(&self.watch),
            options: self.options.clone(),
            asked: self.asked,
        }
    }
}

/// `Engine(postgresql://scott:***@localhost/test)`, as SQLAlchemy prints it.
impl<DB: Driver> fmt::Debug for Engine<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.url() {
            Some(url) => write!(f, "Engine({url})"),
            None => write!(f, "Engine({})", self.backend().name()),
        }
    }
}
