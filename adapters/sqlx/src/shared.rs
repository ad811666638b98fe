use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use everpool_core::{Options, PoolClass, ResetOnReturn, future::Pool};
use everpool_engine::{
    Backend, EngineOptions, Pools, Role, Url, echo_pool,
    isolation::{Characteristics, IsolationLevel},
};
use sqlx::Error;

use crate::{
    connector::Connector,
    create::EngineError,
    driver::{ConnectOptionsOf, Driver},
    engine::CheckoutError,
    hooks::Hooks,
    manner::Manner,
    pool::Ending,
    stage::Stage,
    wire::Wire,
};

/// What all handles of an engine have in common: its pool, and the pool of its readers.
pub(crate) struct Shared<DB: Driver> {
    pub(crate) backend: Backend,
    pub(crate) url: Option<Url>,
    pub(crate) pool: Pool<Connector<DB>>,
    pub(crate) role: Role,
    /// Whether a prepared statement has a name, by which its connection keeps it.
    pub(crate) keeps_statements: bool,
    pub(crate) hooks: Arc<Hooks<DB>>,
    /// What each connection has from its first moment.
    pub(crate) characteristics: Characteristics,
    pub(crate) default_level: OnceLock<IsolationLevel>,
    /// What is told of a checkout that failed.
    pub(crate) tells: fn(CheckoutError) -> Error,
    pub(crate) ending: Ending,
    pub(crate) readers: Option<Arc<Self>>,
    /// It is a test's, and all is done on one connection.
    pub(crate) is_staged: bool,
}

impl<DB: Driver> Shared<DB> {
    pub(crate) fn new(
        url: Option<Url>,
        connect_options: &ConnectOptionsOf<DB>,
        pools: &Pools,
        manner: Manner<DB>,
    ) -> Result<Self, EngineError> {
        let Manner { tells, callbacks } = manner;
        let hooks = Arc::new(Hooks::new(
            DB::backend(connect_options),
            pools.own.read_only_is_disconnect(),
            DB::is_memory(connect_options),
            callbacks,
        ));
        let one = |options, role| {
            let connect_options = connect_options.clone();
            Self::one(url.clone(), connect_options, options, role, &hooks, tells)
        };
        let readers = pools.readers.as_ref();
        let readers = readers
            .map(|options| one(options, Role::Reader))
            .transpose()?;
        Ok(Self {
            readers: readers.map(Arc::new),
            ..one(&pools.own, pools.role)?
        })
    }

    fn one(
        url: Option<Url>,
        connect_options: ConnectOptionsOf<DB>,
        options: &EngineOptions,
        role: Role,
        hooks: &Arc<Hooks<DB>>,
        tells: fn(CheckoutError) -> Error,
    ) -> Result<Self, EngineError> {
        let backend = DB::backend(&connect_options);
        let characteristics = Characteristics::permanent(options, role, backend)?;
        let cache_size = options.query_cache_size();
        let connect_options = match cache_size {
            Some(size) => DB::with_statement_cache(connect_options, size as usize),
            None => connect_options,
        };
        let keeps_statements = cache_size != Some(0);
        let hooks = Arc::clone(hooks);
        let mut pool_options = options.pool();
        let how = resets_anyway(&mut pool_options);
        let connector = Connector::new(
            connect_options,
            role,
            keeps_statements,
            Arc::clone(&hooks),
            how,
        );
        let pool = Pool::new(connector, pool_options)?.with_timeout(options.pool_timeout());
        echo_pool::install(&pool, options);
        if let Some(statement) = characteristics.statement(backend) {
            pool.events().connect_async(move |wire: &mut Wire<DB>, _| {
                let statement = statement.clone();
                Box::pin(async move { Ok(DB::run(wire.own(), statement).await?) })
            });
        }
        Ok(Self {
            backend,
            url,
            pool,
            role,
            keeps_statements,
            hooks,
            characteristics,
            default_level: OnceLock::new(),
            tells,
            ending: Ending::default(),
            readers: None,
            is_staged: false,
        })
    }

    /// What a test has in common: a pool of that connection alone.
    pub(crate) fn staged(&self, stage: &Arc<Stage<DB>>) -> Self {
        let mut options = Options::default();
        options.class = PoolClass::StaticPool;
        options.own_patience = Some(OWN_PATIENCE);
        let pool = Pool::new(self.pool.connector().on_stage(stage), options);
        let pool = pool.expect("two options that are in range");
        Self {
            backend: self.backend,
            url: self.url.clone(),
            pool: pool.with_timeout(self.pool.timeout()),
            role: self.role,
            keeps_statements: self.keeps_statements,
            hooks: Arc::clone(&self.hooks),
            characteristics: self.characteristics,
            default_level: self.default_level.clone(),
            tells: self.tells,
            ending: Ending::default(),
            readers: None,
            is_staged: true,
        }
    }
}

/// A task that has the one connection may have another future that waits for it, and will give it back.
const OWN_PATIENCE: Duration = Duration::from_secs(1);

/// A connection that was given up in the middle is put in order whatever the option says, so the pool is
/// told to reset in any case, and the connector what the option says.
fn resets_anyway(options: &mut Options) -> ResetOnReturn {
    let how = options.reset_on_return;
    if how == ResetOnReturn::Nothing {
        options.reset_on_return = ResetOnReturn::Rollback;
        options.reset_always = false;
    }
    how
}
