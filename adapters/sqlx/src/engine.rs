mod reading;
mod recovery;

use std::{
    fmt,
    future::Future,
    iter,
    sync::{Arc, OnceLock},
    time::Duration,
};

use everpool_core::{
    Closed, Status,
    future::{Lease, Pool},
};
use everpool_engine::{
    Backend, ExecutionOptions, Pools, Url, Watch,
    events::Event,
    isolation::{Characteristics, IsolationLevel},
};
use sqlx::Error;

pub(crate) use reading::Replicas;

use crate::{
    connection::Connection,
    connector::{Connector, DriverError},
    create::EngineError,
    driver::{ConnectOptionsOf, Driver},
    hooks::{EngineEvents, Hooks},
    lent::PoolConnection,
    manner::Manner,
    pool::Ending,
    shared::Shared,
    stage::Stage,
    transaction::Transaction,
    version::BeginStatement,
};

/// Why a checkout gave no connection.
pub type CheckoutError = everpool_core::CheckoutError<DriverError>;

/// A connection from the pool as it is: it derefs to SQLx's own, and returns to the pool when it is
/// dropped. Nobody looks at the errors that it gives.
pub type RawConnection<DB> = Lease<Connector<DB>, everpool_core::Tokio>;

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
    replicas: Option<Arc<Replicas<DB>>>,
    /// Its connections are the replicas'.
    is_routed: bool,
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
            replicas: None,
            is_routed: false,
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
            replicas: self.replicas.clone(),
            is_routed: self.is_routed,
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<DB>> {
        &self.shared
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
    #[track_caller]
    pub fn connect(
        &self,
    ) -> impl Future<Output = Result<PoolConnection<DB>, CheckoutError>> + Send + use<DB> {
        let mut connection = Connection::unconnected(self.clone());
        let timeout = self.pool_timeout();
        async move {
            connection.checkout(timeout).await?;
            Ok(PoolConnection::new(connection))
        }
    }

    /// As [`connect`](Self::connect), with the error that SQLx's traits ask for.
    #[track_caller]
    pub(crate) fn lend(
        &self,
    ) -> impl Future<Output = Result<PoolConnection<DB>, Error>> + Send + use<DB> {
        let (tells, connecting) = (self.shared.tells, self.connect());
        async move { connecting.await.map_err(tells) }
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
    #[track_caller]
    pub fn begin(
        &self,
    ) -> impl Future<Output = Result<Transaction<'static, DB>, Error>> + Send + use<DB> {
        let connection = PoolConnection::new(Connection::unconnected(self.clone()));
        Transaction::begin_first(connection, None)
    }

    /// As [`begin`](Self::begin), with another statement than `BEGIN`.
    ///
    /// # Errors
    ///
    /// The driver's, that no connection was to be had, or that the statement has begun nothing.
    #[track_caller]
    pub fn begin_with<S: BeginStatement>(
        &self,
        statement: S,
    ) -> impl Future<Output = Result<Transaction<'static, DB>, Error>> + Send + use<DB, S> {
        let connection = PoolConnection::new(Connection::unconnected(self.clone()));
        Transaction::begin_first(connection, Some(statement.into_begin()))
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
    #[track_caller]
    pub fn raw_connection(
        &self,
    ) -> impl Future<Output = Result<RawConnection<DB>, CheckoutError>> + Send + '_ {
        self.pool().checkout()
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
        let own = self.route().map_or(&self.shared, |replicas| replicas.own());
        own.pool.timeout()
    }

    /// Whether it is a test's.
    pub(crate) fn is_staged(&self) -> bool {
        self.shared.is_staged
    }

    /// This engine on a stage.
    pub(crate) fn staged(&self, stage: &Arc<Stage<DB>>) -> Self {
        Self {
            shared: Arc::new(self.shared.staged(stage)),
            // They see nothing of what is not committed.
            replicas: None,
            is_routed: false,
            ..self.clone()
        }
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
            replicas: self.replicas.clone(),
            is_routed: self.is_routed,
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
