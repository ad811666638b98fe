//! Scopes that are tokio's tasks, or parts of them.

use std::{future::Future, sync::Arc};

use super::{
    Entered, ScopeError,
    registry::{Registry, next_number},
};

/// A future that runs in a scope, of which there was never another with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskScope(u64);

tokio::task_local! {
    static INNERMOST: Arc<Around>;
}

/// A scope that a task is in. It may be in one of each `ScopedSession`, and in one within another.
struct Around {
    /// Whose scope it is.
    registry: u64,
    scope: TaskScope,
    outer: Option<Arc<Self>>,
}

impl Around {
    fn find(&self, registry: u64) -> Option<TaskScope> {
        match (self.registry == registry, &self.outer) {
            (true, _) => Some(self.scope),
            (false, outer) => outer.as_ref()?.find(registry),
        }
    }
}

/// The innermost scope that the task is in.
pub(super) fn of_this_task<S>(
    registry: &Arc<Registry<TaskScope, S>>,
) -> Result<TaskScope, ScopeError> {
    let found = INNERMOST.try_with(|innermost| innermost.find(registry.id()));
    found.ok().flatten().ok_or(ScopeError::NoTaskScope)
}

/// Runs a future in a scope of its own, which is over when the future is: at its end, by a panic, or when it is dropped.
pub(super) async fn run<S, F: Future>(registry: Arc<Registry<TaskScope, S>>, work: F) -> F::Output {
    let scope = TaskScope(next_number());
    // Nobody else has this number.
    let _entered = Entered::enter(&registry, scope);
    let around = Around {
        registry: registry.id(),
        scope,
        outer: INNERMOST.try_with(Arc::clone).ok(),
    };
    drop(registry);
    INNERMOST.scope(Arc::new(around), work).await
}
