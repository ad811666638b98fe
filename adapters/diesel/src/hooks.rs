use std::{
    fmt,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
};

use diesel::ConnectionError;
use everpool_engine::{Url, events};

use crate::driver::Driver;

type DoConnect<C> = dyn Fn(&mut Url) -> Result<Option<C>, ConnectionError> + Send + Sync;

/// What the program has a say in when a connection is opened.
pub(crate) struct Hooks<C> {
    do_connect: RwLock<Vec<Arc<DoConnect<C>>>>,
}

impl<C> Default for Hooks<C> {
    fn default() -> Self {
        Self {
            do_connect: RwLock::default(),
        }
    }
}

impl<C: Driver> Hooks<C> {
    /// A connection to `url`, as the hooks would have it. Blocks.
    pub(crate) fn connect(&self, url: &Url) -> Result<C, ConnectionError> {
        let hooks = self
            .do_connect
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // Fresh for each connection.
        let mut url = url.clone();
        for hook in hooks {
            if let Some(connection) = hook(&mut url)? {
                return Ok(connection);
            }
        }
        C::establish(&url.render_for_driver())
    }

    pub(crate) fn do_connect(&self, hook: Arc<DoConnect<C>>) {
        let mut hooks = self
            .do_connect
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        hooks.push(hook);
    }
}

impl<C> fmt::Debug for Hooks<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// Registers listeners on an engine: those of `everpool_engine`'s [`Events`](events::Events), and
/// what depends on the driver. For the pool's events see [`Engine::pool`](crate::Engine::pool).
pub struct EngineEvents<'a, C: Driver> {
    plain: events::Events<'a>,
    hooks: &'a Hooks<C>,
}

impl<'a, C: Driver> EngineEvents<'a, C> {
    pub(crate) fn new(board: &'a events::Board, hooks: &'a Hooks<C>) -> Self {
        Self {
            plain: events::Events::new(board),
            hooks,
        }
    }

    /// A connection is to be opened. The hook may change the URL, which is a fresh copy each time: a
    /// password that rotates, a host that moved. It may also open a connection itself, and return it.
    /// Called in the pool's background, so it may block, for at most the pool's connect timeout.
    pub fn do_connect<F>(&self, hook: F) -> &Self
    where
        F: Fn(&mut Url) -> Result<Option<C>, ConnectionError> + Send + Sync + 'static,
    {
        self.hooks.do_connect(Arc::new(hook));
        self
    }
}

impl<'a, C: Driver> Deref for EngineEvents<'a, C> {
    type Target = events::Events<'a>;

    fn deref(&self) -> &events::Events<'a> {
        &self.plain
    }
}

impl<C: Driver> fmt::Debug for EngineEvents<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineEvents").finish_non_exhaustive()
    }
}
