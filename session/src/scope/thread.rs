//! Scopes that are threads.

use std::{cell::RefCell, sync::Arc};

use super::{
    Entered, ScopeError,
    registry::{Registry, next_number},
};

/// A thread, of which there was never another with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadScope(u64);

thread_local! {
    static HERE: Here = Here {
        scope: ThreadScope(next_number()),
        entered: RefCell::default(),
    };
}

struct Here {
    scope: ThreadScope,
    /// Dropped when the thread ends, and with it each session that it has.
    entered: RefCell<Vec<Box<dyn Membership>>>,
}

/// What a thread has entered.
trait Membership {
    fn is_void(&self) -> bool;
}

impl<S: 'static> Membership for Entered<ThreadScope, S> {
    fn is_void(&self) -> bool {
        self.is_void()
    }
}

/// The thread's scope, which it enters by asking.
pub(super) fn of_this_thread<S: 'static>(
    registry: &Arc<Registry<ThreadScope, S>>,
) -> Result<ThreadScope, ScopeError> {
    let scope = HERE.try_with(|here| {
        if let Ok(entered) = Entered::enter(registry, here.scope) {
            here.keep(entered);
        }
        here.scope
    });
    scope.map_err(|_| ScopeError::ThreadEnds)
}

impl Here {
    /// With what is of use still.
    fn keep(&self, entered: Entered<ThreadScope, impl Sized + 'static>) {
        let mut all = self.entered.borrow_mut();
        all.retain(|entered| !entered.is_void());
        all.push(Box::new(entered));
    }
}
