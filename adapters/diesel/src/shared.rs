use std::{
    iter,
    sync::{Arc, OnceLock},
    time::Duration,
};

use everpool_core::{Options, PoolClass, ResetOnReturn, blocking::Pool};
use everpool_engine::{
    EngineOptions, Pools, Role, Url, echo_pool,
    isolation::{Characteristics, IsolationLevel},
};

use crate::{
    connector::Connector, driver::Driver, engine::EngineError, hooks::Hooks, stage::Stage,
    watch::Watch,
};

/// What all handles of an engine have in common: its pool, and the pool of its readers.
pub(crate) struct Shared<C: Driver> {
    pub(crate) url: Url,
    pub(crate) pool: Pool<Connector<C>>,
    pub(crate) role: Role,
    pub(crate) hooks: Arc<Hooks<C>>,
    /// What each connection has from its first moment.
    pub(crate) characteristics: Characteristics,
    pub(crate) default_level: OnceLock<IsolationLevel>,
    pub(crate) readers: Option<Arc<Self>>,
    /// It is a test's, and all is done on one connection.
    pub(crate) is_staged: bool,
}

impl<C: Driver> Shared<C> {
    pub(crate) fn new(url: &Url, pools: &Pools, watch: &Arc<Watch>) -> Result<Self, EngineError> {
        let is_disconnect = pools.own.read_only_is_disconnect();
        let hooks = Arc::new(Hooks::new(is_disconnect, url.is_memory()));
        let one = |options, role| Self::one(url, options, role, &hooks, watch);
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
        url: &Url,
        options: &EngineOptions,
        role: Role,
        hooks: &Arc<Hooks<C>>,
        watch: &Arc<Watch>,
    ) -> Result<Self, EngineError> {
        let characteristics = Characteristics::permanent(options, role, C::BACKEND)?;
        let connector = Connector::new(url.clone(), role, Arc::clone(hooks), Arc::clone(watch))
            .with_cache_size(options.query_cache_size());
        let pool = Pool::new(connector, options.pool())?.with_timeout(options.pool_timeout());
        echo_pool::install(&pool, options);
        if let Some(statement) = characteristics.statement(C::BACKEND) {
            pool.events()
                .connect(move |connection: &mut C, _| Ok(connection.batch_execute(&statement)?));
        }
        Ok(Self {
            url: url.clone(),
            pool,
            role,
            hooks: Arc::clone(hooks),
            characteristics,
            default_level: OnceLock::new(),
            readers: None,
            is_staged: false,
        })
    }

    /// What a test has in common: a pool of that connection alone. Whoever returns it ends what they have begun, and
    /// the rest counts as committed.
    pub(crate) fn staged(&self, stage: &Arc<Stage<C>>, watch: &Arc<Watch>) -> Self {
        let hooks = Arc::clone(&self.hooks);
        let connector = Connector::new(self.url.clone(), self.role, hooks, Arc::clone(watch))
            .on_stage(self.pool.connector(), stage);
        let mut options = Options::default();
        options.class = PoolClass::StaticPool;
        options.reset_on_return = ResetOnReturn::Commit;
        options.own_patience = Some(Duration::ZERO);
        let pool = Pool::new(connector, options);
        let pool = pool.expect("three options that are in range");
        Self {
            url: self.url.clone(),
            pool: pool.with_timeout(self.pool.timeout()),
            role: self.role,
            hooks: Arc::clone(&self.hooks),
            characteristics: self.characteristics,
            default_level: self.default_level.clone(),
            readers: None,
            is_staged: true,
        }
    }

    /// The engine's own, and that of its readers.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &Pool<Connector<C>>> {
        let readers = self.readers.as_deref().map(|readers| &readers.pool);
        iter::once(&self.pool).chain(readers)
    }
}
